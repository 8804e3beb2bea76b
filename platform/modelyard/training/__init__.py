"""From a run specification to a fitted, evaluated, gated and registered version; and the loop that runs them.

Where a run's process lives is a launcher's business: one more launcher is one more file in `launchers/`.
"""
