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
        if _predicts_with_threads(found):
            found.n_jobs = threads
        if type(found).__module__ == "xgboost.core" and hasattr(found, "set_param"):
            found.set_param({"nthread": threads})


def _predicts_with_threads(found: Any) -> bool:
    """Whether an object is an estimator with threads of its own. One that holds others would start processes."""
    if not hasattr(found, "get_params") or isinstance(found, type):
        return False
    parameters = found.get_params(deep=False)
    return "n_jobs" in parameters and not any(hasattr(held, "get_params") for held in walk(list(parameters.values())))
