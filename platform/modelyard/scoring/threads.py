"""How many threads a loaded model predicts with: all cores for a partition, one for a request."""

from __future__ import annotations

from typing import Any

from modelyard.training.storage.graph import walk


def use_threads(pipeline: Any, threads: int) -> None:
    """Let a pipeline predict with a number of threads, whatever it was fitted with.

    One row is worth no second thread: LightGBM takes 900 µs for it with several, and 12 µs with one.

    Args:
        pipeline: A fitted pipeline; it is changed.
        threads: How many.
    """
    for found in walk(pipeline):
        if isinstance(getattr(found, "n_jobs", None), int):
            found.n_jobs = threads
        if type(found).__module__ == "xgboost.core" and hasattr(found, "set_param"):
            found.set_param({"nthread": threads})
