"""A look into a zip without unpacking it: what it holds must be plain, bounded, and no pickle."""

from __future__ import annotations

import io
import lzma
import re
import stat
import zipfile
import zlib
from typing import BinaryIO

from modelyard.registry.pickles import HEAD, is_pickle

MOST_MEMBERS = 10_000
LARGEST = 20 * 1024**3  # bytes, unpacked
GREATEST_RATIO = 1000  # unpacked to packed; deflate reaches 1,032 on zeros, real arrays a hundred
_SMALL = 10 * 1024**2  # bytes that are harmless at any ratio

_PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth")
_ZIPS = (".npz", ".zip", ".skops")
UNSOUND: tuple[type[Exception], ...] = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    RuntimeError,  # encrypted, or packed in a way that is not known
    EOFError,
    ValueError,
)
"""What reading a zip raises that is damaged, or can't be unpacked; beside what the disk raises."""
_UNREADABLE: tuple[type[Exception], ...] = (*UNSOUND, OSError)  # bzip2 says so of bad data, and seeking of bad places
_END = 22  # bytes of a zip's last record without a comment
_SYMLINK_SHIFT = 16  # where a zip keeps a file's Unix mode
_ENCRYPTED = 0x1
_OBJECTS = re.compile(rb"'descr':\s*(\[.*)?'\|?O")
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"]\0\0", b'\x04"M\x18', b"\x28\xb5\x2f\xfd")
"""How gzip, bzip2, xz, lzma, lz4 and zstandard begin: packed once more, a member can't be looked at."""


def problem(file: BinaryIO, *, nested: bool = False) -> str:
    """What is wrong with a zip; empty where nothing is.

    Args:
        file: The zip, from its beginning.
        nested: Whether the zip lies in another one.
    """
    if not _stands_alone(file):
        return "it does not begin and end as a zip does"
    try:
        with zipfile.ZipFile(file) as archive:
            return _bounds(archive) or _first_problem(archive, nested=nested)
    except _UNREADABLE as error:
        return f"it is no sound zip ({error})"


def _stands_alone(file: BinaryIO) -> bool:
    """Whether nothing lies before the first member or after the end: a place where something could hide."""
    begins = file.read(4) == b"PK\x03\x04"
    file.seek(max(0, file.seek(0, io.SEEK_END) - _END))
    end = file.read()
    file.seek(0)
    return begins and end[:4] == b"PK\x05\x06" and end[-2:] == b"\0\0"


def _bounds(archive: zipfile.ZipFile) -> str:
    members = archive.infolist()
    unpacked = sum(member.file_size for member in members)
    packed = sum(member.compress_size for member in members)
    if len(members) > MOST_MEMBERS:
        return f"it has more than {MOST_MEMBERS} members"
    if unpacked > LARGEST or (unpacked > _SMALL and unpacked > GREATEST_RATIO * packed):
        return f"it unpacks to {unpacked} bytes"
    names = [member.filename for member in members]
    return "two of its members share a name" if len(set(names)) < len(names) else ""


def _first_problem(archive: zipfile.ZipFile, *, nested: bool) -> str:
    for member in archive.infolist():
        text = _name_problem(member) or _content_problem(archive, member, nested=nested)
        if text:
            return f"its member {member.filename[:100]!r} {text}"
    return ""


def _name_problem(member: zipfile.ZipInfo) -> str:
    parts = member.filename.split("/")
    if member.filename.startswith(("/", "\\")) or ".." in parts or ":" in parts[0] or "\\" in member.filename:
        return "has a path that leads outside"
    if stat.S_ISLNK(member.external_attr >> _SYMLINK_SHIFT):
        return "is a link"
    if member.flag_bits & _ENCRYPTED:
        return "is encrypted"
    return "is a pickle, by its name" if member.filename.lower().endswith(_PICKLES) else ""


def _content_problem(archive: zipfile.ZipFile, member: zipfile.ZipInfo, *, nested: bool) -> str:
    with archive.open(member) as content:
        head = content.read(HEAD)
    if is_pickle(head):
        return "is a pickle"
    if head.startswith(b"\x93NUMPY") and _OBJECTS.search(head):
        return "is an array of Python objects, which NumPy pickles"
    if head.startswith(_PACKED):
        return "is packed once more"
    if head.startswith(b"PK"):
        return _nested_problem(archive, member, nested=nested)
    return ""


def _nested_problem(archive: zipfile.ZipFile, member: zipfile.ZipInfo, *, nested: bool) -> str:
    if nested or not member.filename.endswith(_ZIPS):
        return "is a zip"
    with archive.open(member) as content:
        found = problem(content, nested=True)  # type: ignore[arg-type]  # reads, seeks and tells as a file
    return f"is a zip, and {found}" if found else ""
