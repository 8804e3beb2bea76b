"""Callers of services for tests of any room: a file that says who may call, and their tokens."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import yaml

from modelyard.asgi.auth.authenticator import LOOK

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.asgi.auth.principal import Principal

KEY = bytes(range(33, 65))
"""The installation's key of run tokens."""

OWN, OTHER = "credit-ke", "fraud"
"""The team whose things are asked for, and another one."""

LOOKED = LOOK + 0.05
"""Seconds after which a service has seen that the file changed."""

CALLERS: dict[str, dict[str, Any]] = {
    "viewer": {"roles": ["viewer"], "teams": [OWN]},
    "author": {"roles": ["author"], "teams": [OWN]},
    "approver": {"roles": ["approver"], "teams": [OWN]},
    "operator": {"roles": ["operator"]},
    "viewer elsewhere": {"roles": ["viewer"], "teams": [OTHER]},
    "author elsewhere": {"roles": ["author"], "teams": [OTHER]},
    "approver elsewhere": {"roles": ["approver"], "teams": [OTHER]},
    "all but operator elsewhere": {"roles": ["viewer", "author", "approver"], "teams": [OTHER], "reads": "all"},
}
"""Who calls, with what he may do."""


def token_of(caller: str) -> str:
    """A caller's token."""
    return f"canary-{caller.replace(' ', '-')}-4b825dc6"


def granted(principal: Principal) -> tuple[str, list[str], list[str] | None]:
    """Somebody's name, his roles, and his teams; None for all of them."""
    return principal.name, sorted(principal.roles), None if principal.teams is None else sorted(principal.teams)


def bearer(token: str) -> dict[str, str]:
    """The header that shows a token."""
    return {"Authorization": f"Bearer {token}"}


def entry(caller: str, **grant: Any) -> dict[str, Any]:
    """A caller's entry in the file."""
    digest = hashlib.sha256(token_of(caller).encode()).hexdigest()
    return {"name": caller.replace(" ", "-"), "sha256": digest, **(grant or CALLERS[caller])}


def write_auth_file(folder: Path, **more: Any) -> Path:
    """A file in which every caller stands, and `run-key` beside it."""
    (folder / "run-key").write_bytes(KEY)
    file = folder / "auth.yaml"
    said = {"tokens": [entry(caller) for caller in CALLERS], **more}
    file.write_text(yaml.safe_dump(said))
    return file
