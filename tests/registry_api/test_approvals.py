"""Approval over HTTP: asked of somebody else, whatever roles the maker has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from modelyard.asgi.auth.authenticator import Authenticator
from modelyard.registry.credential import Credential
from modelyard.registry.http import HttpRegistry
from tests.principals import bearer, entry, token_of, write_auth_file
from tests.registries import open_registry, serving
from tests.registry.making import apply, definition, register

if TYPE_CHECKING:
    from pathlib import Path


def test_approval_is_asked_of_somebody_else_whatever_his_roles(tmp_path: Path) -> None:
    """The one who has both roles: he can't let his own version be live."""
    local = open_registry(tmp_path / "home", actor="service")
    both = entry("of both", roles=["author", "approver"], teams=["*"])
    file = write_auth_file(tmp_path, tokens=[both, entry("operator")])
    with serving(local, authenticator=Authenticator(file)) as running:
        mine = HttpRegistry(running.url, credential=Credential(token_of("of both")))
        apply(mine, approval="required", promotion="manual")
        version = register(mine, tmp_path)
        assert (version.created_by, local.version("ke", 1).authors) == ("of-both", ())
        for path, body in (
            ("versions/1/approve", {}),
            ("promotions", {"version": 1}),
            ("rollback", {"to": 1}),
        ):
            answer = ask_at(running.url, "of both", f"/v1/models/ke/{path}", body)
            assert answer.status_code in (403, 409), path
        relaxed = {"definition": definition("ke", promotion="manual"), "project": "lender", "expected_revision": 1}
        answer = ask_at(running.url, "of both", "/v1/models/ke", relaxed, method="PUT")
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:modelyard:problem:forbidden")
        approved = ask_at(running.url, "operator", "/v1/models/ke/versions/1/approve", {"reason": "memo"})
        assert approved.json()["version"]["approved_by"] == "operator"
        assert ask_at(running.url, "of both", "/v1/models/ke/promotions", {"version": 1}).status_code == 200
        mine.close()


def ask_at(url: str, caller: str, path: str, body: Any, method: str = "POST") -> Any:
    return httpx.request(method, f"{url}{path}", json=body, headers=bearer(token_of(caller)), trust_env=False)
