"""Keeping spec files current with the registry.

A poll looks at the models that changed since the last one, by the registry's change cursor. A cursor alone misses what
was damaged here, or lost there, so now and then every model is looked at. Plans are functions of what the registry
says, so polling again changes nothing, and a poll that died is mended by the next.
"""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from modelyard.errors import IntegrityError, NotFound
from modelyard.files import io_errors
from modelyard.orchestration.plan import ARCHIVED, DagPlan, NoDag, plan_dag
from modelyard.orchestration.poll_state import PollState, read_state, write_state
from modelyard.orchestration.specs import (
    discard,
    read_spec,
    remove_spec,
    remove_temporary,
    spec_path,
    spec_paths,
    write_spec,
)
from modelyard.registry.changes import read_changes
from modelyard.registry.pages import every

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from modelyard.registry.records import ModelRecord
    from modelyard.registry.registry import Registry

FULL_EVERY: Final = timedelta(hours=1)
"""How long a damaged or lost spec stays so at most: looking at 1,000 models takes seconds, so hourly costs nothing."""


@dataclass(frozen=True)
class PollResult:
    """What a poll did."""

    cursor: str
    """The registry's change cursor up to which specs are current."""
    full: bool
    """Whether every model was looked at, and not only what changed."""
    written: tuple[str, ...] = ()
    """The models whose spec was written."""
    removed: tuple[str, ...] = ()
    """The models whose spec was removed."""
    unchanged: int = 0
    """How many models were looked at and found current."""


def poll(
    registry: Registry,
    folder: Path,
    *,
    full: bool = False,
    now: datetime | None = None,
    advance: Callable[[float], None] = lambda done: None,  # noqa: ARG005 - whoever does not watch
) -> PollResult:
    """Make the spec files say what the registry says.

    One poller works at a time; another one waits for it. If the registry can't answer, the specs stay as they are, and
    so they do if the process dies: each file is replaced whole.

    Args:
        registry: The registry.
        folder: The folder of specs; made if absent.
        full: Look at every model, whatever changed.
        now: The time, for tests.
        advance: Told how many models were looked at so far.

    Raises:
        Unavailable: The registry can't answer now, or the folder of specs can't be written to.
        StorageFull: There is no room for the specs.
    """
    now = now or datetime.now(UTC)
    with io_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _only_poller(folder):
        state = read_state(folder)
        changes = read_changes(registry, state.cursor)
        full = full or changes.anew or _full_is_due(state, now)
        models = (
            every(lambda page: registry.models(page=page))
            if full
            else (registry.model(name) for name in sorted(changes.models))
        )
        plans: dict[str, DagPlan | NoDag] = {}
        touched = []
        for done, model in enumerate(models, start=1):
            known = {} if changes.anew else _known_feature_sets(folder, model.name)
            plan = plans[model.name] = _plan(registry, model, known)
            if write_spec(folder, plan) if isinstance(plan, DagPlan) else remove_spec(folder, model.name):
                touched.append(model.name)
            advance(done)
        strays = _remove_strays(folder, plans) if full else []
        without = {} if full else {name: why for name, why in state.without.items() if name not in plans}
        without |= {name: plan.reason for name, plan in plans.items() if isinstance(plan, NoDag) and plan != ARCHIVED}
        write_state(folder, PollState(changes.cursor, now, now if full else state.reconciled_at, without))
    return PollResult(
        cursor=changes.cursor,
        full=full,
        written=tuple(name for name in touched if isinstance(plans[name], DagPlan)),
        removed=(*(name for name in touched if isinstance(plans[name], NoDag)), *strays),
        unchanged=len(plans) - len(touched),
    )


def _plan(registry: Registry, model: ModelRecord, known: Mapping[int, Mapping[str, int]]) -> DagPlan | NoDag:
    def feature_sets_of(number: int) -> Mapping[str, int]:
        if number in known:
            return known[number]
        return {pin.name: pin.version for pin in registry.version(model.name, number).pins.feature_sets}

    return plan_dag(model, registry.promotions(model.name), feature_sets_of)


def _known_feature_sets(folder: Path, model: str) -> Mapping[int, Mapping[str, int]]:
    # What a version pins never changes in one registry, so what the spec has of it need not be asked again.
    try:
        return read_spec(spec_path(folder, model)).feature_sets
    except (NotFound, IntegrityError):
        return {}


def _full_is_due(state: PollState, now: datetime) -> bool:
    # A time in the future is from a clock that was wrong.
    return state.reconciled_at is None or not timedelta() <= now - state.reconciled_at < FULL_EVERY


def _remove_strays(folder: Path, plans: Mapping[str, DagPlan | NoDag]) -> list[str]:
    """Remove the spec files that belong to no model, and what dead pollers left."""
    strays = [path for path in spec_paths(folder) if path.stem not in plans or path != spec_path(folder, path.stem)]
    for path in strays:
        discard(path)
    remove_temporary(folder)
    return [path.stem.encode(errors="replace").decode() for path in strays]  # a foreign name need not be text


@contextmanager
def _only_poller(folder: Path) -> Iterator[None]:
    # Two at once could leave the older one's plan in place of the newer one's, with the newer one's cursor.
    with io_errors(folder):
        lock = (folder / ".lock").open("wb")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the process, however that ends
        yield
