"""One way to turn a value into bytes and into an identity.

Identities (of a config, a run, a training set) are digests of canonical JSON, so that the order of keys,
the machine and the Python version do not matter.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def canonical_json(value: Any) -> bytes:
    """The canonical JSON of a value: UTF-8, keys sorted, no white space, no NaN or Infinity.

    Args:
        value: Anything that JSON can hold.

    Raises:
        ValueError: The value holds NaN or Infinity.
        TypeError: The value holds something that JSON cannot.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def digest(value: Any) -> str:
    """The SHA-256 of a value's canonical JSON, as 64 hexadecimal characters."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's bytes, as 64 hexadecimal characters; memory does not grow with the file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def chunks_digest(chunks: Iterable[bytes]) -> tuple[str, int]:
    """The SHA-256 of bytes that come in chunks, as 64 hexadecimal characters, and how many they are."""
    whole = hashlib.sha256()
    size = 0
    for chunk in chunks:
        whole.update(chunk)
        size += len(chunk)
    return whole.hexdigest(), size
