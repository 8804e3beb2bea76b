"""Training sets: label rows with the features that were known at their time, published once for each request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.datasets import parquet
from modelyard.datasets.names import ALL, training_set_dataset
from modelyard.errors import NotFound
from modelyard.features.audits import audit_source
from modelyard.features.compile import ordered, rows_relation, values_relation
from modelyard.features.engine import SourceRows
from modelyard.features.feature_columns import ColumnFeatures, SetFeatures, entity_of, features_of
from modelyard.features.labels import GROUP, LABEL, LABELS, TIME, WEIGHT, LabelRows
from modelyard.features.materialise import materialise
from modelyard.features.partitions import grid_of, manifests_of, partition_rows
from modelyard.features.point_in_time import instants_of, join_features, side_by_side
from modelyard.features.quoting import identifiers
from modelyard.features.registration import find_pins, pinned_definition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from modelyard.config.definitions import ModelDefinition
    from modelyard.datasets.expectations import AuditResult
    from modelyard.datasets.store import DatasetStore, Manifest
    from modelyard.features.engine import Engine, Relation
    from modelyard.registry.records import FeatureSetPin
    from modelyard.registry.registry import Registry
    from modelyard.registry.run_spec import TrainingSetRequest

Progress = Callable[[str, float], None]
"""Told what is being done, and which part of it all is done, from 0 to 1."""


def remarks_on(manifest: Manifest) -> tuple[str, ...]:
    """What the audits of a training set's sources and feature sets found and let pass, in words."""
    return tuple(
        f"{result['severity']}: {audit['place']}: {result['words']}"
        for audit in manifest.details["audits"]
        for result in audit["results"]
        if not result["success"]
    )


def build_training_set(
    request: TrainingSetRequest,
    *,
    engine: Engine,
    datasets: DatasetStore,
    registry: Registry | None = None,
    progress: Progress = lambda _what, _part: None,
) -> Manifest:
    """The training set of a request: the one that is published, or a new one.

    Partitions of feature sets that its labels need and that are missing are materialised first. If the process dies,
    nothing half is seen; the next call goes on from the partitions that are there. Two at once build the same.

    Args:
        request: What is asked for.
        engine: What computes.
        datasets: Where training sets and partitions are published.
        registry: Defines feature sets; without it the request's definitions count, of which every one is pinned.
        progress: Told how far it is.

    Returns:
        The manifest; `details` holds the `roles` of its columns, the share of nulls of each feature, and the audits.

    Raises:
        InvalidData: The sources' rows are not as expected, or no row of them is a label; or a pinned feature set is not
            defined as it is registered.
        NotFound: A feature set that is referred to has no version.
    """
    published = datasets.manifest(training_set_dataset(request.training_set), ALL)
    if published is not None:
        return published
    if registry is not None:
        request = _as_registered(request, registry)
    return _TrainingSet(request, _pins(request, registry), engine, datasets, progress).build()


def _as_registered(request: TrainingSetRequest, registry: Registry) -> TrainingSetRequest:
    """A request with the registry's definitions of feature sets: its own copies are whoever's that queued it.

    Raises:
        InvalidData: It pins a version, and defines the set otherwise.
        NotFound: A feature set has no version.
    """
    copies = request.definition.feature_sets
    pins = {pin.name: pin for pin in request.feature_sets}
    pins = {**find_pins([copy for name, copy in copies.items() if name not in pins], registry), **pins}
    sets = {name: pinned_definition(copy, pins[name], registry) for name, copy in copies.items()}
    return request.model_copy(update={"definition": request.definition.model_copy(update={"feature_sets": sets})})


def _pins(request: TrainingSetRequest, registry: Registry | None) -> dict[str, FeatureSetPin]:
    """The pins of the request, and those of what these feature sets refer to.

    Raises:
        NotFound: A feature set that is referred to has no version.
    """
    pins = {pin.name: pin for pin in request.feature_sets}
    missing = [one for one in ordered(tuple(request.definition.feature_sets.values())) if one.name not in pins]
    if missing and registry is None:
        reason = f"no version of the feature set `{missing[0].name}` is given"
        raise NotFound(reason, "name the registry that knows it")
    return {**(find_pins(missing, registry) if registry is not None else {}), **pins}


@dataclass(frozen=True)
class _TrainingSet:
    request: TrainingSetRequest
    pins: Mapping[str, FeatureSetPin]
    engine: Engine
    datasets: DatasetStore
    progress: Progress

    @property
    def definition(self) -> ModelDefinition:
        return self.request.definition

    def build(self) -> Manifest:
        features = features_of(self.definition)
        own = [name for one in features if isinstance(one, ColumnFeatures) and one.same_row for name in one.names]
        labels = LabelRows(self.request, own)
        self.progress("checking sources", 0.0)
        audits = self._audit(labels, features)
        days = self._days(labels, features)
        audits += self._materialise(features, days)
        self.progress("joining features to labels", 0.8)
        dataset = training_set_dataset(self.request.training_set)
        with self.datasets.stage(dataset) as staging:
            file = staging.path / "part-0.parquet"
            with self.engine.session(self._relations(labels, features, days), writable=staging.path) as session:
                labels.make(session)
                tables = join_features(session, LABELS, entity_of(self.definition), features)
                session.write(side_by_side(LABELS, _columns(labels, features), tables), file)
            details = self._details(labels, features, days, audits, file)
            return self.datasets.manifest(dataset, ALL) or staging.publish(ALL, details=details)

    def _audit(self, labels: LabelRows, features: Sequence[SetFeatures | ColumnFeatures]) -> list[AuditResult]:
        sources = {one.source.name: one.source for one in features if isinstance(one, ColumnFeatures)}
        sources[labels.source.name] = labels.source
        return [audit_source(source, self.engine) for source in sources.values()]

    def _days(self, labels: LabelRows, features: Sequence[SetFeatures | ColumnFeatures]) -> dict[str, tuple[date, ...]]:
        """The days of each feature set that labels need."""
        sets = [one for one in features if isinstance(one, SetFeatures)]
        with self.engine.session(self._relations(labels, (), {})) as session:
            labels.make(session)
            return {
                one.definition.name: grid_of(one.definition).days_of(instants_of(session, LABELS, one.definition))
                for one in sets
            }

    def _materialise(
        self, features: Sequence[SetFeatures | ColumnFeatures], days: Mapping[str, Sequence[date]]
    ) -> list[AuditResult]:
        done, total = 0, sum(map(len, days.values()))

        def tell(partitions: int) -> None:
            nonlocal done
            done += partitions
            self.progress("materialising features", 0.1 + 0.7 * min(done / total, 1))

        audits: list[AuditResult] = []
        for one in features:
            if isinstance(one, SetFeatures):
                wanted = days[one.definition.name]
                results = materialise(
                    one.definition, self.pins, wanted, engine=self.engine, datasets=self.datasets, progress=tell
                )
                audits += [audit for result in results for audit in result.audits]
        return audits

    def _relations(
        self,
        labels: LabelRows,
        features: Sequence[SetFeatures | ColumnFeatures],
        days: Mapping[str, Sequence[date]],
    ) -> dict[str, Relation]:
        found: dict[str, Relation] = {rows_relation(labels.source.name): SourceRows(labels.source)}
        for one in features:
            if isinstance(one, ColumnFeatures):
                found[rows_relation(one.source.name)] = SourceRows(one.source)
            elif days[one.definition.name]:
                manifests = manifests_of(self.pins[one.definition.name], days[one.definition.name], self.datasets)
                found[values_relation(one.definition.name)] = partition_rows(manifests, self.datasets)
        return found

    def _details(
        self,
        labels: LabelRows,
        features: Sequence[SetFeatures | ColumnFeatures],
        days: Mapping[str, Sequence[date]],
        audits: Sequence[AuditResult],
        file: Path,
    ) -> dict[str, Any]:
        kinds: dict[str, str] = {}
        for one in features:
            if isinstance(one, ColumnFeatures):
                kinds |= one.kinds
            else:
                first = manifests_of(self.pins[one.definition.name], days[one.definition.name][:1], self.datasets)[0]
                kinds |= {name: first.details["features"][name] for name in one.names}
        roles = {
            "entity": list(entity_of(self.definition)),
            "label": LABEL,
            "time": TIME if TIME in labels.columns else None,
            "weight": WEIGHT if WEIGHT in labels.columns else None,
            "group": GROUP if GROUP in labels.columns else None,
            "features": kinds,
        }
        return {
            "roles": roles,
            "null_rates": parquet.null_rates(file, list(kinds)),
            "as_of": self.request.as_of.isoformat(),
            "to": self.request.to.isoformat(),
            "feature_sets": [pin.model_dump(mode="json") for pin in self.request.feature_sets],
            "audits": [audit.content() for audit in audits if audit.results],
        }


def _columns(labels: LabelRows, features: Sequence[SetFeatures | ColumnFeatures]) -> str:
    """The columns of a training set, in order, as SQL."""
    keys = entity_of(labels.request.definition)
    return identifiers([*keys, *labels.columns, *(name for one in features for name in one.names)])
