"""What programs see: predictions, the models, readiness, numbers, and problems that say what to do."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from modelyard.registry.records import FeatureSetPin
from tests.scoring.published import feature_set, publish, register_set
from tests.scoring.trained import loans, train
from tests.scoring.versions import apply, register
from tests.training import yard
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi.testclient import TestClient

    from modelyard.datasets.filesystem import FilesystemDatasets
    from modelyard.registry.local import LocalRegistry
    from scoring_service.service import Service
    from tests.registries import Clock

ROW = {"amount": 100.0, "channel": "ussd", "repeat": True}
NAMES = "`amount`, `channel`, `repeat`"
PLAIN = "can't be looked up: features of `loans` come from a plain table, `loans`"
SCORE = "/v1/models/loans/score"


@pytest.fixture
def loans_live(registry: LocalRegistry, tmp_path: Path, clock: Clock) -> int:
    """A model of a plain table, live."""
    name = apply(registry, loans())
    number = train(registry, tmp_path / "runs", loans())
    registry.promote(name, number, live_from=clock())
    return number


@pytest.fixture
def history_live(registry: LocalRegistry, datasets: FilesystemDatasets, tmp_path: Path, clock: Clock) -> FeatureSetPin:
    """A model of a feature set, live, with yesterday's partition."""
    content = feature_set("history", entity="loan_id")
    data = {"labels": {"source": "loans", "entity": "loan_id", "label": "outcome"}, "features": ["history"]}
    definition = {**loans(data=data), "feature_sets": {"history": content}}
    number = register_set(registry, content)
    version = registry.feature_set("history", number)
    pin = FeatureSetPin(name="history", version=number, digest=version.digest)
    name = apply(registry, definition)
    registry.promote(name, train(registry, tmp_path / "runs", definition, feature_sets=[pin]), live_from=clock())
    publish(datasets, f"features/history/{number}", date(2026, 6, 30), yard.table().drop_columns("__label").to_pydict())
    return pin


@pytest.mark.usefixtures("loans_live")
def test_rows_are_scored_by_their_features(client: TestClient, service: Service) -> None:
    until(lambda: service.live.ready)
    answer = client.post(SCORE, json={"features": [ROW, {**ROW, "amount": None}]})
    assert answer.status_code == 200
    content = answer.json()
    expected = service.live.get("loans").answer("features", [ROW, {**ROW, "amount": None}], service.clock())
    assert content == expected
    assert content["version"] == 1
    assert all(0 < entry["prediction"] < 1 for entry in content["predictions"])


def test_entities_are_scored_by_what_was_published_last(
    client: TestClient, history_live: FeatureSetPin, datasets: FilesystemDatasets, clock: Clock
) -> None:
    table = yard.table()
    asked = [{"loan_id": "L7"}, {"loan_id": "nobody"}, {"loan_id": "L3"}]
    until(lambda: client.post(SCORE, json={"entities": asked}).status_code == 200)
    content = client.post(SCORE, json={"entities": asked}).json()
    rows = table.select(list(yard.KINDS)).to_pylist()
    by_features = client.post(SCORE, json={"features": [rows[7], rows[3]]}).json()["predictions"]
    assert content["feature_sets"] == {"history": {"version": 1, "as_of": "2026-06-30T00:00:00+00:00"}}
    assert content["predictions"] == [
        {"entity": {"loan_id": "L7"}, "found": True, **by_features[0]},
        {"entity": {"loan_id": "nobody"}, "found": False, "prediction": None},
        {"entity": {"loan_id": "L3"}, "found": True, **by_features[1]},
    ]
    today = {"loan_id": ["L7"], "amount": [1.0], "channel": ["app"], "repeat": [False]}
    publish(datasets, f"features/history/{history_live.version}", date(2026, 7, 1), today)

    def newer() -> bool:
        sets = client.post(SCORE, json={"entities": asked}).json()["feature_sets"]
        return bool(sets["history"]["as_of"] == "2026-07-01T00:00:00+00:00")

    until(newer)
    clock.pass_(days=2)
    stale = client.post(SCORE, json={"entities": asked})
    assert (stale.status_code, stale.headers["retry-after"]) == (503, "1")
    assert "the last one is of 2026-07-01T00:00:00+00:00" in stale.json()["detail"]
    assert stale.json()["hint"] == "modelyard features materialise history --version 1 --as-of 2026-07-03"


@pytest.mark.usefixtures("loans_live")
@pytest.mark.parametrize(
    ("body", "at", "reason", "hint"),
    [
        ('{"features": [{"amuont": 1}]}', "features[0].amuont", "is unknown", "did you mean `amount`?"),
        ('{"features": [{"channel": 7}]}', "features[0].amount", "is absent", "say null where the value is not known"),
        ('{"features": [7]}', "features[0]", f"is a whole number; an object with {NAMES} is due", ""),
        ('{"features": [{"amount": 1, "amount": 2}]}', "body", "says `amount` twice in one object", ""),
        ('{"entities": [{"loan_id": "L1"}]}', "entities", PLAIN, 'send {"features": [{...}]}'),
    ],
)
def test_faults_are_told_with_their_places(
    client: TestClient, service: Service, body: str, at: str, reason: str, hint: str
) -> None:
    until(lambda: service.live.ready)
    answer = client.post(SCORE, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    content = answer.json()
    assert content["status"] == 422
    assert content["errors"][0] == {"at": at, "reason": reason, "hint": hint}
    assert content["detail"] == f"{at} {reason}"


@pytest.mark.usefixtures("loans_live")
def test_bodies_of_the_wrong_kind_or_size_are_refused(client: TestClient, service: Service) -> None:
    until(lambda: service.live.ready)
    plain = client.post(SCORE, content=b"{}", headers={"content-type": "text/plain"})
    large = client.post(SCORE, content=b" " * (1 << 17), headers={"content-type": "application/json"})
    pieces = client.post(
        SCORE, content=(b" " * (1 << 15) for _ in range(4)), headers={"content-type": "application/json"}
    )
    assert [answer.status_code for answer in (plain, large, pieces)] == [415, 413, 413]
    assert large.json()["type"] == "urn:modelyard:problem:too-large"
    assert large.json()["detail"] == "the body is larger than 65,536 bytes; send the rows in several requests"
    assert all(answer.headers["content-type"] == "application/problem+json" for answer in (plain, large, pieces))


def test_other_names_of_this_machine_are_refused(client: TestClient) -> None:
    answer = client.get("/health", headers={"host": "rebound.example.org"})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:modelyard:problem:forbidden")


def test_unknown_paths_methods_and_models_are_problems(client: TestClient, service: Service) -> None:
    until(lambda: service.live.ready)
    answers = [client.get("/v1/nothing"), client.get(SCORE), client.post(SCORE, json={"features": []})]
    assert [answer.status_code for answer in answers] == [404, 405, 404]
    assert all(answer.headers["content-type"] == "application/problem+json" for answer in answers)
    assert answers[2].json()["detail"] == "there is no model `loans`"


@pytest.mark.parametrize("name", ["..%2f..%2fetc", "%00", "ke#", "ke%3Fx=1", "x" * 5000, "%F0%9F%98%80", "%ff"])
def test_names_that_nobody_has_are_not_found(client: TestClient, service: Service, name: str) -> None:
    until(lambda: service.live.ready)
    assert client.post(f"/v1/models/{name}/score", json={"features": []}).status_code in (404, 405)


@pytest.mark.usefixtures("loans_live")
def test_models_are_listed_with_what_their_rows_hold(client: TestClient, service: Service) -> None:
    until(lambda: service.live.ready)
    (model,) = client.get("/v1/models").json()["models"]
    assert model == {
        "model": "loans",
        "version": 1,
        "task": "binary_classification",
        "features": yard.KINDS,
        "entity": [],
        "classes": [],
    }


def test_readiness_says_what_is_amiss(
    client: TestClient, registry: LocalRegistry, clock: Clock, loans_live: int
) -> None:
    until(lambda: client.get("/v1/models").json()["models"])
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"ready": True, "registry": "", "models": []}
    broken = register(registry, "loans", {"model.json": b"{}"})
    registry.promote("loans", broken, live_from=clock.pass_(minutes=1))
    until(lambda: any(one["problem"] for one in client.get("/ready").json()["models"]))
    answer = client.get("/ready")
    (standing,) = answer.json()["models"]
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert (standing["live"], standing["served"]) == (broken, loans_live)
    assert standing["problem"].startswith(f"version {broken} of `loans` can't be loaded")
    assert client.post(SCORE, json={"features": [ROW]}).json()["version"] == loans_live
    assert 'modelyard_scoring_load_failures_total{model="loans"} 1.0' in client.get("/metrics").text


def test_a_model_that_never_loaded_makes_the_service_unready(
    client: TestClient, registry: LocalRegistry, clock: Clock
) -> None:
    name = apply(registry, loans())
    registry.promote(name, register(registry, name, {"model.json": b"{}"}), live_from=clock())
    until(lambda: any(one["problem"] for one in client.get("/ready").json()["models"]))
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert client.get("/started").json() == {"started": True}, "it answers for the other models"
    score = client.post(SCORE, json={"features": [ROW]})
    assert score.status_code == 503
    assert score.json()["detail"].startswith("version 1 of `loans` is live, and is not loaded: ")


@pytest.mark.usefixtures("loans_live")
def test_requests_rows_and_versions_are_counted(client: TestClient, service: Service) -> None:
    until(lambda: service.live.ready)
    client.post(SCORE, json={"features": [ROW] * 5})
    client.post(SCORE, json={"features": [{}]})
    client.post("/v1/models/whatever/score", json={"features": [ROW]})
    client.get("/nowhere/at/all")
    text = client.get("/metrics").text
    route = 'route="/v1/models/{model}/score"'
    assert f'modelyard_scoring_requests_total{{model="loans",{route},status="200"}} 1.0' in text
    assert f'modelyard_scoring_requests_total{{model="loans",{route},status="422"}} 1.0' in text
    assert f'modelyard_scoring_requests_total{{model="",{route},status="404"}} 1.0' in text
    assert 'modelyard_scoring_requests_total{model="",route="unmatched",status="404"} 1.0' in text
    assert f'modelyard_scoring_request_seconds_count{{model="loans",{route}}} 2.0' in text
    assert 'modelyard_scoring_rows_total{model="loans"} 5.0' in text
    assert 'modelyard_scoring_served_version{model="loans"} 1.0' in text
    assert 'modelyard_scoring_live_version{model="loans"} 1.0' in text
    assert "modelyard_scoring_registry_up 1.0" in text
    assert "process_resident_memory_bytes" in text
    assert "whatever" not in text
    assert "nowhere" not in text


def test_openapi_shows_requests_and_answers_with_examples(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    score = document["paths"]["/v1/models/{model}/score"]["post"]
    body = score["requestBody"]["content"]["application/json"]
    assert set(body["examples"]) == {"by features", "by entity"}
    assert score["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith("/Scored")
    assert {"404", "413", "422", "503"} <= set(score["responses"])
    assert set(document["paths"]) == {
        "/v1/models/{model}/score",
        "/v1/models",
        "/health",
        "/ready",
        "/started",
        "/metrics",
    }
