"""Backup and restore of a registry on this machine: its database and its artifacts, as one moment saw them.

A backup is a folder, or a zip, that holds `registry.db`, `artifacts/` and `backup.json`. It is taken while others go
on working: the database first, as it is at one moment, then the files that it refers to, which never change. All
but logs, of which no digest is recorded, is verified when a backup is taken, and again when it is restored.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import zipfile
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.canonical import file_digest
from modelyard.errors import Conflict, IntegrityError, InvalidData, UsageError
from modelyard.files import io_errors, sync_folder
from modelyard.registry.artifacts import BUNDLES, DOCUMENTS, RUNS, finished
from modelyard.registry.home import ARTIFACTS, DATABASE, RegistryHome
from modelyard.registry.integrity import check_whole, kept_versions
from modelyard.registry.zips import UNSOUND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.registry.metadata import MetadataStore

MANIFEST = "backup.json"
FORMAT = 1

_MEMBER = re.compile(r"registry\.db|backup\.json|artifacts(/[A-Za-z0-9_][A-Za-z0-9._-]*)+")


@dataclass(frozen=True)
class Backup:
    """What a backup says of itself."""

    format: int
    made_at: str
    files: int
    """Artifacts, logs, documents and bundles."""
    size: int
    """Their bytes."""
    database: str
    """The database's SHA-256."""


def back_up(home: Path, to: Path) -> Backup:
    """Take a backup. A process that dies on the way leaves a folder whose name starts with a dot, and no backup.

    Args:
        home: The folder that holds `registry.db` and `artifacts`.
        to: The folder to make, or the zip, where the name ends in `.zip`.

    Raises:
        Conflict: There is something at `to`.
        UsageError: There is no registry in `home`.
        IntegrityError: A file is not as recorded.
        StorageFull: There is no room.
    """
    if to.exists():
        msg = f"`{to}` is there already"
        raise Conflict(msg, "name a new folder or zip")
    RegistryHome(home).check()
    with io_errors(to), _scratch(to) as folder:
        backup = _fill(folder, home)
        if to.suffix == ".zip":
            _zip(folder, folder.with_suffix(".zip"))
            folder.with_suffix(".zip").replace(to)
        else:
            folder.replace(to)
        sync_folder(to.parent)
    return backup


@contextmanager
def _scratch(to: Path) -> Iterator[Path]:
    """A folder beside a target, to be filled and then renamed; what is left of it goes."""
    to.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=to.parent, prefix=f".{to.name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_suffix(".zip").unlink(missing_ok=True)


def _fill(folder: Path, home: Path) -> Backup:
    with closing(RegistryHome(home).metadata()) as live:
        live.copy_to(folder / DATABASE)
    files = size = 0
    with closing(RegistryHome(folder).metadata()) as copy:
        for key in _keys(copy, home):
            size += _link(home / ARTIFACTS / key, folder / ARTIFACTS / key)
            files += 1
        check_whole(copy, RegistryHome(folder).artifacts(), "the registry")
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    backup = Backup(FORMAT, made_at, files, size, file_digest(folder / DATABASE))
    (folder / MANIFEST).write_text(json.dumps(asdict(backup), indent=2))
    _sync_tree(folder)
    return backup


def _keys(metadata: MetadataStore, home: Path) -> Iterator[str]:
    """The keys of a backup: what versions hold, and every log, document and bundle, of which some may be unneeded."""
    for version in kept_versions(metadata):
        yield from (f"{version.location}/{artifact.path}" for artifact in version.artifacts)
    store = RegistryHome(home).artifacts()
    for prefix in (RUNS, DOCUMENTS, BUNDLES):
        yield from finished(store, prefix)


def _link(source: Path, to: Path) -> int:
    """Put a file into a backup without copying it, where the file system can: artifacts are replaced, never changed."""
    to.parent.mkdir(parents=True, exist_ok=True)
    if not source.is_file():
        msg = f"`{source}` is missing"
        raise IntegrityError(msg, "was it removed by a sweep just now? then take the backup again")
    try:
        os.link(source, to)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(source, to)
    return to.stat().st_size


def _sync_tree(folder: Path) -> None:
    for holder, _, names in os.walk(folder):
        for name in names:
            with Path(holder, name).open("rb") as file:
                os.fsync(file.fileno())
        sync_folder(Path(holder))


def _zip(folder: Path, to: Path) -> None:
    # Not compressed: models are packed already, and reading a backup should need no time.
    with zipfile.ZipFile(to, "x", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.write(path, path.relative_to(folder).as_posix())
    with to.open("rb") as file:
        os.fsync(file.fileno())


def restore(source: Path, home: Path) -> Backup:
    """Put a backup where no registry is. The database comes last: before it is there, there is no registry.

    Args:
        source: The backup.
        home: The folder that will hold `registry.db` and `artifacts`.

    Raises:
        Conflict: There is a registry in `home`, or part of one.
        UsageError: There is nothing at `source`.
        InvalidData: The backup is none, or of a newer form.
        IntegrityError: The backup is damaged.
        StorageFull: There is no room.
    """
    taken = [name for name in (DATABASE, f"{DATABASE}-wal", ARTIFACTS) if (home / name).exists()]
    if taken:
        msg = f"`{home}` holds {', '.join(taken)} already"
        raise Conflict(msg, "restore into another folder, or move that registry away")
    if not source.exists():
        msg = f"there is no `{source}`"
        raise UsageError(msg, "name a folder or zip that `modelyard registry backup` made")
    with io_errors(home), _scratch(home / "restore") as folder:
        if source.is_dir():
            _copy_members(source, folder)
        else:
            _unpack(source, folder)
        backup = _verified(folder)
        _sync_tree(folder)
        if (folder / ARTIFACTS).exists():
            (folder / ARTIFACTS).replace(home / ARTIFACTS)
        (folder / DATABASE).replace(home / DATABASE)
        sync_folder(home)
    return backup


def _copy_members(source: Path, folder: Path) -> None:
    for path in source.rglob("*"):
        name = path.relative_to(source).as_posix()
        if path.is_file() and not path.is_symlink() and _MEMBER.fullmatch(name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)


def _unpack(source: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(source) as archive:
            for member in archive.infolist():
                if not _MEMBER.fullmatch(member.filename):
                    msg = f"`{source}` is no backup: it holds {member.filename[:100]!r}"
                    raise InvalidData(msg, "name a folder or zip that `modelyard registry backup` made")
                to = folder / member.filename
                to.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as packed, to.open("wb") as file:
                    shutil.copyfileobj(packed, file)
    except UNSOUND as error:
        msg = f"`{source}` is no sound zip: {error}"
        raise IntegrityError(msg, "restore another backup") from error


def _verified(folder: Path) -> Backup:
    try:
        backup = Backup(**json.loads((folder / MANIFEST).read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        msg = f"there is no backup: {MANIFEST} is missing or can't be read"
        raise InvalidData(msg, "name a folder or zip that `modelyard registry backup` made") from error
    if backup.format != FORMAT:
        msg = f"the backup has form {backup.format}, and this Modelyard knows {FORMAT}"
        raise InvalidData(msg, "restore it with the version of Modelyard that made it")
    if not (folder / DATABASE).is_file() or file_digest(folder / DATABASE) != backup.database:
        msg = "the backup's database is not the one that was saved"
        raise IntegrityError(msg, "restore another backup")
    with closing(RegistryHome(folder).metadata()) as metadata:
        if problems := metadata.check():
            msg = f"the backup's database is damaged: {problems[0]}"
            raise IntegrityError(msg, "restore another backup")
        check_whole(metadata, RegistryHome(folder).artifacts(), "the backup")
    return backup
