"""Contents that may be large: kept in the record while they are small, else in the artifact store under their digest.

A record keeps its place in one table whatever a definition holds; what refers to a document names its content.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modelyard.canonical import canonical_json
from modelyard.errors import IntegrityError, InvalidData
from modelyard.registry.artifacts import DOCUMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelyard.registry.artifacts import ArtifactStore

LARGEST_INLINE = 64 * 1024
"""Bytes of a content that stays in its record: a key-value store's items are small, and lists of them quick."""

LARGEST = 4 * 1024**2
"""Bytes of the largest content: a definition of documents of a mebibyte each, the greatest that the loader reads."""

DEEPEST = 100
"""Levels of a content: a document of a config has 32 at most, and what reads stored JSON gives up beyond 200."""

_POINTER = "$document"


class Documents:
    """Puts large contents into the artifact store, and gets them back."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    def shelve(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """The content as a record keeps it: itself, or a pointer to where it lies from now on.

        A process that dies after this leaves a document that nothing refers to, for the sweep.

        Raises:
            InvalidData: It is no JSON object, or too large.
        """
        body = plain_json(content)
        if len(body) <= LARGEST_INLINE:
            inline: dict[str, Any] = json.loads(body)
            return inline
        digest = hashlib.sha256(body).hexdigest()
        # Written again where it is there already: a sweep spares what is young.
        with self._artifacts.writing(f"{DOCUMENTS}/{digest}") as writer:
            writer.write(body)
        return {_POINTER: digest}

    def fetch(self, content: dict[str, Any]) -> dict[str, Any]:
        """The content that a record keeps, or points to.

        Raises:
            IntegrityError: The document is not what it was.
        """
        digest = pointer(content)
        if digest is None:
            return content
        body = b"".join(self._artifacts.read(f"{DOCUMENTS}/{digest}"))
        if hashlib.sha256(body).hexdigest() != digest:
            msg = f"document {digest} is not what was stored"
            raise IntegrityError(msg, "restore the registry from a backup")
        whole: dict[str, Any] = json.loads(body)
        return whole


def pointer(content: Mapping[str, Any]) -> str | None:
    """The digest of the document that a record's content points to, if it does."""
    return content[_POINTER] if len(content) == 1 and _POINTER in content else None


def plain_json(content: Mapping[str, Any]) -> bytes:
    """The canonical JSON of a content.

    Raises:
        InvalidData: It holds what JSON can't, NaN or broken characters, nests too deep, or is too large.
    """
    try:
        body = canonical_json(dict(content))
    except (ValueError, TypeError, RecursionError) as error:
        msg = f"the content is no plain JSON: {error}"
        raise InvalidData(msg, "leave out NaN, Infinity and broken Unicode, and nest less deep") from error
    if _is_deeper(content, DEEPEST):
        msg = f"the content is nested more than {DEEPEST} levels deep"
        raise InvalidData(msg, "nest less deep")
    if len(body) > LARGEST or _POINTER in content:
        msg = f"the content has {len(body)} bytes, and {LARGEST} are possible; `{_POINTER}` is reserved"
        raise InvalidData(msg)
    return body


def _is_deeper(content: object, levels: int) -> bool:
    """Whether a JSON value has more than so many levels of objects and lists."""
    match content:
        case Mapping():
            parts: Iterable[object] = content.values()
        case list() | tuple():
            parts = content
        case _:
            return False
    return levels == 0 or any(_is_deeper(part, levels - 1) for part in parts)
