"""The Range header: which part of a file is asked for. Pure, as RFC 9110 has it, for one range of bytes."""

from __future__ import annotations

import re

from modelyard.errors import InvalidData

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


class Unsatisfiable(InvalidData):
    """No byte of the file lies in the range that is asked for."""


def read_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The first byte that is asked for, and the one after the last; None where the whole file is.

    Several ranges, and what can't be understood, ask for the whole file.

    Args:
        header: The header, if there is one.
        size: The file's bytes.

    Raises:
        Unsatisfiable: No byte of the file lies in the range.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < int(first):
            return None
    if start >= end:
        msg = f"the file has {size} bytes, and none of them is in `{header}`"
        raise Unsatisfiable(msg)
    return start, end
