"""A day's predictions of a model: its population, scored, audited, and published as one partition.

Nothing is seen before it is whole, and what is there already is not made again: readers find the old partition or the
new one, whoever is killed when, and however many do the same at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.canonical import digest
from modelyard.datasets.names import predictions_dataset
from modelyard.errors import InvalidData, NotFound
from modelyard.features.scoring_rows import scoring_rows
from modelyard.local_days import day_start
from modelyard.registry.records import VersionState
from modelyard.scoring.audit import audit_predictions
from modelyard.scoring.definitions import current_definition, scored_definition
from modelyard.scoring.predictions import check_names
from modelyard.scoring.writing import Head, Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime

    from modelyard.config.definitions import ModelDefinition
    from modelyard.datasets.store import DatasetStore, Manifest
    from modelyard.features.engine import Engine
    from modelyard.features.scoring_rows import ScoringRows
    from modelyard.registry.records import ModelRecord, ModelVersion
    from modelyard.registry.registry import Registry
    from modelyard.training.storage.stored import StoredModel

    Progress = Callable[[int, int], None]
    """Told how many rows are scored, of how many."""

ROWS_AT_ONCE = 262_144
"""Rows that are predicted together: with a quarter of them a forest is 6 % slower, with all rows it is no faster."""


@dataclass(frozen=True)
class Target:
    """What is to be scored."""

    version: ModelVersion
    definition: ModelDefinition
    """The version's, run as the model is run today."""
    day: date

    @property
    def dataset(self) -> str:
        """The dataset of the predictions."""
        return predictions_dataset(self.version.model, self.version.number)

    @property
    def moment(self) -> datetime:
        """The instant as of which features are known."""
        return day_start(self.day, self.definition.timezone)


@dataclass(frozen=True)
class ScoreResult:
    """A day's predictions."""

    manifest: Manifest
    """The published partition; its details hold the model, the version, the audit and the prediction's mean."""
    existed: bool
    """Whether it was there already, made from the same."""
    files: tuple[str, ...]
    """Where it lies."""


def find_target(registry: Registry, model: str, day: date, version: int | None = None) -> Target:
    """The version that scores a day, and how.

    Args:
        registry: Where versions are recorded.
        model: The model.
        day: The partition, in the model's timezone.
        version: The version; the one that is live as the day begins unless said.

    Raises:
        NotFound: There is no such model or version, or none is live then.
        InvalidData: The model does not say whom it scores.
    """
    record = registry.model(model)
    _check_scoring(record)
    found = _live(registry, record, day) if version is None else registry.version(model, version)
    if found.state is VersionState.DELETED:
        reason = f"version {found.number} of `{model}` is deleted"
        raise NotFound(reason, "its record stays for the history; its files are gone")
    return Target(found, scored_definition(registry, record, found), day)


def score_partition(
    target: Target,
    load: Callable[[ModelVersion], StoredModel],
    datasets: DatasetStore,
    engine: Engine,
    *,
    progress: Progress | None = None,
) -> ScoreResult:
    """Score a day, unless that was done before with the same version, features and population.

    If the process dies, the old partition stays as it was, or there is none. Two at once publish the same rows.

    Args:
        target: What is to be scored.
        load: From a version to what predicts; called where there is something to do.
        datasets: Where features are, and where predictions go.
        engine: What joins features to the population.
        progress: Told as rows are scored.

    Raises:
        NotFound: A feature set that the version pins has no partition for the day.
        IntegrityError: The version's files are not what was registered.
        InvalidData: A row can't be scored, or the predictions do not pass their audit; nothing is published then.
    """
    pins = {pin.name: pin for pin in target.version.pins.feature_sets}
    opened = scoring_rows(target.definition, pins, target.day, engine=engine, datasets=datasets, batch=ROWS_AT_ONCE)
    with opened as rows:
        identity = _identity(target, rows)
        if found := _published(target, datasets, identity):
            return ScoreResult(found, existed=True, files=tuple(datasets.files(found)))
        stored = load(target.version)
        check_names(stored.classes, rows.entity)
        with datasets.stage(target.dataset) as staging:
            file = staging.path / "part-0.parquet"
            head = Head(target.version.model, target.version.number, rows.as_of)
            with Writer(file, rows.schema, stored, rows.entity, head) as writer:
                for batch in rows.batches:
                    writer.write(batch)
                    if progress is not None:
                        progress(writer.rows, rows.rows)
            audit = audit_predictions(file, stored.manifest, rows.entity, rows.rows, engine)
            details = {**_details(target, rows, identity), "audit": audit.content()}
            # Somebody else may have been faster: what he published is as good, and stays.
            found = _published(target, datasets, identity)
            manifest = found or staging.publish(target.day.isoformat(), details=details)
    return ScoreResult(manifest, existed=found is not None, files=tuple(datasets.files(manifest)))


def _check_scoring(record: ModelRecord) -> None:
    if current_definition(record).document.scoring is None:
        reason = f"`{record.name}` does not say whom it scores"
        example = 'scoring: {schedule: "0 4 * * *", population: {source: SOURCE, entity: ENTITY}}'
        raise InvalidData(reason, f"add to its document, and apply it: {example}")


def _live(registry: Registry, record: ModelRecord, day: date) -> ModelVersion:
    moment = day_start(day, record.timezone)
    live = registry.live(record.name, moment)
    if live is None:
        reason = f"no version of `{record.name}` is live at {moment.isoformat()}, when {day} begins there"
        raise NotFound(reason, "name one: --version NUMBER, or --version latest")
    return live


def _identity(target: Target, rows: ScoringRows) -> str:
    """The digest of everything that decides a partition's rows."""
    version = target.version
    artifacts = sorted((artifact.path, artifact.sha256) for artifact in version.artifacts)
    return digest({"model": version.model, "version": version.number, "artifacts": artifacts, "rows": rows.digest})


def _published(target: Target, datasets: DatasetStore, identity: str) -> Manifest | None:
    """The published partition, if it was made from the same."""
    manifest = datasets.manifest(target.dataset, target.day.isoformat())
    return manifest if manifest is not None and manifest.details.get("identity") == identity else None


def _details(target: Target, rows: ScoringRows, identity: str) -> dict[str, Any]:
    return {
        "model": target.version.model,
        "version": target.version.number,
        "as_of": rows.as_of.isoformat(),
        "entity": list(rows.entity),
        "feature_sets": [pin.model_dump(mode="json") for pin in target.version.pins.feature_sets],
        "identity": identity,
    }
