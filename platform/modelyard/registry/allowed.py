"""Which files a version may hold: an allow-list by suffix, and a look at the bytes of each.

Nothing that Modelyard stores runs code when it is read, so pickles are refused by whatever name they come: by suffix,
by how the bytes begin, behind something else, or inside a zip. One more kind of file is one more line in `ALLOWED`.
"""

from __future__ import annotations

import codecs
import io
import os
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, BinaryIO

from modelyard.errors import InvalidData, RefusedContent
from modelyard.registry import zips
from modelyard.registry.pickles import HEAD, is_pickle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelyard.registry.records import Artifact

MOST_ARTIFACTS = 100
LARGEST = 50 * 1024**3  # bytes; beyond it, sending the file in one request is no longer sensible
LONGEST_PATH = 200

_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*){0,7}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Kind:
    """A kind of file."""

    media_type: str
    check: Callable[[BinaryIO], str]
    """What is wrong with the bytes; empty where nothing is."""


def check_artifacts(artifacts: Sequence[Artifact]) -> None:
    """Check what a creator claims of its files, before there are bytes.

    Raises:
        InvalidData: A path, a size or a digest is not acceptable.
        RefusedContent: A file is of a kind that is not stored.
    """
    if not 1 <= len(artifacts) <= MOST_ARTIFACTS:
        msg = f"a version has 1 to {MOST_ARTIFACTS} artifacts, not {len(artifacts)}"
        raise InvalidData(msg)
    for artifact in artifacts:
        _check_claimed(artifact)
    _check_apart([artifact.path for artifact in artifacts])


def _check_claimed(artifact: Artifact) -> None:
    path = artifact.path
    if len(path) > LONGEST_PATH or not _PATH.fullmatch(path):
        msg = f"{path[:LONGEST_PATH]!r} is no artifact's path"
        raise InvalidData(msg, "use letters, digits, dot, hyphen and underscore; `/` between at most eight names")
    if not 0 <= artifact.size <= LARGEST:
        msg = f"`{path}` can't have {artifact.size} bytes: 0 to {LARGEST} are possible"
        raise InvalidData(msg)
    if not _SHA256.fullmatch(artifact.sha256):
        msg = f"the SHA-256 of `{path}` is not 64 hexadecimal characters"
        raise InvalidData(msg)
    kind = _kind_of(path)
    if artifact.media_type not in (kind.media_type, "application/octet-stream"):
        msg = f"`{path}` can't have the media type {artifact.media_type!r}"
        raise RefusedContent(msg, f"leave it out, or say {kind.media_type}")


def _check_apart(paths: Sequence[str]) -> None:
    # Compared without case: some file systems see no difference between `a` and `A`.
    names = sorted(f"{path}/".casefold() for path in paths)
    for shorter, longer in pairwise(names):
        if longer.startswith(shorter):
            msg = f"two artifacts share the path `{shorter.rstrip('/')}`"
            raise InvalidData(msg, "give each a path of its own, and none that of another's folder")


def check_content(path: str, file: BinaryIO) -> None:
    """Check that a file's bytes are what its suffix says.

    Raises:
        RefusedContent: They are something else, or a pickle.
    """
    if problem := _kind_of(path).check(file):
        msg = f"`{path}` is refused: {problem}"
        raise RefusedContent(msg, "store models as skops, native booster files or ONNX; pickles are never stored")


def _kind_of(path: str) -> Kind:
    suffix = os.path.splitext(path)[1]  # noqa: PTH122 - a path of the store, not of a file system
    kind = ALLOWED.get(suffix)
    if kind is None:
        msg = f"`{path}` is of a kind that is not stored"
        raise RefusedContent(msg, f"store one of {' '.join(ALLOWED)}; pickles are never stored")
    return kind


def _check_text(file: BinaryIO) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    head = file.read(HEAD)
    if is_pickle(head):
        return "it is a pickle"
    block = head
    try:
        while block:
            if b"\0" in block:
                return "it is no text"
            decoder.decode(block)
            block = file.read(_BLOCK)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "it is no UTF-8 text"
    return ""


def _check_ends(first: bytes, last: bytes) -> Callable[[BinaryIO], str]:
    def check(file: BinaryIO) -> str:
        head = file.read(HEAD)
        file.seek(max(0, file.seek(0, io.SEEK_END) - HEAD))
        tail = file.read()
        if is_pickle(head):
            return "it is a pickle"
        begins, ends = head.lstrip()[:1] in _each(first), tail.rstrip()[-1:] in _each(last)
        return "" if begins and ends else "it does not begin and end as such a file does"

    return check


def _each(characters: bytes) -> list[bytes]:
    return [bytes([character]) for character in characters]


def _check_json(file: BinaryIO) -> str:
    problem = _check_text(file)
    file.seek(0)
    return problem or _check_ends(b"{[", b"}]")(file)


def _check_parquet(file: BinaryIO) -> str:
    begins = file.read(4) == b"PAR1"
    file.seek(max(0, file.seek(0, io.SEEK_END) - 4))
    return "" if begins and file.read() == b"PAR1" else "it does not begin and end as a Parquet file does"


_ONNX_FIELDS = (1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26)  # those of ONNX's ModelProto
_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10


def _check_onnx(file: BinaryIO) -> str:
    """Walk the fields of the outermost message: each must be one of ONNX's, and the last must end with the file."""
    end = file.seek(0, io.SEEK_END)
    file.seek(0)
    while (position := file.tell()) < end:
        tag = _read_varint(file)
        field, wire = divmod(tag, 8)
        if field not in _ONNX_FIELDS or wire not in (_VARINT, _DELIMITED):
            return f"byte {position} is no field of an ONNX model"
        value = _read_varint(file)
        if wire == _DELIMITED:
            file.seek(min(end + 1, file.tell() + value))  # a length that lies may be beyond what can be sought
    return "" if end and file.tell() == end else "it ends within a field"


def _read_varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(_LONGEST_VARINT):
        byte = file.read(1)
        if not byte:
            break
        value |= (byte[0] & 0x7F) << 7 * shift
        if byte[0] < 0x80:  # noqa: PLR2004 - the upper bit says that more follows
            break
    return value


def _check_zip(file: BinaryIO) -> str:
    return zips.problem(file)


ALLOWED = {
    ".skops": Kind("application/zip", _check_zip),
    ".json": Kind("application/json", _check_json),
    ".ubj": Kind("application/ubjson", _check_ends(b"{", b"}")),
    ".txt": Kind("text/plain", _check_text),
    ".onnx": Kind("application/onnx", _check_onnx),
    ".parquet": Kind("application/vnd.apache.parquet", _check_parquet),
    ".zip": Kind("application/zip", _check_zip),
    ".md": Kind("text/markdown", _check_text),
    ".html": Kind("text/html", _check_text),
}
"""The kinds of files that are stored, by suffix."""
