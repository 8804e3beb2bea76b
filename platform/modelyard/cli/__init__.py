"""The command line: one module a command group, and no logic; it translates between a terminal and the rooms."""
