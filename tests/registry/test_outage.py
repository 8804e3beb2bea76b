"""The registry's stores stop in the middle of sixteen uploads and come back: what was acknowledged is there, and whole.

The commands that stop and start them are the operator's: TEST_STOP_STORES and TEST_START_STORES.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from modelyard.errors import Unavailable
from modelyard.registry.audit import verify
from modelyard.registry.http import HttpRegistry
from modelyard.registry.integrity import damages
from modelyard.registry.local import LocalRegistry
from modelyard.registry.pages import every
from modelyard.registry.records import VersionState
from modelyard.registry.s3 import S3Artifacts
from modelyard.registry.transfer import register_version
from tests.buckets import new_bucket
from tests.registries import serving
from tests.registry.making import apply, claim_of, write_files
from tests.registry.places import Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.server

CREATORS = 16
OUTAGE = 5.0  # seconds
PATIENCE = 180.0  # seconds until a creator gives up: the stores are back long before
FILES = {"model.json": b'{"weights": [' + b"0.25, " * 50_000 + b"1]}", "card.md": b"# Card\n"}


def command(variable: str) -> str:
    """The shell command that a variable holds; the test fails where there is none."""
    found = os.environ.get(variable)
    if not found:
        pytest.fail(
            f"{variable} holds no command: export TEST_STOP_STORES and TEST_START_STORES, which stop and start "
            "DynamoDB and S3 with their data in place, then run: make test-server",
            pytrace=False,
        )
    return found


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from new_bucket(monkeypatch)


@pytest.mark.timeout(400)
def test_the_stores_stop_in_the_middle_of_sixteen_uploads(tmp_path: Path, table: str, bucket: str) -> None:
    stop, start = command("TEST_STOP_STORES"), command("TEST_START_STORES")
    metadata, artifacts = Place(tmp_path, table).metadata(), S3Artifacts(bucket)
    registry = LocalRegistry(metadata, artifacts, actor="amina")
    apply(registry)
    folder = write_files(tmp_path / "made", FILES)
    acknowledged: dict[str, int] = {}
    halfway, begun = threading.Event(), time.monotonic()

    def create(url: str, creator: int) -> None:
        with closing(HttpRegistry(url)) as client:
            for number in range(4):
                key = f"creator {creator}, version {number}"
                while time.monotonic() - begun < PATIENCE:
                    try:
                        acknowledged[key] = register_version(client, claim_of(key, files=FILES), folder).number
                        break
                    except Unavailable:
                        continue  # it says itself when it has waited long enough
                if len(acknowledged) >= CREATORS:
                    halfway.set()

    with serving(registry) as service:
        creators = [threading.Thread(target=create, args=(service.url, creator)) for creator in range(CREATORS)]
        for creator in creators:
            creator.start()
        assert halfway.wait(PATIENCE)
        subprocess.run(stop, shell=True, check=True, timeout=60)  # noqa: S602 - the operator's own command
        before = len(acknowledged)
        time.sleep(OUTAGE)
        subprocess.run(start, shell=True, check=True, timeout=60)  # noqa: S602 - the same
        for creator in creators:
            creator.join()
    assert before < 4 * CREATORS, "the stores stopped when everything was done"
    assert len(acknowledged) == len(set(acknowledged.values())) == 4 * CREATORS
    seen = list(every(lambda page: registry.versions("ke", page=page)))
    assert {version.key: version.number for version in seen} == acknowledged
    assert {version.state for version in seen} == {VersionState.READY}
    assert list(damages(metadata, artifacts)) == []
    assert [chain.breach for chain in verify(metadata) if chain.breach] == []
