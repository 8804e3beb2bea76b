"""What the matrix does not show: what lists leave out, what bodies name, and apps that do not start."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from fastapi import APIRouter
from fastapi.testclient import TestClient

from modelyard.asgi.auth.authenticator import Authenticator
from modelyard.asgi.auth.routes import check_routes
from modelyard.errors import InvalidData, ModelyardError
from modelyard.registry.records import Page
from registry_api.access import RULES, RegistryRoute, find_run
from registry_api.app import create_app
from registry_api.page_tokens import PageTokens
from registry_api.routes import health
from tests.principals import KEY, OTHER, OWN, bearer, entry, token_of, write_auth_file
from tests.registries import open_registry
from tests.registry.making import apply, definition, feature_set, run_of, spec_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from modelyard.registry.records import Run

    Table = dict[str, Any]


def asked(name: str, attempt: int = 1) -> Run:
    """A run of one of the two models."""
    shared = {"ke": "history", "fr": "devices"}[name]
    return run_of(name, attempt, spec=spec_of(definition(name, feature_sets={shared: feature_set(shared)})))


@pytest.fixture
def registry(tmp_path: Path) -> LocalRegistry:
    """A model, a run and a feature set of each of two teams."""
    registry = open_registry(tmp_path / "home", actor="amina")
    for name, team, shared in (("ke", OWN, "history"), ("fr", OTHER, "devices")):
        registry.register_feature_set(feature_set(shared, owner=team), project="lender", lineage={})
        apply(registry, name, owner=team, feature_sets={shared: feature_set(shared, owner=team)})
        registry.queue_run(asked(name))
    return registry


@pytest.fixture
def auth_file(tmp_path: Path) -> Path:
    both = entry("of both", roles=["author"], teams=[OWN, OTHER])
    anything = entry("of all", roles=["author", "approver"], teams=["*"])
    file = write_auth_file(tmp_path)
    said = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**said, "tokens": [*said["tokens"], both, anything]}))
    return file


@pytest.fixture
def client(registry: LocalRegistry, auth_file: Path) -> Iterator[TestClient]:
    app = create_app(
        registry,
        authenticator=Authenticator(
            auth_file, run_key_file=str(auth_file.with_name("run-key")), find_run=find_run(registry)
        ),
    )
    with TestClient(app) as client:
        yield client


def ask(client: TestClient, caller: str, method: str, path: str, body: Any = None) -> Any:
    return client.request(method, path, json=body, headers=bearer(token_of(caller)))


@pytest.mark.parametrize(
    ("path", "key", "own", "other"),
    [
        ("/v1/models", "name", "ke", "fr"),
        ("/v1/runs", "id", asked("ke").id, asked("fr").id),
        ("/v1/open-runs", "id", asked("ke").id, asked("fr").id),
        ("/v1/changes", "subject", "model:ke", "model:fr"),
        ("/v1/changes", "subject", f"run:{asked('ke').id}", f"run:{asked('fr').id}"),
        ("/v1/dependents/source:loans", None, "model:ke", "model:fr"),
        ("/v1/affected/source:loans", "name", "ke", "fr"),
    ],
)
def test_lists_show_what_their_caller_may_see(
    client: TestClient, path: str, key: str | None, own: str, other: str
) -> None:
    def listed(caller: str) -> set[str]:
        content = ask(client, caller, "GET", path).json()
        items = content if isinstance(content, list) else content["items"]
        return {item if key is None else item[key] for item in items}

    assert {own, other} <= listed("operator")
    assert {own, other} <= listed("all but operator elsewhere")
    assert listed("viewer") & {own, other} == {own}
    assert listed("viewer elsewhere") & {own, other} == {other}


@pytest.mark.parametrize("path", ["/v1/models", "/v1/runs", "/v1/open-runs", "/v1/dependents/source:loans"])
def test_page_tokens_name_nothing(client: TestClient, path: str) -> None:
    token: str | None = None
    pages: list[list[Any]] = []
    while token is not None or not pages:
        query = "" if token is None else f"&page={token}"
        page = ask(client, "viewer", "GET", f"{path}?limit=1{query}").json()
        pages.append(page["items"])
        token = page["next"]
        told = base64.urlsafe_b64decode((token or "") + "=" * (-len(token or "") % 4))
        assert not any(name in told for name in (b'"fr"', b"fr-", b"model:fr"))
    assert sorted(map(len, pages)) == [0, 1]


def test_services_with_one_key_take_each_others_page_tokens() -> None:
    def names(after: str | None) -> Page[str]:
        return Page(items=(after or "first",), next="after ke")

    token = PageTokens(KEY).page(names, None, lambda _: True).next
    assert PageTokens(KEY).page(names, token, lambda _: True).items == ("after ke",)
    for others in (PageTokens(), PageTokens(KEY[::-1])):
        with pytest.raises(InvalidData, match="not one of this list"):
            others.page(names, token, lambda _: True)


def test_a_run_is_whose_its_model_is(client: TestClient, registry: LocalRegistry) -> None:
    run, sets = asked("ke").id, {"history": feature_set()}
    registry.apply_model(definition("ke", owner=OTHER, feature_sets=sets), project="lender", expected_revision=1)
    for path in (f"/v1/runs/{run}", f"/v1/runs/{run}/progress", f"/v1/history/run:{run}"):
        assert ask(client, "viewer", "GET", path).status_code == 404
        assert ask(client, "viewer elsewhere", "GET", path).status_code == 200
    assert ask(client, "author", "POST", f"/v1/runs/{run}/cancel").status_code == 404
    for path in ("/v1/runs", "/v1/open-runs"):
        assert ask(client, "viewer", "GET", path).json()["items"] == []
        assert run in {item["id"] for item in ask(client, "viewer elsewhere", "GET", path).json()["items"]}
    assert ask(client, "author elsewhere", "POST", f"/v1/runs/{run}/cancel").status_code == 200


def test_feature_sets_are_shared(client: TestClient) -> None:
    items = ask(client, "viewer", "GET", "/v1/feature-sets").json()["items"]
    assert {item["name"] for item in items} == {"history", "devices"}
    subjects = {event["subject"] for event in ask(client, "viewer", "GET", "/v1/changes").json()["items"]}
    assert {"feature_set:history", "feature_set:devices"} <= subjects
    assert ask(client, "viewer", "GET", "/v1/history/feature_set:devices").status_code == 200


def test_what_one_may_not_know_of_looks_as_if_it_were_not_there(client: TestClient) -> None:
    for path in ("/v1/models/{}", "/v1/models/{}/versions", "/v1/models/{}/versions/1", "/v1/models/{}/live?at=x"):
        hidden, absent = (ask(client, "viewer", "GET", path.format(name)) for name in ("fr", "nobody"))
        assert hidden.status_code == absent.status_code == 404
        assert hidden.text.replace("`fr`", "`nobody`") == absent.text


def apply_body(name: str, revision: int = 0, /, **document: Any) -> dict[str, Any]:
    return {"definition": definition(name, **document), "project": "lender", "expected_revision": revision}


def test_a_model_is_made_for_a_team_of_its_author_alone(client: TestClient, registry: LocalRegistry) -> None:
    assert ask(client, "author", "PUT", "/v1/models/new", apply_body("new")).status_code == 200
    for owner in (OTHER, "unowned"):
        answer = ask(client, "author", "PUT", "/v1/models/newer", apply_body("newer", owner=owner))
        assert answer.status_code == 403
        assert "may not make the model `newer` for the team" in answer.json()["detail"]
    registry.apply_model(definition("fr", owner=OTHER), project="lender", expected_revision=1)
    assert ask(client, "author", "PUT", "/v1/models/fr", apply_body("fr", 2)).status_code == 404
    # Nor is one's own given away, or another's taken by somebody who sees it.
    assert ask(client, "author", "PUT", "/v1/models/ke", apply_body("ke", 1, owner=OTHER)).status_code == 403
    assert ask(client, "of both", "PUT", "/v1/models/ke", apply_body("ke", 1, owner=OTHER)).status_code == 200
    assert ask(client, "of all", "PUT", "/v1/models/ke", apply_body("ke", 2, owner=OWN)).status_code == 200
    assert ask(client, "operator", "PUT", "/v1/models/ke", apply_body("ke", 3, owner="new")).status_code == 200


def test_a_feature_set_is_made_for_a_team_of_its_author_alone(client: TestClient) -> None:
    def put(caller: str, name: str, **document: Any) -> int:
        body = {"definition": feature_set(name, **document), "project": "lender", "lineage": {}}
        status: int = ask(client, caller, "PUT", f"/v1/feature-sets/{name}", body).status_code
        return status

    assert put("author", "fresh") == 200
    assert put("author", "fresher", owner=OTHER) == 403
    assert put("author", "devices", window="90d", owner=OWN) == 403
    assert put("author", "history", window="90d", owner=OTHER) == 403
    assert put("author", "history", window="90d") == 200
    # What is there may be asked for as it is: models of all teams pin it.
    assert put("author", "devices", owner=OTHER) == 200
    assert put("viewer", "devices", owner=OTHER) == 403
    assert put("of all", "devices", window="90d", owner=OWN) == 200


def test_a_run_is_queued_for_a_team_of_its_author_alone(client: TestClient) -> None:
    def post(caller: str, run: Run) -> Any:
        return ask(client, caller, "POST", "/v1/runs", run.model_dump(mode="json"))

    assert post("author", asked("ke", 2)).json()["created_by"] == "author"
    assert post("author", asked("fr", 2)).status_code == 404
    assert post("all but operator elsewhere", asked("ke", 3)).status_code == 403
    # An id of another team's run, under a model of one's own, tells nothing of that run.
    answer = post("author", asked("ke").model_copy(update={"id": asked("fr").id}))
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:modelyard:problem:conflict")


@pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "PATCH", "TRACE", "HEAD", "PROPFIND"])
@pytest.mark.parametrize("path", ["/v1/models/ke", "/v1/runs", "/docs", "/nowhere"])
def test_other_methods_are_nobodys(client: TestClient, method: str, path: str) -> None:
    assert client.request(method, path).status_code == 401
    assert ask(client, "author", method, path).status_code in (404, 405)


@pytest.mark.parametrize(
    "path",
    [
        "//v1/models", "/v1//models", "/v1/models/", "/V1/models", "/v1/models;x", "/health/../v1/models", "/health/",
        "/%2e%2e/v1/models", "/v1%2fmodels", "/health%00", "/health;/v1/models", "/metrics/..%2fv1/models",
        "/ready?x=1#",
        "/health/%2e%2e/v1/models", "/redoc", "/docs/oauth2-redirect", "/openapi.json/", "/",
    ],
)  # fmt: skip
def test_no_spelling_of_a_path_gets_past_the_question(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 401 or (path.startswith("/ready") and "items" not in answer.text), path
    assert "credit-ke" not in answer.text


def test_a_route_without_a_rule_does_not_start(registry: LocalRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = APIRouter()
    bare.get("/v1/secrets")(lambda: {})
    with pytest.raises(ModelyardError, match="routes that nobody guards"):
        check_routes(RegistryRoute, [bare])
    guarded = APIRouter(route_class=RegistryRoute)
    guarded.get("/v1/secrets")(lambda: {})
    with pytest.raises(ModelyardError, match=r"a route without a rule, or .*GET /v1/secrets"):
        check_routes(RegistryRoute, [guarded, health.router])
    rules = {route: rule for route, rule in RULES.items() if route != "GET /v1/models"}
    monkeypatch.setattr(RegistryRoute, "rules", rules)
    with pytest.raises(ModelyardError, match=r"without a route: GET /v1/models\n"):
        create_app(registry)
