"""The registry in process, on SQLite and on DynamoDB, beside MLflow's client on its SQL store.

    TEST_DYNAMODB_URL=http://127.0.0.1:8000 python -m bench.registry

A model with a hundred versions and one with a hundred thousand: create a version, read the latest, read the first
page of a hundred. Ours creates whole: it claims, writes a file, verifies it and completes; MLflow's only writes the
record. MLflow is installed into an environment of its own, `build/mlflow`. Without an address of DynamoDB, SQLite alone
is measured. DynamoDB Local does not say how quick DynamoDB is: it says that nothing grows with the versions.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from bench.report import Row, print_rows
from modelyard.registry.filesystem import FilesystemArtifacts
from modelyard.registry.layouts import encode
from modelyard.registry.local import LocalRegistry
from modelyard.registry.records import Artifact, Estimate, ModelVersion, Pins, VersionClaim, VersionState
from modelyard.registry.rules.base import utc_now
from modelyard.registry.sqlite import SqliteMetadata
from modelyard.registry.sqlite.tables import micros
from modelyard.registry.transfer import register_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelyard.registry.dynamodb import DynamoMetadata
    from modelyard.registry.dynamodb.writes import Item

T = TypeVar("T")

MLFLOW = "mlflow==3.17.0"
PYTHON = Path(__file__).parents[1] / "build" / "mlflow" / "bin" / "python"
PEER = Path(__file__).parent / "peers" / "mlflow_registry.py"

FEW, MANY = 100, 100_000
TOGETHER = 100  # items of one transaction, as DynamoDB has it
ROUNDS, CALLS = 4, 20
"""The fastest of so many rounds of so many calls counts: other work on the machine disturbs it least."""

TIMES_OF_MLFLOW = {"create": 3, "latest": 10, "page": 10}
GROWTH = 1.5
"""What a call may take with many versions, as a multiple of what it takes with few."""

WORK = {"create": "create a version", "latest": "read the latest", "page": "first page of 100"}
DIGEST = "a" * 64
BODY = b'{"weights": [0.25, -1.5]}'
Seconds = dict[str, float]


def run() -> list[Row]:
    """Measure all of it in one run."""
    install_mlflow()
    peer = _at_both(mlflow)
    ours = {"SQLite": _at_both(sqlite)}
    if "TEST_DYNAMODB_URL" in os.environ:
        ours["DynamoDB Local"] = _at_both(dynamodb)
    else:
        print("The registry on DynamoDB is not measured: TEST_DYNAMODB_URL names none")
    rows = [
        Row(
            f"{WORK[call]}, {versions:,} versions",
            f"SQLite {_ms(ours['SQLite'][versions][call])}",
            f"MLflow {_ms(found[call])}",
            found[call] / ours["SQLite"][versions][call],
            target,
            more_is_better=True,
        )
        for versions, found in peer.items()
        for call, target in TIMES_OF_MLFLOW.items()
    ]
    return rows + [row for store, found in ours.items() for row in _growth(store, found, peer[MANY])]


def _at_both(measure: Callable[[int], Seconds]) -> dict[int, Seconds]:
    found = {}
    for versions in (FEW, MANY):
        found[versions] = measure(versions)
        told = ", ".join(f"{call} {_ms(seconds)}" for call, seconds in found[versions].items())
        print(f"  {measure.__name__}, {versions:,} versions: {told}", file=sys.stderr)
    return found


def _growth(store: str, found: dict[int, Seconds], peer: Seconds) -> Iterator[Row]:
    for call, work in WORK.items():
        few, many = found[FEW][call], found[MANY][call]
        beside = f"{FEW:,} {_ms(few)}; MLflow {_ms(peer[call])}"
        yield Row(f"{work}, {MANY:,} versions on {store}", _ms(many), beside, many / few, GROWTH)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"


def install_mlflow() -> None:
    """Make MLflow's environment, if it is not there."""
    if not PYTHON.exists():
        uv = str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "-q", PYTHON.parents[1], "--python", sys.executable], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", PYTHON, MLFLOW], check=True)


def mlflow(versions: int) -> Seconds:
    """What MLflow takes."""
    with tempfile.TemporaryDirectory() as folder:
        words = [str(PYTHON), str(PEER), folder, str(versions), str(ROUNDS), str(CALLS)]
        answer = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    found: Seconds = json.loads(answer.stdout)
    return found


def sqlite(versions: int) -> Seconds:
    """What ours takes on SQLite."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        metadata = SqliteMetadata(folder / "registry.db")
        registry = LocalRegistry(metadata, FilesystemArtifacts(folder / "artifacts"), actor="bench")
        begin(registry)
        with metadata._database.writing() as connection:
            rows = (
                ("ke", one.number, one.state, one.request, micros(one.created_at), *encode(one))
                for one in copies(versions)
            )
            connection.executemany(
                """INSERT INTO version (model, number, state, request, since, layout, body)
                VALUES (?, ?, ?, ?, ?, ?, ?)""",
                rows,
            )
            connection.execute("UPDATE model_head SET counter = ?, latest = ?", (versions, versions))
        found = measured(registry, folder)
        metadata.close()
    return found


def dynamodb(versions: int) -> Seconds:
    """What ours takes on DynamoDB Local."""
    from modelyard.registry.dynamodb import DynamoMetadata
    from modelyard.registry.dynamodb.creation import create_table

    os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = os.environ["TEST_DYNAMODB_URL"]
    table = f"modelyard-bench-{uuid4().hex}"
    create_table(table)
    metadata = DynamoMetadata(table)
    try:
        with tempfile.TemporaryDirectory() as name:
            registry = LocalRegistry(metadata, FilesystemArtifacts(Path(name) / "artifacts"), actor="bench")
            begin(registry)
            load_dynamodb(metadata, versions)
            return measured(registry, Path(name))
    finally:
        metadata._table.client.delete_table(TableName=table)


def load_dynamodb(metadata: DynamoMetadata, versions: int) -> None:
    """Write versions, and the head that knows of them."""
    from modelyard.registry.dynamodb.base import stored
    from modelyard.registry.dynamodb.heads import head_key
    from modelyard.registry.dynamodb.versions import version_key
    from modelyard.registry.dynamodb.writes import Write, put

    def write(some: list[ModelVersion]) -> None:
        state: Item = {"state": VersionState.READY.value, "approved": False}
        writes = [put(version_key("ke", one.number), {**state, **stored(one)}) for one in some]
        metadata._table.transact(lambda: writes)

    for some in batched(copies(versions), TOGETHER):  # one commit for many: quicker than batches are
        write(some)
    head = {"counter": versions, "latest": versions, "moves": versions}
    metadata._table.update(Write("Update", head_key("ke"), head))


def batched(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """The items, so many at a time."""
    while some := list(islice(items, size)):
        yield some


def begin(registry: LocalRegistry) -> None:
    """A model."""
    source = {"apiVersion": "modelyard/v1", "kind": "Source", "name": "loans", "format": "csv", "path": "loans.csv"}
    pipeline = [{"use": "sklearn.linear_model.LogisticRegression"}]
    document = {
        "apiVersion": "modelyard/v1",
        "kind": "Model",
        "name": "ke",
        "owner": "bench",
        "task": "binary_classification",
        "data": {"labels": {"source": "loans", "entity": "id", "label": "label"}, "features": [{"source": "loans"}]},
        "pipeline": pipeline,
    }
    loans = {**source, "columns": {"id": "string", "label": "integer"}}
    definition = {"document": document, "pipeline": pipeline, "sources": {"loans": loans}}
    registry.apply_model(definition, project="bench", expected_revision=0)


def copies(versions: int) -> Iterator[ModelVersion]:
    """READY versions, as they are recorded."""
    for number in range(1, versions + 1):
        yield ModelVersion(
            **dict(claim(f"copy {number}")),
            team="bench",
            number=number,
            state=VersionState.READY,
            location=f"models/bench/ke/{number}-{DIGEST[:32]}",
            created_at=utc_now(),
            created_by="bench",
            ready_at=utc_now(),
        )


def claim(key: str) -> VersionClaim:
    """A claim of one small file."""
    import hashlib

    return VersionClaim(
        model="ke",
        key=key,
        request=DIGEST,
        pins=Pins(config=DIGEST, code=DIGEST, environment=DIGEST, training_set=DIGEST),
        metrics={"roc_auc": Estimate(value=0.74, low=0.72, high=0.76)},
        artifacts=(Artifact(path="model.json", size=len(BODY), sha256=hashlib.sha256(BODY).hexdigest()),),
    )


def measured(registry: LocalRegistry, folder: Path) -> Seconds:
    """The seconds of one call of each kind."""
    (folder / "made").mkdir()
    (folder / "made" / "model.json").write_bytes(BODY)
    calls: dict[str, Callable[[], object]] = {
        "page": lambda: registry.versions("ke", limit=100),
        "latest": lambda: registry.latest("ke"),
        "create": lambda: register_version(registry, claim(uuid4().hex), folder / "made"),
    }
    return {name: fastest(call) for name, call in calls.items()}


def fastest(call: Callable[[], object]) -> float:
    """The seconds of one call, in the fastest round."""
    call()
    rounds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for _ in range(CALLS):
            call()
        rounds.append((time.perf_counter() - begun) / CALLS)
    return min(rounds)


if __name__ == "__main__":
    print_rows(run())
