"""Every route, for everybody: what the table says is what the service does.

The routes come from the API's own description; the answers from the table, which is written by hand. A new route fails
here until somebody has said in the table who may call it.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from modelyard.asgi.auth.authenticator import Authenticator
from modelyard.registry.home import RegistryHome
from modelyard.registry.records import RunProgress, RunState
from modelyard.registry.rules.versions import secret_of
from modelyard.registry.transfer import register_version, upload_artifacts
from modelyard.run_tokens import mint
from registry_api.access import RULES, find_run
from registry_api.app import create_app
from registry_api.routes.versions import CLAIM_HEADER
from tests.principals import CALLERS, KEY, OTHER, bearer, token_of, write_auth_file
from tests.registries import open_registry
from tests.registry.making import (
    BODY,
    apply,
    begin,
    claim_of,
    claim_of_run,
    definition,
    feature_set,
    run_of,
    spec_of,
    write_files,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fastapi import FastAPI

    from modelyard.registry.records import Run

BUNDLE = "b" * 64
HISTORY = {"history": feature_set()}
OWN_BUNDLE, OTHER_BUNDLE = (
    {**definition(feature_sets=HISTORY), "bundles": {"./own": digest}} for digest in (BUNDLE, "c" * 64)
)
OF_RUN, OF_SIBLING = run_of(spec=spec_of(OWN_BUNDLE)), run_of(spec=spec_of(OTHER_BUNDLE))
OF_ENDED, OF_STRANGE = run_of(attempt=2, spec=spec_of(OTHER_BUNDLE)), run_of("fr")
RUN, SIBLING, ENDED, STRANGE = OF_RUN.id, OF_SIBLING.id, OF_ENDED.id, OF_STRANGE.id
RUNS = {"run": RUN, "run of the same model": SIBLING, "run of another team": STRANGE, "ended run": ENDED}

EVERYBODY = (*CALLERS, *RUNS, "anonymous")
PASSES, FORBIDDEN, HIDDEN, UNKNOWN = "+", "-", "?", "!"
STATUS = {FORBIDDEN: 403, HIDDEN: 404, UNKNOWN: 401}

# Columns, from the left. Of the team that owns the thing: viewer, author, approver; an operator. Of another team:
# viewer, author, approver; somebody with all three roles who reads all. The run itself, a run of the same model, a run
# of another team, a run that has ended. Nobody.
READ, READ_BY_RUN = "+++ + ??? + --- ! !", "+++ + ??? + ++? ! !"
LIST, SHARED = "+++ + +++ + --- ! !", "+++ + +++ + +++ ! !"
AUTHORS, APPROVERS, OPERATORS = "-+- + -?- - --- ! !", "--+ + --? - --- ! !", "--- + --- - --- ! !"
BY_RUN_ITSELF = "+?? ! !"
TABLE = {
    "GET /health": "+++ + +++ + +++ + +",
    "GET /ready": "+++ + +++ + +++ + +",
    "GET /metrics": "+++ + +++ + +++ + +",
    "GET /docs": LIST,
    "GET /openapi.json": LIST,
    "GET /v1/models": LIST,
    "GET /v1/models/{model}": READ,
    "PUT /v1/models/{model}": AUTHORS,
    "POST /v1/models/{model}/archive": AUTHORS,
    "GET /v1/models/{model}/runs": READ,
    "POST /v1/models/{model}/versions": f"--- + -?- - {BY_RUN_ITSELF}",  # in the name of a run, as it is sent here
    "GET /v1/models/{model}/versions": READ,
    "GET /v1/models/{model}/versions/{number}": READ_BY_RUN,
    "POST /v1/models/{model}/versions/{number}/complete": f"-+- + -?- - {BY_RUN_ITSELF}",
    "POST /v1/models/{model}/versions/{number}/archive": APPROVERS,
    "POST /v1/models/{model}/versions/{number}/approve": APPROVERS,
    "GET /v1/models/{model}/versions/{number}/lineage": READ,
    "PUT /v1/models/{model}/versions/{number}/artifacts/{path}": f"-+- + -?- - {BY_RUN_ITSELF}",
    "GET /v1/models/{model}/versions/{number}/artifacts/{path}": READ_BY_RUN,
    "HEAD /v1/models/{model}/versions/{number}/artifacts/{path}": READ_BY_RUN,
    "GET /v1/models/{model}/versions/{number}/downloads/{path}": READ_BY_RUN,
    "GET /v1/models/{model}/latest": READ,
    "GET /v1/models/{model}/made-for": READ_BY_RUN,
    "GET /v1/models/{model}/live": READ_BY_RUN,
    "GET /v1/models/{model}/promotions": READ,
    "POST /v1/models/{model}/promotions": APPROVERS,
    "POST /v1/models/{model}/rollback": APPROVERS,
    "GET /v1/feature-sets": LIST,
    "GET /v1/feature-sets/{name}": SHARED,
    "GET /v1/feature-sets/{name}/defined-as": SHARED,
    "GET /v1/feature-sets/{name}/versions/{number}": SHARED,
    "PUT /v1/feature-sets/{name}": "-+- + --- - --- ! !",  # feature sets are shared: other teams know of them
    "POST /v1/feature-sets/{name}/archive": "-+- + --- - --- ! !",
    "PUT /v1/bundles/{digest}": "-+- + -+- + --- ! !",  # under their digests, they are nobody's
    "GET /v1/bundles/{digest}": f"+++ + +++ + {BY_RUN_ITSELF}",
    "POST /v1/runs": AUTHORS,
    "GET /v1/runs": LIST,
    "GET /v1/open-runs": LIST,
    "GET /v1/runs/{run_id}": f"+++ + ??? + {BY_RUN_ITSELF}",
    "PUT /v1/runs/{run_id}": OPERATORS,
    "POST /v1/runs/{run_id}/cancel": AUTHORS,
    "GET /v1/runs/{run_id}/task": f"--- + --- - {BY_RUN_ITSELF}",
    "PUT /v1/runs/{run_id}/progress": f"--- + --- - {BY_RUN_ITSELF}",
    "GET /v1/runs/{run_id}/progress": READ,
    "PUT /v1/runs/{run_id}/log": f"--- + --- - {BY_RUN_ITSELF}",
    "GET /v1/runs/{run_id}/log": READ,
    "GET /v1/trainer": LIST,
    "GET /v1/history/{subject}": READ,
    "GET /v1/changes": LIST,
    "GET /v1/dependents/{subject}": LIST,
    "GET /v1/affected/{subject}": LIST,
}  # fmt: skip


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry in a folder: a model with a version and a claim, its runs, and a run of another team."""
    folder = tmp_path_factory.mktemp("matrix")
    registry = open_registry(folder / "home", actor="amina")
    registry.register_feature_set(feature_set(), project="lender", lineage={})
    apply(registry, "fr", owner=OTHER)
    for revision, content in enumerate((OWN_BUNDLE, OTHER_BUNDLE)):
        registry.apply_model(content, project="lender", expected_revision=revision, run=(OF_RUN, OF_SIBLING)[revision])
    for run in (OF_RUN, OF_SIBLING, OF_ENDED, OF_STRANGE):
        begin(registry, run)
    registry.update_run(registry.run(ENDED).model_copy(update={"state": RunState.SUCCEEDED}))
    registry.write_run_log(RUN, _log())
    files = write_files(folder / "files")
    register_version(registry, claim_of("made"), files)
    upload_artifacts(registry.claim(claim_of_run(OF_RUN)), files)
    return folder / "home"


def _log() -> Any:
    import io

    return io.BytesIO(b"fitting\n")


@pytest.fixture(scope="module")
def app(prepared: Path) -> FastAPI:
    registry = _open(prepared)  # runs are the same in its copies
    file = write_auth_file(prepared.parent)
    authenticator = Authenticator(file, run_key_file=str(file.with_name("run-key")), find_run=find_run(registry))
    return create_app(registry, authenticator=authenticator, trainer="trainer:1")


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def _open(home: Path) -> Any:
    return RegistryHome(home).registry("amina")


def shown(caller: str) -> dict[str, str]:
    """What a caller shows."""
    if caller == "anonymous":
        return {}
    return bearer(mint(RUNS[caller], 1, KEY) if caller in RUNS else token_of(caller))


def asked(route: str, registry: Any) -> dict[str, Any]:
    """A request to a route that would do something: for the model `ke`, its versions and its run."""
    method, _, path = route.partition(" ")
    changes_claim = route.endswith("/complete") or (route == f"PUT {path}" and "/artifacts/" in path)
    number = 2 if changes_claim else 1
    subject = "model:ke" if "history" in path else "source:loans"
    filled = path.format(
        model="ke", number=number, path="model.json", name="history", digest=BUNDLE, run_id=RUN, subject=subject
    )
    return {"method": method, "url": filled, **_sent(route, registry)}


def _sent(route: str, registry: Any) -> dict[str, Any]:
    run: Run = registry.run(RUN)
    bodies: dict[str, Any] = {
        "PUT /v1/models/{model}": {
            "definition": definition(seed=7),
            "project": "lender",
            "expected_revision": registry.model("ke").revision,
        },
        "POST /v1/models/{model}/archive": {},
        "POST /v1/models/{model}/versions": claim_of_run(OF_RUN).model_dump(mode="json"),
        "POST /v1/models/{model}/versions/{number}/archive": {},
        "POST /v1/models/{model}/versions/{number}/approve": {},
        "POST /v1/models/{model}/promotions": {"version": 1},
        "POST /v1/models/{model}/rollback": {"to": 1},
        "PUT /v1/feature-sets/{name}": {"definition": feature_set(window="60d"), "project": "lender", "lineage": {}},
        "POST /v1/feature-sets/{name}/archive": {},
        "POST /v1/runs": run_of(attempt=3, spec=spec_of(OTHER_BUNDLE)).model_dump(mode="json"),
        "PUT /v1/runs/{run_id}": run.model_copy(update={"reason": "waits"}).model_dump(mode="json"),
        "PUT /v1/runs/{run_id}/progress": RunProgress(run=RUN, tries=1).model_dump(mode="json"),
    }
    if route in bodies:
        return {"json": bodies[route]}
    if route.startswith("PUT ") and "/artifacts/" in route:
        secret = secret_of(registry._metadata.version("ke", 2))
        return {"content": BODY, "headers": {CLAIM_HEADER: secret}}
    if route == "PUT /v1/runs/{run_id}/log":
        return {"content": b"done\n"}
    if route == "PUT /v1/bundles/{digest}":
        return {"content": b"PK"}
    queries = {
        "made-for": {"request": "e" * 64},
        "defined-as": {"digest": "e" * 64},
        "live": {"at": "2026-11-21T00:00:00Z"},
    }
    return {"params": queries.get(route.rpartition("/")[2], {})}


PASSED_ON = {
    "GET /v1/runs/{run_id}/task": "this service has no datasets",
    "PUT /v1/bundles/{digest}": "what was sent is not the bundle",
    "GET /v1/bundles/{digest}": "the registry holds no bundle",
}
"""What routes say that were reached, and have nothing to do it with here."""


def test_the_table_has_every_route_and_no_other(app: FastAPI) -> None:
    described = {f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods}
    hidden = {"GET /docs", "GET /openapi.json", "HEAD /v1/models/{model}/versions/{number}/artifacts/{path}"}
    assert len(described) > 40
    assert described | hidden == set(TABLE)
    assert {rule.replace(":path", "") for rule in RULES} == set(TABLE)
    assert {len(said.replace(" ", "")) for said in TABLE.values()} == {len(EVERYBODY)}


@pytest.mark.parametrize("route", TABLE)
def test_everybody_at_every_route(app: FastAPI, client: TestClient, prepared: Path, tmp_path: Path, route: str) -> None:
    expected = dict(zip(EVERYBODY, TABLE[route].replace(" ", ""), strict=True))
    assert {caller: _told(app, client, prepared, tmp_path, route, caller) for caller in EVERYBODY} == expected


def _told(app: FastAPI, client: TestClient, prepared: Path, folder: Path, route: str, caller: str) -> str:
    home = prepared
    if not route.startswith(("GET", "HEAD")):
        home = folder / caller  # what one may do must not be done for the next
        shutil.copytree(prepared, home)
    app.state.registry = _open(home)
    request = asked(route, app.state.registry)
    answer = client.request(**{**request, "headers": {**request.get("headers", {}), **shown(caller)}})
    if answer.is_success or PASSED_ON.get(route, "nothing at all") in answer.text:
        return PASSES
    assert answer.headers["content-type"] == "application/problem+json" or route.startswith("HEAD")
    assert (answer.headers.get("www-authenticate") is None) == (answer.status_code != 401)
    return {status: told for told, status in STATUS.items()}.get(answer.status_code, answer.text)
