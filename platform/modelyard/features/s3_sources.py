"""Sources that lie in S3: `s3://bucket/folder/*.parquet`, fetched to this machine before the engine opens anything.

The engine itself opens no connection: its own way to S3 is an extension that it would download when it runs. An object
is fetched once for each state of it, by its ETag, into the cache that datasets share.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from modelyard.config.kinds.source import S3
from modelyard.errors import InvalidData, MissingExtra, ModelyardError, Unavailable
from modelyard.features.source_places import ANYWHERE
from modelyard.filecache import Wanted
from modelyard.s3 import Bucket, Differs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.config.kinds import Source
    from modelyard.features.source_places import SourcePlaces
    from modelyard.filecache import FileCache
    from modelyard.s3 import Head

_WILD = re.compile(r"[*?\[]")
_TOKEN = re.compile(r"(\*|\?|\[!?[^\]/^]+\])")
_SUFFIX = re.compile(r"(\.[A-Za-z0-9]{1,10}){1,2}$")
_SHOWN = 5  # keys that a hint names


class S3Sources:
    """Finds and fetches the objects of sources.

    Args:
        cache: Where they come to lie.
        places: Where sources may lie.
    """

    def __init__(self, cache: FileCache, places: SourcePlaces = ANYWHERE) -> None:
        self._cache = cache
        self._places = places

    def fetch(self, source: Source) -> dict[str, str]:
        """The files of a source on this machine, in the order of their keys, each with its address in S3.

        If the process dies, what was fetched whole stays for the next one.

        Raises:
            InvalidData: There are none, or they lie where they may not.
            UsageError: The bucket is not there, or we may not read it.
            StorageFull: There is no room on this machine.
            Unavailable: S3 does not answer, or an object was replaced meanwhile.
        """
        self._places.check(source, source.path)  # first: what else a bucket holds is not everybody's to know
        name, _, pattern = source.path.removeprefix(S3).partition("/")
        bucket = Bucket(name)
        with _named(source):
            heads = _matching(bucket, pattern)
        for head in heads:
            self._places.check(source, bucket.address(head.key))
        with _named(source):
            if not heads:
                reason = f"there is no object {source.path}"
                raise InvalidData(reason, _nearest(bucket, pattern))
            paths = self._cache.fetch([_wanted(bucket, head) for head in heads])
        return {str(path): bucket.address(head.key) for path, head in zip(paths, heads, strict=True)}


@contextmanager
def _named(source: Source) -> Iterator[None]:
    """Let errors say which source they are about."""
    try:
        yield
    except Differs as error:
        reason = f"source `{source.name}`: {error.reason}"
        raise Unavailable(reason, "run it again when nobody writes there") from error
    except MissingExtra:
        raise
    except ModelyardError as error:
        reason = f"source `{source.name}`: {error.reason}"
        raise type(error)(reason, error.hint) from error


def _matching(bucket: Bucket, pattern: str) -> list[Head]:
    wanted = _regex(pattern)
    return [head for head in bucket.listed(_fixed(pattern)) if wanted.fullmatch(head.key) and head.key[-1] != "/"]


def _fixed(pattern: str) -> str:
    """What every key begins with that a pattern matches."""
    wild = _WILD.search(pattern)
    return pattern[: wild.start()] if wild else pattern


def _regex(pattern: str) -> re.Pattern[str]:
    """A pattern as `glob` reads it: `**` is any number of folders, and no wildcard begins with a dot."""
    parts = []
    *folders, last = pattern.split("/")
    for part in folders:
        parts.append(r"(?:[^/.][^/]*/)*" if part == "**" else f"{_part(part)}/")
    return re.compile("".join(parts) + _part(last.replace("**", "*")))


def _part(pattern: str) -> str:
    """A part of a pattern between two slashes; `*`, `?`, `[a-z]` and `[!a-z]` mean something, all else itself."""
    hidden = r"(?!\.)" if _WILD.match(pattern) else ""
    return hidden + "".join(map(_token, _TOKEN.split(pattern)))


def _token(token: str) -> str:
    match token:
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
        case _ if _TOKEN.fullmatch(token):
            inside = token[1:-1].replace("\\", "\\\\")
            return f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
    return re.escape(token)


def _nearest(bucket: Bucket, pattern: str) -> str:
    folder = _fixed(pattern).rpartition("/")[0]
    below = f"{folder}/" if folder else ""
    names = [head.key for head, _ in zip(bucket.listed(below), range(_SHOWN), strict=False)]
    return f"{bucket.address(below)} holds {', '.join(names) or 'nothing'}"


def _wanted(bucket: Bucket, head: Head) -> Wanted:
    address = bucket.address(head.key)
    state = hashlib.sha256(f"{address}\0{head.etag}\0{head.size}".encode()).hexdigest()
    suffix = found[0] if (found := _SUFFIX.search(head.key)) else ""
    return Wanted(state, suffix, head.size, None, partial(bucket.read, head.key, etag=head.etag), address)
