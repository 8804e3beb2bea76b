"""One training run, from its task to a registered version.

It reads the training set, fits, evaluates, checks the gates, stores the model and registers the version. If it dies
anywhere, no version is seen: what was claimed and not completed is swept, and another try registers under the same key.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from modelyard.config.bundles import bundle_name
from modelyard.registry.records import Artifact, Outcome, Pins, VersionClaim
from modelyard.training.bundles import import_bundle
from modelyard.training.identity import this_platform
from modelyard.training.job import tell

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from modelyard.registry.records import Estimate, ModelVersion
    from modelyard.registry.registry import Registry
    from modelyard.training.rows import Rows
    from modelyard.training.storage.stored import StoredModel
    from modelyard.training.tasks import TrainTask
    from modelyard.training.trainer import Judged


def run_task(task: TrainTask, registry: Registry, folder: Path) -> Outcome:
    """Train, judge and register.

    Args:
        task: What to do.
        registry: Where the live version comes from and the new one goes.
        folder: A folder of this run's own.

    Raises:
        ModelyardError: It can't be done; the class says whether trying again can help.
    """
    made = _made_before(task, registry)
    if made is not None:
        return Outcome(ok=True, version=made.number, metrics=made.metrics)
    tell("loading libraries", 0.0)
    from modelyard.training.rows import read_rows
    from modelyard.training.trainer import check_gates, train

    definition = task.spec.definition
    bundles = {module: registry.read_bundle(pinned) for module, pinned in definition.bundles.items()}
    packages = {module: import_bundle(content, definition.bundles[module]) for module, content in bundles.items()}
    rows = read_rows(task, folder / "training_set")
    tell(f"read {len(rows.label):,} rows", 0.1)
    judged = train(definition, rows, {bundle_name(module): package for module, package in packages.items()}, tell)
    missed = check_gates(definition, rows, judged, lambda: _live(task, registry, folder / "cache"))
    if missed:
        reason = f"not registered: {'; '.join(missed)}"
        return Outcome(ok=False, permanent=True, reason=reason, metrics=judged.metrics)
    if not task.register_version:
        return Outcome(ok=True, metrics=judged.metrics)
    tell("storing", 0.85)
    version = _register(task, registry, _files(rows, judged, packages, bundles), judged.metrics, folder / "version")
    tell(f"registered version {version.number}", 1.0)
    return Outcome(ok=True, version=version.number, metrics=judged.metrics)


def _made_before(task: TrainTask, registry: Registry) -> ModelVersion | None:
    """The version of this very run, where a try before this one got as far as that, or one beside it was faster."""
    if not task.register_version:
        return None
    found = registry.find_version(task.spec.definition.name, task.spec.request)
    return found if found is not None and found.run == task.run else None


def _live(task: TrainTask, registry: Registry, cache: Path) -> StoredModel | None:
    from modelyard.training.storage.stored import load_version

    name = task.spec.definition.name
    live = registry.live(name, datetime.now(UTC))
    # A training process may import project code: it holds nothing but its own data.
    return None if live is None else load_version(registry, name, live.number, cache, allow_bundles=True)


def _files(rows: Rows, judged: Judged, packages: Mapping[str, str], bundles: Mapping[str, bytes]) -> dict[str, bytes]:
    from modelyard.training.storage.stored import store
    from modelyard.training.trainer import predictions_table

    golden_from = rows.table.take(judged.held_out.positions)
    files = store(judged.model, golden_from, packages, bundles)
    files["held_out.parquet"] = _parquet(predictions_table(rows, judged.held_out))
    if judged.out_of_fold is not None and judged.out_of_fold is not judged.held_out:
        files["out_of_fold.parquet"] = _parquet(predictions_table(rows, judged.out_of_fold))
    return files


def _parquet(table: Any) -> bytes:
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _register(
    task: TrainTask, registry: Registry, files: Mapping[str, bytes], metrics: dict[str, Estimate], folder: Path
) -> ModelVersion:
    from modelyard.canonical import file_digest
    from modelyard.registry.transfer import register_version

    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    spec, platform = task.spec, this_platform()
    claim = VersionClaim(
        model=spec.definition.name,
        key=task.run,
        run=task.run,
        request=spec.request,
        attempt=int(task.run.rpartition("-")[2]),
        pins=Pins(
            config=spec.config,
            # Those of this process, file by file, whatever the request says of where it was to be.
            code=platform.code(spec.definition.bundles),
            environment=platform.environment,
            training_set=task.training_set_content,
            feature_sets=spec.feature_sets,
        ),
        metrics=metrics,
        artifacts=tuple(
            Artifact(path=name, size=len(content), sha256=file_digest(folder / name)) for name, content in files.items()
        ),
    )
    return register_version(registry, claim, folder)
