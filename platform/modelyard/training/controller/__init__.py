"""The controller of a cluster: the reconcile loop, led by one process at a time, and what operators see of it."""
