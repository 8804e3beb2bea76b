"""Bundles: the projects' own modules, kept under their digest for the runs that were queued with them."""

from __future__ import annotations

import re

from modelyard.config.bundles import unpack
from modelyard.errors import IntegrityError, InvalidData, NotFound
from modelyard.registry.artifacts import BUNDLES
from modelyard.registry.rules.base import Rules

_DIGEST = re.compile(r"[0-9a-f]{64}")


class BundleRules(Rules):
    """The calls about bundles. Nothing here imports one: they are bytes, and are handed out as they came."""

    def keep_bundle(self, digest: str, content: bytes) -> None:
        key = _key(digest)
        try:
            unpack(content, digest)
        except IntegrityError as error:
            msg = f"what was sent is not the bundle {digest[:12]}: {error.reason}"
            raise InvalidData(msg, "send the zip that Modelyard packs of a project's module") from error
        # Written again where it is there already: a sweep spares what is young. A process that dies after this leaves
        # a bundle that no run names, for the sweep.
        with self._artifacts.writing(key) as writer:
            writer.write(content)

    def read_bundle(self, digest: str) -> bytes:
        try:
            return b"".join(self._artifacts.read(_key(digest)))
        except NotFound as error:
            msg = f"the registry holds no bundle {digest[:12]}"
            raise NotFound(msg, "run `modelyard train` where the project is: it keeps the project's modules") from error


def _key(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        msg = f"{digest[:80]!r} is no bundle's digest"
        raise InvalidData(msg, "it is 64 hexadecimal characters")
    return f"{BUNDLES}/{digest}.zip"
