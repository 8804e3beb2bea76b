"""Bundles: the projects' own modules, kept for the runs that need them; on every registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.config.bundles import bundle_digest, pack
from modelyard.errors import InvalidData, NotFound

if TYPE_CHECKING:
    from modelyard.registry.registry import Registry

FILES = {"__init__.py": b"", "woe.py": b"HALF = 0.5\n"}


def test_a_bundle_is_kept_and_read(registry: Registry) -> None:
    digest, content = bundle_digest(FILES), pack(FILES)
    registry.keep_bundle(digest, content)
    registry.keep_bundle(digest, content)
    assert registry.read_bundle(digest) == content


def test_a_bundle_that_is_not_there_is_not_found(registry: Registry) -> None:
    with pytest.raises(NotFound, match="no bundle"):
        registry.read_bundle("0" * 64)


@pytest.mark.parametrize("content", [b"", b"no zip", pack({"other.py": b""})])
def test_what_is_not_the_bundle_is_refused(registry: Registry, content: bytes) -> None:
    with pytest.raises(InvalidData, match="not the bundle"):
        registry.keep_bundle(bundle_digest(FILES), content)
    with pytest.raises(NotFound):
        registry.read_bundle(bundle_digest(FILES))


@pytest.mark.parametrize("digest", ["../up", "A" * 64, "0" * 63, ""])
def test_a_digest_leads_nowhere_else(registry: Registry, digest: str) -> None:
    with pytest.raises((InvalidData, NotFound)):
        registry.read_bundle(digest)
    with pytest.raises((InvalidData, NotFound)):
        registry.keep_bundle(digest, pack(FILES))
