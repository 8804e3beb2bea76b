"""Which rows train and which judge: the hold-out by time, at random or by group, and folds for cross-validation.

Splits are positions of rows. The same seed splits the same training set in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from modelyard.config.kinds.model import Split
from modelyard.errors import InvalidData
from modelyard.local_days import day_start

if TYPE_CHECKING:
    import numpy.typing as npt

    from modelyard.config.kinds.model import CrossValidation, Data
    from modelyard.training.rows import Rows

    Positions = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Holdout:
    """The rows to fit on and the rows to judge by."""

    train: Positions
    test: Positions
    """Empty where cross-validation alone judges."""


def hold_out(rows: Rows, data: Data, *, seed: int, timezone: str) -> Holdout:
    """Split rows as a model's data says.

    Args:
        rows: The training set.
        data: The definition's data, whose split may be left out.
        seed: Decides what is left to chance.
        timezone: Whose midnight `test_from` means.

    Raises:
        InvalidData: Rows can't be split that way, or one part would be empty.
    """
    split = data.split or Split(by="random" if rows.time is None else "time")
    everything = np.arange(len(rows.label))
    if split.by == "none":
        return Holdout(everything, everything[:0])
    if split.by == "time":
        found = _by_time(rows, split, data.labels.delay or timedelta(0), timezone)
    elif split.by == "group":
        found = _by_group(rows.groups(split.group), split.test, seed)
    else:
        found = _at_random(rows, split.test, seed)
    if not len(found.train) or not len(found.test):
        empty = "test" if len(found.train) else "train"
        reason = f"the split by {split.by} leaves no rows to {empty} on, of {len(everything):,}"
        raise InvalidData(reason, "look at data.split (test, test_from, embargo) and at the period of the labels")
    return found


def folds(rows: Rows, within: Positions, wanted: CrossValidation, seed: int) -> list[tuple[Positions, Positions]]:
    """The folds of cross-validation, each as positions to fit on and positions to predict.

    Args:
        rows: The training set.
        within: The positions that the folds divide.
        wanted: How many, and what keeps together.
        seed: Decides what is left to chance.

    Raises:
        InvalidData: There are too few rows or groups for as many folds.
    """
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    stratified = wanted.stratified and bool(rows.classes)
    settings = {"n_splits": wanted.folds, "shuffle": True, "random_state": seed}
    groups = None if wanted.group is None else rows.groups(wanted.group)[within]
    if groups is not None:
        splitter = StratifiedGroupKFold(**settings) if stratified else GroupKFold(**settings)
    else:
        splitter = StratifiedKFold(**settings) if stratified else KFold(**settings)
    try:
        found = list(splitter.split(within, rows.label[within], groups))
    except ValueError as error:
        reason = f"{wanted.folds} folds can't be made of {len(within):,} rows: {error}"
        raise InvalidData(reason, "ask for fewer folds") from error
    return [(within[train], within[test]) for train, test in found]


def _by_time(rows: Rows, split: Split, delay: timedelta, timezone: str) -> Holdout:
    if rows.time is None:
        reason = "rows can't be split by time: the labels have no timestamp"
        raise InvalidData(reason, "set data.labels.timestamp, or data.split.by: random")
    if split.test_from is not None:
        cut = np.datetime64(day_start(split.test_from, timezone).replace(tzinfo=None))
    else:
        # Rows of one instant stay together, so the test may get a few more than its part.
        cut = np.sort(rows.time)[int(len(rows.time) * (1 - split.test))]
    embargo = np.timedelta64(delay if split.embargo is None else split.embargo)
    return Holdout(np.flatnonzero(rows.time < cut - embargo), np.flatnonzero(rows.time >= cut))


def _by_group(groups: npt.NDArray[np.intp], test: float, seed: int) -> Holdout:
    """Whole groups, in a random order, until the test has its part of the rows."""
    sizes = np.bincount(groups)
    order = np.random.default_rng(seed).permutation(len(sizes))
    before = np.cumsum(sizes[order]) - sizes[order]
    is_test = np.isin(groups, order[before < test * len(groups)])
    return Holdout(np.flatnonzero(~is_test), np.flatnonzero(is_test))


def _at_random(rows: Rows, test: float, seed: int) -> Holdout:
    from sklearn.model_selection import train_test_split

    positions = np.arange(len(rows.label))
    stratify = rows.label if rows.classes else None
    try:
        parts = train_test_split(positions, test_size=test, random_state=seed, stratify=stratify)
    except ValueError as error:
        reason = f"{len(positions):,} rows can't be split at random: {error}"
        raise InvalidData(reason, "train on more rows, or leave rare classes out with `where`") from error
    return Holdout(*(np.sort(part) for part in parts))
