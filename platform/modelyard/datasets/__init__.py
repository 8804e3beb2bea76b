"""Partitions and training sets: written aside, audited, published whole, read whole.

One more place to keep them is one more file, chosen in `modelyard.wiring`.
"""
