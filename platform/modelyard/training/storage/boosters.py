"""Boosters leave a pipeline for files of their own, in their library's format, and come back from there.

Their libraries would rebuild them from a blob inside the pipeline's file, where nothing could look at it first. One
more library is one more entry in `FORMATS`, with a check that its files go through before native code reads them.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelyard.errors import IntegrityError
from modelyard.training.storage.graph import walk
from modelyard.training.storage.lightgbm_text import check_lightgbm
from modelyard.training.storage.xgboost_json import check_xgboost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass
class StoredBooster:
    """What stands in a stored pipeline where a booster was."""

    file: str
    """The booster's file."""
    format: str
    """A name in `FORMATS`."""


@dataclass(frozen=True)
class BoosterFormat:
    """How one library's boosters are written, checked and read."""

    library: str
    """The module of the library's booster class."""
    suffix: str
    write: Callable[[Any], bytes]
    read: Callable[[bytes, Any], Any]
    """From the file's bytes and the estimator that the booster belongs to."""


@contextmanager
def boosters_apart(pipeline: Any) -> Iterator[dict[str, bytes]]:
    """Take the boosters out of a fitted pipeline for a while.

    Yields:
        Their files' contents by file name. In the pipeline, `StoredBooster`s stand in for them.
    """
    taken: list[tuple[Any, Any]] = []
    files: dict[str, bytes] = {}
    try:
        for holder in list(walk(pipeline)):
            booster = getattr(holder, "_Booster", None)
            name = next((name for name, known in FORMATS.items() if _is_of(booster, known)), None)
            if name is not None:
                file = f"booster-{len(files)}{FORMATS[name].suffix}"
                files[file] = FORMATS[name].write(booster)
                taken.append((holder, booster))
                holder._Booster = StoredBooster(file, name)
        yield files
    finally:
        for holder, booster in taken:
            holder._Booster = booster


def put_back(pipeline: Any, files: Mapping[str, bytes]) -> None:
    """Rebuild the boosters of a loaded pipeline from their files.

    Raises:
        IntegrityError: A file is missing, or is not what its library writes.
    """
    for holder in list(walk(pipeline)):
        stored = getattr(holder, "_Booster", None)
        if isinstance(stored, StoredBooster):
            if stored.file not in files or stored.format not in FORMATS:
                reason = f"the pipeline names the booster file `{stored.file}`, which the version does not have"
                raise IntegrityError(reason)
            holder._Booster = FORMATS[stored.format].read(files[stored.file], holder)


def _is_of(booster: Any, known: BoosterFormat) -> bool:
    return type(booster).__name__ == "Booster" and type(booster).__module__.startswith(f"{known.library}.")


def _write_lightgbm(booster: Any) -> bytes:
    text: str = booster.model_to_string()
    return text.encode()


def _read_lightgbm(content: bytes, estimator: Any) -> Any:  # noqa: ARG001 - the booster needs nothing of it
    import lightgbm

    text = content.decode(errors="replace")
    check_lightgbm(text)
    return lightgbm.Booster(model_str=text)


def _write_xgboost(booster: Any) -> bytes:
    return bytes(booster.save_raw(raw_format="json"))


def _read_xgboost(content: bytes, estimator: Any) -> Any:
    import xgboost

    try:
        check_xgboost(json.loads(content))
    except (ValueError, RecursionError) as error:
        reason = f"a booster file is no JSON: {error}"
        raise IntegrityError(reason) from error
    booster = xgboost.Booster({"nthread": estimator.n_jobs})
    booster.load_model(bytearray(content))
    return booster


FORMATS = {
    "lightgbm": BoosterFormat("lightgbm", ".txt", _write_lightgbm, _read_lightgbm),
    "xgboost": BoosterFormat("xgboost", ".json", _write_xgboost, _read_xgboost),
}
"""The libraries whose boosters are stored apart."""
