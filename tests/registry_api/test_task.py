"""What the pod of a run is handed: its own training set by URL, and nothing where it does not train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pyarrow.parquet as pq
import pytest

from modelyard.datasets.filesystem import FilesystemDatasets
from modelyard.datasets.s3 import S3Datasets
from modelyard.errors import Conflict, NotFound
from modelyard.filecache import FileCache
from modelyard.registry.http import HttpRegistry
from modelyard.registry.records import RunState
from modelyard.training.fetching import local_file
from modelyard.training.requests import plan_run
from modelyard.training.tasks import TrainTask
from tests.buckets import new_bucket
from tests.registries import open_registry, serving
from tests.training import yard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.datasets.store import DatasetStore
    from modelyard.registry.local import LocalRegistry
    from modelyard.registry.records import Run


@pytest.fixture
def registry(tmp_path: Path) -> LocalRegistry:
    return open_registry(tmp_path / "home")


@pytest.fixture
def run(registry: LocalRegistry) -> Run:
    """A queued run."""
    made = yard.definition()
    planned = plan_run(registry, yard.spec(made), project="tests", actor="tests")
    registry.apply_model(made.content(), project="tests", expected_revision=0, run=planned)
    return planned


def asked(registry: LocalRegistry, datasets: DatasetStore | None, run: Run) -> bytes:
    """What a service over a registry answers."""
    with serving(registry, datasets=datasets) as service:
        client = HttpRegistry(service.url)
        try:
            return client.run_task(run.id)
        finally:
            client.close()


def trains(registry: LocalRegistry, run: Run) -> None:
    registry.update_run(registry.run(run.id).model_copy(update={"state": RunState.TRAINING, "tries": 1}))


def publish(datasets: DatasetStore, name: str, rows: int) -> None:
    with datasets.stage(f"training_sets/{name}") as staging:
        pq.write_table(yard.table(rows), staging.path / "rows.parquet")
        staging.publish("all", details={"roles": yard.roles(), "audits": []})


def test_a_run_that_does_not_train_has_no_task(registry: LocalRegistry, run: Run, tmp_path: Path) -> None:
    datasets = FilesystemDatasets(tmp_path / "datasets")
    with pytest.raises(Conflict, match="nothing to train"):
        asked(registry, datasets, run)
    trains(registry, run)
    with pytest.raises(NotFound, match="is gone"):
        asked(registry, datasets, run)
    with pytest.raises(NotFound, match="no datasets"):
        asked(registry, None, run)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from new_bucket(monkeypatch)


@pytest.mark.server
def test_the_urls_of_a_task_open_its_training_set_and_nothing_else(
    registry: LocalRegistry, run: Run, bucket: str, tmp_path: Path
) -> None:
    datasets = S3Datasets(bucket, "data", cache=FileCache(tmp_path / "cache"), scratch=tmp_path / "staging")
    wanted = yard.spec(yard.definition())
    publish(datasets, wanted.training_set, 30)
    publish(datasets, "another", 7)
    trains(registry, run)
    task = TrainTask.model_validate_json(asked(registry, datasets, run))
    assert (task.run, task.spec, task.registry) == (run.id, wanted, "")
    (file,) = task.files
    assert pq.read_table(local_file(file, tmp_path / "pod")).num_rows == 30
    (other,) = datasets.files(_manifest(datasets))
    for changed in (
        file.place.replace(urlsplit(file.place).path, f"/{bucket}/data/training_sets/another"),
        file.place.replace(urlsplit(file.place).path, f"/{bucket}"),
        file.place.partition("?")[0],
        file.place.replace(urlsplit(file.place).path, f"/{bucket}/{other.rpartition(bucket + '/')[2]}"),
    ):
        assert httpx.get(changed).status_code == 403
    assert httpx.put(file.place, content=b"x").status_code == 403, "they read, and do not write"
    assert httpx.delete(file.place).status_code == 403


def _manifest(datasets: DatasetStore) -> Any:
    return datasets.manifest("training_sets/another", "all")
