"""The pipeline's own file: skops, with the types that may be in it taken from the allow-list, never from the file."""

from __future__ import annotations

import io
import re
import struct
import threading
import warnings
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

from modelyard.errors import IntegrityError, InvalidData
from modelyard.training.modules import MODULES

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_BYTES = 4 << 30  # of all members unpacked; the largest forests that people keep are a tenth of it
_MEMBER = re.compile(r"schema\.json|\d+\.np[yz]")
_UNREADABLE = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, ImportError, EOFError, OSError, RecursionError,
    MemoryError, NotImplementedError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What skops, NumPy and zipfile raise on files that nobody would write."""
_turn = threading.Lock()
"""One file at a time: filters of warnings are the process's, and NumPy reads headers with a parser that is not safe for
threads before Python 3.11.8 (python/cpython#106905)."""


def trusted_types(bundled: Collection[str] = ()) -> list[str]:
    """The types that a stored pipeline may hold, besides what skops knows to be harmless.

    Args:
        bundled: The classes of imported bundles.
    """
    return [*(name for module in MODULES.values() for name in module.trusted), *bundled]


def dump(pipeline: Any, bundled: Collection[str] = ()) -> bytes:
    """A fitted pipeline as a skops file.

    Raises:
        InvalidData: It holds something that may not be stored.
    """
    import skops.io
    from skops.io.exceptions import UnsupportedTypeException

    hint = (
        "choose another class or other settings; nearest neighbours, for example, can be stored with algorithm: brute"
    )
    try:
        content: bytes = skops.io.dumps(pipeline, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
    except (UnsupportedTypeException, TypeError, ValueError, RecursionError) as error:
        reason = f"the fitted pipeline can't be stored: {error}"
        raise InvalidData(reason, hint) from error
    unknown = set(skops.io.get_untrusted_types(data=content)) - set(trusted_types(bundled))
    if unknown:
        listed = ", ".join(f"`{name}`" for name in sorted(unknown))
        reason = f"the fitted pipeline can't be stored: it holds {listed}, not known to be harmless in a file"
        raise InvalidData(reason, hint)
    return content


def load(content: bytes, bundled: Collection[str] = ()) -> Any:
    """The pipeline of a skops file. No code runs but that of the types on the allow-list.

    Raises:
        IntegrityError: It is no skops file, is malformed, or holds another type.
    """
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    _check_archive(content)
    try:
        with _turn, warnings.catch_warnings():
            # scikit-learn warns that another version wrote it. The golden rows say whether that matters.
            warnings.simplefilter("ignore")
            return skops.io.loads(content, trusted=trusted_types(bundled))
    except UntrustedTypesFoundException as error:
        reason = f"the pipeline's file holds types that may not be loaded: {str(error).splitlines()[0]}"
        raise IntegrityError(reason, "train the model again with this version of Modelyard") from error
    except _UNREADABLE as error:
        reason = f"the pipeline's file can't be read: {type(error).__name__}: {error}"
        raise IntegrityError(reason) from error


def _check_archive(content: bytes) -> None:
    try:
        members = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except _UNREADABLE as error:
        reason = "the pipeline's file is no skops file"
        raise IntegrityError(reason, "only skops files are read; a pickle is never loaded") from error
    strange = [member.filename for member in members if not _MEMBER.fullmatch(member.filename)]
    if strange or sum(member.file_size for member in members) > MAX_BYTES:
        reason = f"the pipeline's file holds {strange[0]!r}" if strange else "the pipeline's file unpacks to too much"
        raise IntegrityError(reason, "skops files hold a schema and arrays, nothing else")
