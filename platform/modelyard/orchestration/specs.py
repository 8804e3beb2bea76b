"""Spec files: one small JSON file a model, between the poller that writes them and the DAG loader that reads them.

    FOLDER/3f/ke_loan_default.json      the plan of the model's DAG, the format's number, and a digest over both
    FOLDER/poll.json                    how far the poller has come (`poll_state.py`)

A file's folder is the start of the digest of its model's name, so that a loader can take a part of the models, or one
of them, without looking at the others. A file is replaced whole or not at all; one that was damaged is one error, and
never a wrong DAG. The DAG loader imports this module at every parse, so it is light. What changes the content's meaning
raises `FORMAT`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from modelyard.canonical import digest
from modelyard.errors import IntegrityError, NotFound
from modelyard.files import UNFINISHED, io_errors, sync_folder, writing_whole
from modelyard.orchestration.plan import DagPlan, LiveInterval

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMAT: Final = 1
"""The number of the format that is written, and the only one that is read."""

SHARDS: Final = 256
"""How many folders the specs are spread over: with 10,000 models, 40 in each."""

_TEMPORARY: Final = ".tmp"


def shard_of(model: str) -> int:
    """The number of the folder that a model's spec lies in, from 0 to 255."""
    return hashlib.sha256(model.encode()).digest()[0]


def spec_path(folder: Path, model: str) -> Path:
    """Where a model's spec lies."""
    return folder.joinpath(*_place(model))


def spec_paths(folder: Path, shards: range = range(SHARDS)) -> Iterator[Path]:
    """The spec files that are there, by shard and name.

    Args:
        folder: The folder of specs.
        shards: The shards to look into.

    Raises:
        NotFound: There is no such folder.
    """
    if not folder.is_dir():
        reason = f"{folder}, the folder of DAG specs, is not there"
        raise NotFound(reason, "run `modelyard poll`, which makes it, or set MODELYARD_SPECS to where it is")
    for shard in shards:
        place = folder / _shard(shard)
        if place.is_dir():
            yield from sorted(path for path in place.iterdir() if path.suffix == ".json")


def read_spec(path: Path) -> DagPlan:
    """The plan that a spec file holds.

    Raises:
        NotFound: The file is not there.
        IntegrityError: It is damaged, of another format, or not the file of the model that it names.
    """
    try:
        content = json.loads(path.read_bytes())
        written, kept, plan = content["format"], content["digest"], content["plan"]
        found = _digest(plan)
    except FileNotFoundError as error:
        reason = f"{path} is not there"
        raise NotFound(reason, "`modelyard dags` lists the models that have a DAG, and why others have none") from error
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(path, f"it can't be read as a spec ({type(error).__name__}: {error})") from error
    if written != FORMAT:
        raise _damaged(path, f"its format is {written}, and this Modelyard reads {FORMAT}")
    if kept != found:
        raise _damaged(path, "its content is not what was written")
    if (place := _place(plan["model"])) != (path.parent.name, path.name):
        raise _damaged(path, f"it holds the plan of `{plan['model']}`, which belongs into {'/'.join(place)}")
    return _from_json(plan)


def read_specs(folder: Path, shards: range = range(SHARDS)) -> Iterator[DagPlan | IntegrityError]:
    """The plans of all models, each read on its own: a damaged file is an error in its place.

    Args:
        folder: The folder of specs.
        shards: The shards to read.

    Raises:
        NotFound: There is no such folder.
    """
    for path in spec_paths(folder, shards):
        try:
            yield read_spec(path)
        except IntegrityError as error:
            yield error
        except NotFound:
            continue  # removed since the folder was listed


def write_spec(folder: Path, plan: DagPlan) -> bool:
    """Make a plan's spec file current.

    The file is replaced by a rename. If the process dies before it, the old file stays and a temporary one beside it,
    which the next full poll removes.

    Returns:
        Whether there was something to do; a file with the same bytes is left alone.
    """
    path = spec_path(folder, plan.model)
    plain = _to_json(plan)
    content = json.dumps({"format": FORMAT, "digest": _digest(plain), "plan": plain}, indent=1) + "\n"
    return replace_file(path, content.encode())


def remove_spec(folder: Path, model: str) -> bool:
    """Remove a model's spec file.

    Returns:
        Whether it was there.
    """
    path = spec_path(folder, model)
    if not path.exists():
        return False
    discard(path)
    return True


def discard(path: Path) -> None:
    """Remove whatever lies in a spec's place; the folder of specs holds nothing that the registry does not know.

    Raises:
        Unavailable: The disk does not let it go.
    """
    with io_errors(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        sync_folder(path.parent)


def remove_temporary(folder: Path) -> None:
    """Remove what writers that died have left. Nobody else may be writing."""
    for path in folder.glob(f"**/.*{UNFINISHED}"):
        discard(path)


def replace_file(path: Path, content: bytes) -> bool:
    """Make a file hold some bytes, whole or not at all.

    Returns:
        Whether it held others, or was not there.

    Raises:
        StorageFull: There is no room.
        Unavailable: The disk does not take it for another reason.
    """
    with io_errors(path):
        if path.is_file() and path.read_bytes() == content:
            return False
    if path.is_dir():
        discard(path)
    with writing_whole(path) as file:
        file.write(content)
    return True


def _place(model: str) -> tuple[str, str]:
    return _shard(shard_of(model)), f"{model}.json"


def _shard(shard: int) -> str:
    return f"{shard:02x}"


def _digest(plan: Any) -> str:
    return digest({"format": FORMAT, "plan": plan})


def _damaged(path: Path, why: str) -> IntegrityError:
    return IntegrityError(f"{path}: {why}", "run `modelyard poll --full`, which writes every spec anew")


def _to_json(plan: DagPlan) -> dict[str, Any]:
    return {
        "model": plan.model,
        "project": plan.project,
        "team": plan.team,
        "schedule": plan.schedule,
        "timezone": plan.timezone,
        "intervals": [
            {
                "version": interval.version,
                "from": interval.start.isoformat(),
                "to": interval.end.isoformat() if interval.end else None,
            }
            for interval in plan.intervals
        ],
        "feature_sets": {str(number): dict(sorted(pins.items())) for number, pins in sorted(plan.feature_sets.items())},
    }


def _from_json(plan: dict[str, Any]) -> DagPlan:
    intervals = tuple(
        LiveInterval(
            start=datetime.fromisoformat(interval["from"]),
            end=datetime.fromisoformat(interval["to"]) if interval["to"] else None,
            version=interval["version"],
        )
        for interval in plan["intervals"]
    )
    feature_sets = {int(number): pins for number, pins in plan["feature_sets"].items()}
    return DagPlan(**{**plan, "intervals": intervals, "feature_sets": feature_sets})
