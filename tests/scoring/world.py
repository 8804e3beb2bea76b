"""A small lender: events, people, a feature set with its partitions, and a model that scores the people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from modelyard.canonical import canonical_json
from modelyard.config.definitions import FeatureSetDefinition
from modelyard.datasets.filesystem import FilesystemDatasets
from modelyard.features.duckdb import DuckDBEngine
from modelyard.features.materialise import materialise
from modelyard.registry.records import FeatureSetPin
from modelyard.scoring.loading import load_for_batch
from tests.registries import Clock, open_registry
from tests.scoring.trained import loans, train
from tests.scoring.versions import apply
from tests.training import yard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from modelyard.registry.records import ModelVersion
    from modelyard.training.storage.stored import StoredModel

DAY = date(2026, 7, 1)
START = datetime(2026, 7, 1, tzinfo=UTC)
EVENTS = {"loan_id": "string", "at": "timestamp", "amount": "double", "channel": "string", "repeat": "boolean"}
PEOPLE = {"loan_id": "string", "active": "boolean"}
MODEL = "people"


def source(name: str, columns: dict[str, str], **more: Any) -> dict[str, Any]:
    """The content of a source of a Parquet file."""
    head = {"apiVersion": "modelyard/v1", "kind": "Source", "name": name, "format": "parquet"}
    return {**head, "path": f"{name}.parquet", "columns": columns, **more}


HISTORY = {
    "document": {
        "apiVersion": "modelyard/v1",
        "kind": "FeatureSet",
        "name": "history",
        "entity": "loan_id",
        "source": "events",
        "aggregations": [
            {"name": "amount", "of": "amount", "how": "sum", "window": "30d"},
            {"name": "channel", "of": "channel", "how": "last", "window": "30d"},
            {"name": "repeat", "of": "repeat", "how": "last", "window": "30d"},
        ],
        "ttl": "2d",
    },
    "sources": {"events": source("events", EVENTS, timestamp="at")},
}


def definition(where: str | None = "active", **document: Any) -> dict[str, Any]:
    """The content of a model over `history` that scores the active people."""
    population = {"source": "people", "entity": "loan_id", **({"where": where} if where else {})}
    data = {"labels": {"source": "loans", "entity": "loan_id", "label": "outcome"}, "features": ["history"]}
    scoring = {"schedule": "0 4 * * *", "population": population}
    content = loans(MODEL, **{"data": data, "scoring": scoring, **document})
    sources = {**content["sources"], "loans": source("loans", yard.TYPES), "people": source("people", PEOPLE)}
    return {**content, "sources": sources, "feature_sets": {"history": HISTORY}}


def write_events(folder: Path, people: int, seed: int = 0) -> None:
    """An event of each person but every tenth."""
    random = np.random.default_rng(seed)
    who = [f"L{number:06}" for number in range(people) if number % 10]
    ages = random.uniform(0.1, 20, len(who))
    table = pa.table({
        "loan_id": who,
        "at": pa.array([START - timedelta(days=age) for age in ages], pa.timestamp("us", "UTC")),
        "amount": random.normal(100, 30, len(who)),
        "channel": random.choice(["ussd", "app"], len(who)),
        "repeat": random.random(len(who)) < 0.5,
    })  # fmt: skip
    pq.write_table(table, folder / "events.parquet")


def write_people(folder: Path, people: int, inactive: int = 3) -> None:
    """Everybody, all active but the first few."""
    who = [f"L{number:06}" for number in range(people)]
    active = [number >= inactive for number in range(people)]
    pq.write_table(
        pa.table({"loan_id": pa.array(who, pa.string()), "active": pa.array(active, pa.bool_())}),
        folder / "people.parquet",
    )


@dataclass
class World:
    """All that a day's score needs."""

    folder: Path
    clock: Clock
    registry: LocalRegistry
    datasets: FilesystemDatasets
    engine: DuckDBEngine

    @property
    def load(self) -> Callable[[ModelVersion], StoredModel]:
        """Loads a version as batches do."""
        return partial(load_for_batch, self.registry, cache=self.folder / "cache", threads=1)

    def train(self, content: dict[str, Any], attempt: int = 1, *, live: bool = True) -> int:
        """Train a version; live from now on unless said."""
        version = self.registry.feature_set("history")
        pin = FeatureSetPin(name="history", version=version.number, digest=version.digest)
        number = train(self.registry, self.folder / "runs", content, feature_sets=[pin], attempt=attempt)
        if live:
            name = content["document"]["name"]
            self.registry.promote(name, number, live_from=self.clock.pass_(seconds=1))
        return number

    def materialise(self, day: date = DAY, *, force: bool = False) -> None:
        """Publish a day of `history`."""
        version = self.registry.feature_set("history")
        pins = {"history": FeatureSetPin(name="history", version=version.number, digest=version.digest)}
        content = FeatureSetDefinition.model_validate_json(canonical_json(version.definition))
        materialise(content, pins, [day], engine=self.engine, datasets=self.datasets, force=force)


def open_world(folder: Path, clock: Clock | None = None) -> World:
    """The world in a folder."""
    clock = clock or Clock(START - timedelta(hours=12))
    engine = DuckDBEngine(folder, folder / "scratch", threads=2)
    return World(folder, clock, open_registry(folder, clock), FilesystemDatasets(folder / "datasets"), engine)


def make_world(folder: Path, people: int = 40, **document: Any) -> World:
    """A world with its files, its feature set, and the model applied; nothing trained or materialised."""
    world = open_world(folder)
    write_events(folder, people)
    write_people(folder, people)
    world.registry.register_feature_set(HISTORY, project="tests", lineage={})
    apply(world.registry, definition(**document))
    return world
