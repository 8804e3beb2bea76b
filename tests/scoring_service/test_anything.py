"""Whatever is sent, the service answers: with predictions, or with a problem that is the sender's."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from modelyard.datasets.filesystem import FilesystemDatasets
from scoring_service.app import create_app
from scoring_service.service import Limits, Service
from tests.registries import Clock, open_registry
from tests.scoring.trained import FOREST, loans, train
from tests.scoring.versions import apply

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
SCORE = "/v1/models/loans/score"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("service")
    registry = open_registry(folder, Clock(NOW))
    name = apply(registry, loans(last=FOREST))
    registry.promote(name, train(registry, folder / "runs", loans(last=FOREST)), live_from=NOW)
    datasets = FilesystemDatasets(folder / "datasets")
    service = Service(registry, datasets, folder / "cache", limits=Limits(body=1 << 16), clock=Clock(NOW))
    service.refresh()
    with TestClient(create_app(service), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


NUMBERS = st.integers() | st.floats() | st.sampled_from([1e308, -1e308, 5e-324, 2**53 + 1, 2**64, 10**308, 10**400])
TEXT = st.text(st.characters(exclude_categories=[])) | st.sampled_from(["amount", "\ud800", "\x00", "nan", "NaN"])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)
ROW = st.fixed_dictionaries(
    {"amount": st.none() | NUMBERS, "channel": st.none() | TEXT, "repeat": st.none() | st.booleans()}
)
BODIES = (
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.lists(ROW | JSON, max_size=4).map(lambda rows: json.dumps({"features": rows}).encode())
    | st.lists(JSON, max_size=4).map(lambda rows: json.dumps({"entities": rows}).encode())
)


@given(BODIES)
def test_no_body_breaks_the_service(client: TestClient, body: bytes) -> None:
    answer = client.post(SCORE, content=body, headers={"content-type": "application/json"})
    content: dict[str, Any] = answer.json()
    if answer.status_code == 200:
        rows = json.loads(body)["features"]
        assert len(content["predictions"]) == len(rows)
        assert all(0 <= entry["prediction"] <= 1 for entry in content["predictions"])
    else:
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert content["errors"]


@given(st.lists(ROW, min_size=1, max_size=5))
def test_good_rows_are_scored_or_told_to_be_beyond_the_model(client: TestClient, rows: list[dict[str, Any]]) -> None:
    answer = client.post(SCORE, content=json.dumps({"features": rows}), headers={"content-type": "application/json"})
    assert answer.status_code in (200, 422)


@given(st.text(max_size=30), st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]))
def test_no_path_breaks_the_service(client: TestClient, name: str, method: str) -> None:
    path = f"/v1/models/{quote(name.encode(errors='replace'), safe='')}/score"
    answer = client.request(method, path, content=b"{}", headers={"content-type": "application/json"})
    assert answer.status_code in (404, 405)
    assert answer.headers["content-type"] == "application/problem+json"


VALUES = st.text(st.characters(codec="latin-1"), max_size=20) | st.sampled_from(["9" * 5000, "-1", "1e999", "\xb2"])
NAMES = st.sampled_from(["content-length", "origin", "accept", "transfer-encoding", "expect", "content-type"])


@given(st.lists(st.tuples(NAMES, VALUES)), st.booleans())
def test_no_header_breaks_the_service(client: TestClient, pairs: list[tuple[str, str]], is_json: bool) -> None:
    first = [("content-type", "application/json; charset=utf-8")] if is_json else []
    headers = [(name.encode(), value.encode("latin-1")) for name, value in [*first, *pairs]]
    answer = client.post(SCORE, content=b"{}", headers=headers)
    assert answer.status_code in (403, 413, 415, 422)
