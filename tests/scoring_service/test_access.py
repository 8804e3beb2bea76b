"""Who may ask for predictions: every route for everybody, and apps that do not start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from fastapi import APIRouter
from fastapi.testclient import TestClient

from modelyard.asgi.auth.authenticator import Authenticator
from modelyard.asgi.auth.routes import check_routes
from modelyard.errors import ModelyardError, Unavailable, UsageError
from modelyard.run_tokens import mint
from scoring_service.access import RULES, ScoringRoute
from scoring_service.app import create_app
from scoring_service.serve import serve
from tests.principals import KEY, OTHER, bearer, entry, token_of, write_auth_file
from tests.scoring.trained import loans, train
from tests.scoring.versions import apply
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from scoring_service.service import Service
    from tests.registries import Clock

ROW = {"features": [{"amount": 100.0, "channel": "ussd", "repeat": True}]}

# Columns: viewer, author and approver of the model's team; an operator. Viewer, author, approver of another team, and
# somebody there who reads all. A run. Nobody.
OPEN, SHARED, OWN_TEAM = "++++ ++++ + +", "++++ ++++ ! !", "++++ ???+ ! !"
TABLE = {
    "GET /health": OPEN,
    "GET /ready": OPEN,
    "GET /started": OPEN,
    "GET /metrics": OPEN,
    "GET /docs": SHARED,
    "GET /openapi.json": SHARED,
    "GET /v1/models": SHARED,
    "POST /v1/models/{model}/score": OWN_TEAM,
}
STATUS = {200: "+", 401: "!", 403: "-", 404: "?"}
ROLES: dict[str, Any] = {
    "viewer": ["viewer"],
    "author": ["author"],
    "approver": ["approver"],
    "all but operator": ["viewer", "author", "approver"],
}


@pytest.fixture
def team(registry: LocalRegistry, tmp_path: Path, clock: Clock) -> str:
    """A model that is live, and the team that owns it."""
    name = apply(registry, loans())
    registry.promote(name, train(registry, tmp_path / "runs", loans()), live_from=clock())
    return registry.model(name).team


@pytest.fixture
def client(service: Service, tmp_path: Path, team: str) -> Iterator[TestClient]:
    file = write_auth_file(tmp_path)
    said = yaml.safe_load(file.read_text())
    own = [entry(f"own {role}", roles=ROLES[role], teams=[team]) for role in ("viewer", "author", "approver")]
    file.write_text(yaml.safe_dump({**said, "tokens": [*said["tokens"], *own]}))
    with TestClient(create_app(service, Authenticator(file))) as client:
        until(lambda: service.live.ready)
        yield client


CALLERS = (
    "own viewer", "own author", "own approver", "operator",
    "viewer elsewhere", "author elsewhere", "approver elsewhere", "all but operator elsewhere", "run", "nobody",
)  # fmt: skip


def headers(caller: str) -> dict[str, str]:
    if caller == "nobody":
        return {}
    return bearer(mint("ke-aaaaaaaaaaaa-1", 1, KEY) if caller == "run" else token_of(caller))


def ask(client: TestClient, caller: str, route: str, model: str = "loans") -> Any:
    method, _, path = route.partition(" ")
    body = ROW if method == "POST" else None
    return client.request(method, path.format(model=model), headers=headers(caller), json=body)


def test_everybody_at_every_route(client: TestClient) -> None:
    described = {
        f"{method.upper()} {path}"
        for path, methods in client.get("/openapi.json", headers=headers("operator")).json()["paths"].items()
        for method in methods
    }
    assert described | {"GET /docs", "GET /openapi.json"} == set(TABLE) == set(RULES)
    for route, said in TABLE.items():
        told = {caller: STATUS[ask(client, caller, route).status_code] for caller in CALLERS}
        assert told == dict(zip(CALLERS, said.replace(" ", ""), strict=True)), route


def test_the_models_of_others_are_not_told(client: TestClient) -> None:
    assert [model["model"] for model in ask(client, "own viewer", "GET /v1/models").json()["models"]] == ["loans"]
    assert ask(client, "viewer elsewhere", "GET /v1/models").json() == {"models": []}
    hidden = ask(client, "viewer elsewhere", "POST /v1/models/{model}/score")
    absent = ask(client, "viewer elsewhere", "POST /v1/models/{model}/score", "loan")
    assert hidden.text.replace("`loans`", "`loan`") == absent.text
    assert ask(client, "own viewer", "POST /v1/models/{model}/score", "NO:NAME").status_code == 404


def test_a_model_that_is_not_loaded_is_looked_up(
    client: TestClient, service: Service, registry: LocalRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = loans(owner=OTHER)
    content["document"]["name"] = "quiet"
    registry.apply_model(content, project="tests", expected_revision=0)
    until(lambda: any(slot.model == "quiet" for slot in service.live.slots()))
    route = "POST /v1/models/{model}/score"
    assert "there is no model `quiet`" in ask(client, "own viewer", route, "quiet").text
    assert "no version of `quiet` is live" in ask(client, "viewer elsewhere", route, "quiet").text

    def gone(_: str) -> None:
        msg = "the registry is gone"
        raise Unavailable(msg)

    monkeypatch.setattr(registry, "model", gone)
    assert ask(client, "own viewer", route, "quiet").status_code == 503
    assert ask(client, "own viewer", route).status_code == 200  # what answers asks nobody


def test_a_route_without_a_rule_does_not_start(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = APIRouter()
    bare.get("/v1/secrets")(lambda: {})
    with pytest.raises(ModelyardError, match="routes that nobody guards"):
        check_routes(ScoringRoute, [bare])
    guarded = APIRouter(route_class=ScoringRoute)
    guarded.get("/v1/secrets")(lambda: {})
    with pytest.raises(ModelyardError, match="GET /v1/secrets"):
        check_routes(ScoringRoute, [guarded])
    rules = {route: rule for route, rule in RULES.items() if route != "GET /v1/models"}
    monkeypatch.setattr(ScoringRoute, "rules", rules)
    with pytest.raises(ModelyardError, match="without a rule"):
        create_app(service)


def test_without_a_file_it_does_not_listen_beyond_this_machine(service: Service) -> None:
    with pytest.raises(UsageError, match="without authentication") as caught:
        serve(service, "0.0.0.0", 0, tell=lambda url: pytest.fail(f"it listens at {url}"))  # noqa: S104 - refused
    assert "MODELYARD_AUTH_FILE" in caught.value.hint
