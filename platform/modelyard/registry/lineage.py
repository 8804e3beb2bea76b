"""Where a version comes from, and what a change would reach: read from what the registry holds.

Down: version → pinned feature sets → source columns. Up: source column → feature sets → models.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from modelyard.errors import NotFound
from modelyard.registry.live import effective
from modelyard.registry.pages import every
from modelyard.registry.records import Pins, Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.registry.records import FeatureSetVersion, ModelRecord
    from modelyard.registry.registry import Registry

_FIELDS = {"source": "sources", "feature_set": "refs"}
"""Where a feature set's definition holds what it depends on."""


class FeatureSetLineage(Record):
    """A feature set's version, and where each of its features comes from."""

    name: str
    number: int
    digest: str
    features: dict[str, tuple[str, ...]]
    """For each feature, the source columns that it comes from, as `source.column`."""


class VersionLineage(Record):
    """What a model's version was made from."""

    model: str
    number: int
    run: str | None
    pins: Pins
    feature_sets: tuple[FeatureSetLineage, ...]


class AffectedModel(Record):
    """A model that a change would reach."""

    name: str
    team: str
    via: tuple[str, ...]
    """The subjects on the way, from what changes to what the model uses itself."""
    applied: bool
    """Whether the model's definition depends on it as applied now: its next version would differ."""
    live: int | None
    """The version that is live or planned and pins it: what it scores with would differ."""


def version_lineage(registry: Registry, model: str, number: int) -> VersionLineage:
    """What a version was made from.

    Raises:
        NotFound: There is no such version.
    """
    version = registry.version(model, number)
    sets = [registry.feature_set(pin.name, pin.version) for pin in version.pins.feature_sets]
    return VersionLineage(
        model=model, number=number, run=version.run, pins=version.pins, feature_sets=tuple(map(_lineage_of, sets))
    )


def _lineage_of(version: FeatureSetVersion) -> FeatureSetLineage:
    return FeatureSetLineage(name=version.name, number=version.number, digest=version.digest, features=version.lineage)


def affected_models(registry: Registry, subject: str, column: str | None = None) -> tuple[AffectedModel, ...]:
    """The models that a change of a feature set, a source, or one column of a source would reach.

    Models that are archived, or that depended on it once and no longer do, are left out.

    Args:
        registry: Where to look.
        subject: `feature_set:NAME` or `source:NAME`.
        column: A column of the source; feature sets that read the source without it are not followed. A model that
            reads the source itself counts whatever the column.
    """
    found = {}
    for name, via in _reached(registry, subject, column):
        model = registry.model(name)
        applied, live = _uses_now(model, via[-1]), _live_with(registry, model, via[-1])
        if model.archived_at is None and (applied or live is not None) and name not in found:
            found[name] = AffectedModel(name=name, team=model.team, via=via, applied=applied, live=live)
    return tuple(found[name] for name in sorted(found))


def _reached(registry: Registry, subject: str, column: str | None) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each model that has ever depended on a subject, with the way to it; the shortest ways first."""
    ways: deque[tuple[str, ...]] = deque([(subject,)])
    seen = {subject}
    while ways:
        way = ways.popleft()
        for dependent in _dependents(registry, way[-1]):
            kind, _, name = dependent.partition(":")
            if kind == "model":
                yield name, way
            elif dependent not in seen and _reads(registry, name, way, column):
                seen.add(dependent)
                ways.append((*way, dependent))


def _dependents(registry: Registry, subject: str) -> Iterator[str]:
    return every(lambda page: registry.dependents(subject, page=page))


def _reads(registry: Registry, feature_set: str, way: tuple[str, ...], column: str | None) -> bool:
    """Whether a feature set depends on the last subject of a way now, and on the column that is asked for."""
    version = registry.feature_set(feature_set)
    kind, _, name = way[-1].partition(":")
    if version.archived_at is not None or name not in version.definition.get(_FIELDS[kind], {}):
        return False
    column_name = f"{way[0].partition(':')[2]}.{column}"
    return column is None or any(column_name in columns for columns in version.lineage.values())


def _uses_now(model: ModelRecord, subject: str) -> bool:
    kind, _, name = subject.partition(":")
    return name in model.definition.get("sources" if kind == "source" else "feature_sets", {})


def _live_with(registry: Registry, model: ModelRecord, subject: str) -> int | None:
    """The version that is live, or will be, and pins a feature set."""
    now = datetime.now(UTC)
    facts = effective(registry.promotions(model.name))
    begun = [fact for fact in facts if fact.live_from <= now][-1:]
    for fact in (*begun, *(fact for fact in facts if fact.live_from > now)):
        if fact.version is not None:
            pins = registry.version(model.name, fact.version).pins.feature_sets
            if subject in {f"feature_set:{pin.name}" for pin in pins}:
                return fact.version
    return None


def subject_of(registry: Registry, name: str) -> str:
    """The subject that a plain name means: a model, or a feature set.

    Raises:
        NotFound: There is neither.
    """
    for kind, look in (("model", registry.model), ("feature_set", registry.feature_set)):
        try:
            look(name)
        except NotFound:
            continue
        return f"{kind}:{name}"
    msg = f"there is no model and no feature set `{name}`"
    raise NotFound(msg, "for a column of a source, write SOURCE.COLUMN")
