"""The processes that a launcher starts, each `python -m modelyard.jobs.NAME TASK.json`: they open back-ends, and work.

One more kind of job is one more file with a `main`, and its task in `modelyard.training.spec`.
"""
