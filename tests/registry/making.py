"""What the registry's tests are made of: definitions, claims, files."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from modelyard.config.definitions import ModelDefinition
from modelyard.registry.records import Artifact, Estimate, FeatureSetPin, Pins, Run, RunState, VersionClaim
from modelyard.registry.rules.base import utc_now
from modelyard.registry.run_spec import RunSpec, read_run_spec
from modelyard.registry.transfer import register_version
from tests.registries import NOON, open_registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from modelyard.registry.records import Event, ModelRecord, ModelVersion
    from modelyard.registry.registry import Registry

DAY = timedelta(days=1)
DIGEST = "a" * 64
PINS = Pins(config=DIGEST, code=DIGEST, environment=DIGEST, training_set=DIGEST)
BODY = b'{"weights": [0.25, -1.5]}'
FILES = {"model.json": BODY}


def open_local(home: Path, clock: Callable[[], datetime] = utc_now) -> LocalRegistry:
    """A registry in a folder, in which Amina acts."""
    return open_registry(home, clock, actor="amina")


def source(name: str = "loans", **columns: str) -> dict[str, Any]:
    """A source's document."""
    return {
        "apiVersion": "modelyard/v1",
        "kind": "Source",
        "name": name,
        "format": "csv",
        "path": f"data/{name}.csv",
        "columns": {"id": "string", "label": "integer", **columns},
    }


def feature_set(
    name: str = "history", *, window: str = "30d", refs: Mapping[str, Any] | None = None, **document: Any
) -> dict[str, Any]:
    """A feature set's definition."""
    aggregation = {"name": f"{name}_total", "of": "amount", "how": "sum", "window": window}
    content: dict[str, Any] = {
        "document": {
            "apiVersion": "modelyard/v1",
            "kind": "FeatureSet",
            "name": name,
            "owner": "credit-ke",
            "entity": "id",
            "source": "transactions",
            "aggregations": [aggregation],
            **document,
        },
        "sources": {"transactions": source("transactions", amount="double")},
    }
    return {**content, "refs": dict(refs)} if refs else content


def definition(name: str = "ke", **document: Any) -> dict[str, Any]:
    """A model's definition."""
    pipeline = [{"use": "sklearn.linear_model.LogisticRegression"}]
    sets = document.pop("feature_sets", {})
    return {
        "document": {
            "apiVersion": "modelyard/v1",
            "kind": "Model",
            "name": name,
            "owner": "credit-ke",
            "task": "binary_classification",
            "data": {
                "labels": {"source": "loans", "entity": "id", "label": "label"},
                "features": [*sets, {"source": "loans"}],
            },
            "pipeline": pipeline,
            **document,
        },
        "pipeline": pipeline,
        "sources": {"loans": source()},
        **({"feature_sets": sets} if sets else {}),
    }


def apply(registry: Registry, name: str = "ke", **document: Any) -> ModelRecord:
    """Create a model, or revise it."""
    page = registry.models(limit=1000)
    revision = {model.name: model.revision for model in page.items}.get(name, 0)
    return registry.apply_model(definition(name, **document), project="lender", expected_revision=revision)


def apply_with_run(registry: Registry, run: Run) -> ModelRecord:
    """Apply the usual definition of a run's model, and queue the run with it."""
    revision = registry.model(run.model).revision
    return registry.apply_model(definition(run.model), project="lender", expected_revision=revision, run=run)


def artifact(path: str, content: bytes) -> Artifact:
    """What is claimed of a file."""
    return Artifact(path=path, size=len(content), sha256=hashlib.sha256(content).hexdigest())


def claim_of(
    key: str = "key", model: str = "ke", files: Mapping[str, bytes] = FILES, *, request: str = DIGEST, sets: int = 0
) -> VersionClaim:
    """A claim of files."""
    pinned = tuple(FeatureSetPin(name=f"set_{number}", version=1, digest=DIGEST) for number in range(sets))
    return VersionClaim(
        model=model,
        key=key,
        request=request,
        pins=PINS.model_copy(update={"feature_sets": pinned}),
        metrics={"roc_auc": Estimate(value=0.74, low=0.72, high=0.76)},
        artifacts=tuple(artifact(path, content) for path, content in files.items()),
    )


def claim_of_run(run: Run, files: Mapping[str, bytes] = FILES) -> VersionClaim:
    """A claim of what a run was asked to make."""
    spec = read_run_spec(run)
    pins = PINS.model_copy(update={"config": spec.config, "feature_sets": spec.feature_sets})
    said = {"run": run.id, "attempt": run.attempt, "pins": pins}
    return claim_of(run.id, run.model, files, request=run.request).model_copy(update=said)


def write_files(folder: Path, files: Mapping[str, bytes] = FILES) -> Path:
    """A folder with files in it."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def register(registry: Registry, folder: Path, key: str = "key", model: str = "ke", **claim: Any) -> ModelVersion:
    """A READY version of the usual files."""
    return register_version(registry, claim_of(key, model, **claim), write_files(folder / "made"))


def spec_of(applied: Mapping[str, Any], **fields: Any) -> RunSpec:
    """What a run of a definition is asked to make: with the first version of each feature set, unless said."""
    read = ModelDefinition.model_validate_json(json.dumps(applied))
    pins = tuple(FeatureSetPin(name=name, version=1, digest=one.digest) for name, one in read.feature_sets.items())
    usual = {"as_of": datetime(2026, 11, 20, tzinfo=UTC), "to": date(2026, 11, 20), "feature_sets": pins}
    return RunSpec(definition=read, **{**usual, "code": DIGEST, "environment": DIGEST, **fields})


def flip_byte(path: Path) -> None:
    """What a rotten disk does to a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()  # it may be another's by another name
    path.write_bytes(content)


def run_of(model: str = "ke", attempt: int = 1, *, spec: RunSpec | None = None, **fields: Any) -> Run:
    """A queued run, of the usual definition unless said."""
    spec = spec or spec_of(definition(model))
    return Run(
        id=spec.run_id(attempt),
        model=model,
        project="lender",
        team="credit-ke",
        request=spec.request,
        attempt=attempt,
        spec=spec.content(),
        state=RunState.QUEUED,
        created_at=NOON,
        created_by="amina",
        authors=("amina",),
        **fields,
    )


def begin(registry: Registry, run: Run) -> Run:
    """A run at its first try; who acts may queue it and move it."""
    queued = registry.queue_run(run)
    return registry.update_run(queued.model_copy(update={"state": RunState.TRAINING, "tries": 1}))


def all_changes(registry: Registry) -> list[Event]:
    """Everything that happened, the oldest of each subject first."""
    page = registry.changes(limit=1000)
    return [*page.items]


def register_by_run(local: LocalRegistry, run: Run, folder: Path) -> ModelVersion:
    """The version that a run makes."""
    registry = local.acting_as("trainer", operator=False, run=run.id)
    return register_version(registry, claim_of_run(begin(local, run)), write_files(folder / "made"))
