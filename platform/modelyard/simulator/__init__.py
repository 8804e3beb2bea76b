"""Simulated businesses whose data can be generated anywhere, with an optimum that is known."""
