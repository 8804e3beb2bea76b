"""From a feature's definition to its values: SQL, materialised partitions, point-in-time training sets.

A definition is compiled once, for every use. One more engine is one more back-end beside `duckdb`.
"""
