"""The processes that a launcher starts, each `python -m modelyard.jobs.NAME TASK.json`: they open back-ends, and work.

One more kind of job is one more file that hands its work to `run_job`, and its task in `modelyard.training.job_tasks`.
"""
