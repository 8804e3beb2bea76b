"""What every registry promises of what lies in its artifact store, where that is S3; records lie in SQLite.

The tests are those of the contract; their registry is another one here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.registry.home import RegistryHome
from modelyard.registry.local import LocalRegistry
from modelyard.registry.s3 import S3Artifacts
from tests.buckets import new_bucket
from tests.registry import test_contract_bundles, test_contract_runs, test_contract_versions
from tests.registry.making import apply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.registry.registry import Registry
    from tests.registries import Clock

pytestmark = pytest.mark.server

_BY_HAND = ("test_a_download_is_whole_and_verified",)
"""Tests that change the files of a folder."""

for _module in (test_contract_bundles, test_contract_runs, test_contract_versions):
    for _name, _test in vars(_module).items():
        if _name.startswith("test_") and _name not in _BY_HAND:
            globals()[_name] = _test


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from new_bucket(monkeypatch)


@pytest.fixture
def local(tmp_path: Path, clock: Clock, bucket: str) -> LocalRegistry:
    metadata = RegistryHome(tmp_path / "home").metadata()
    return LocalRegistry(metadata, S3Artifacts(bucket), actor="amina", clock=clock)


@pytest.fixture(autouse=True)
def _model(registry: Registry) -> None:
    apply(registry)
