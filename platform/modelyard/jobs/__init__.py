"""The processes that a launcher starts, as `python -m modelyard.jobs.NAME [TASK.json]`: they open back-ends, and work.

With a task's file, a job hands its work to `run_job`; in a pod it has none, asks the registry, and hands its work to
`run_pod` (`pod.py`, which is no job itself). One more kind of job is one more file here, its `JobKind`, its task in
`modelyard.training.tasks` and its entry in `modelyard.training.job_maker.MODULES`.
"""
