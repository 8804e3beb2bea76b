"""Datasets in a folder of this machine, or of a file system that several machines share.

    <root>/<dataset>/_files/<staging>/*.parquet             what was staged; invisible until a manifest names it
    <root>/<dataset>/_manifests/<partition>/<number>.json   what was published; the greatest number wins

A manifest is complete and on the disk before it gets its name, and its name is made with a hard link, which fails
where the name exists; a partition's first one comes with its folder, renamed into place. So two publishers at once get
different numbers, and whoever dies at any point leaves either the old state or the new one, and files that nobody names
until the sweep removes them.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from modelyard.canonical import file_digest
from modelyard.datasets.folders import abandoned, locked_folder
from modelyard.datasets.manifests import (
    FILES,
    MANIFESTS,
    describe_files,
    describe_partition,
    manifest_name,
    parse_manifest,
)
from modelyard.datasets.names import checked_dataset, checked_partition
from modelyard.datasets.store import DataFile, Manifest
from modelyard.errors import IntegrityError, ModelyardError, StorageFull, UsageError
from modelyard.files import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_TEMPORARY = "."


class FilesystemDatasets:
    """Datasets below one folder.

    Args:
        root: The folder; it is made when something is written.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def stage(self, dataset: str) -> Iterator[FilesystemStaging]:
        """A folder of one's own to write Parquet files into; what was not published at its end is removed.

        If the process dies, nothing was published, and `sweep` removes the folder.
        """
        location = self._location(dataset)
        with _plain_errors(dataset), locked_folder(location / FILES) as folder:
            staging = FilesystemStaging(dataset, location, folder)
            try:
                yield staging
            finally:
                if not staging.published:
                    shutil.rmtree(folder, ignore_errors=True)

    def manifest(self, dataset: str, partition: str) -> Manifest | None:
        """The newest manifest of a partition; None where nothing was published."""
        folder = self._location(dataset) / MANIFESTS / checked_partition(partition)
        numbers = _numbers(folder)
        return _read_manifest(_manifest_path(folder, numbers[-1])) if numbers else None

    def partitions(self, dataset: str) -> Sequence[str]:
        """The published partitions of a dataset, in order; no manifest is read."""
        return _partitions(self._location(dataset))

    def files(self, manifest: Manifest) -> Sequence[str]:
        """The paths of a manifest's files."""
        location = self._location(manifest.dataset)
        return [str(location / file.path) for file in manifest.files]

    def presigned(self, manifest: Manifest, seconds: int) -> Sequence[str]:  # noqa: ARG002 - as the Protocol has it
        """A folder has no URLs."""
        reason = f"the files of `{manifest.dataset}` lie in a folder, and can't be read by URL"
        raise UsageError(reason, "set MODELYARD_DATASETS to s3://BUCKET/PREFIX")

    def verify(self, manifest: Manifest) -> None:
        """Check that every file is there with the size and the bytes that its manifest names.

        Raises:
            IntegrityError: A file is missing, or its bytes differ.
        """
        location = self._location(manifest.dataset)
        for file in manifest.files:
            problem = _difference(location / file.path, file)
            if problem:
                reason = f"{manifest.dataset} of {manifest.partition}: {file.path} {problem}"
                raise IntegrityError(reason, "publish the partition again")

    def sweep(self, *, older_than: datetime, dry_run: bool = True) -> Mapping[str, int]:
        """Remove what no newest manifest names and what dead processes staged.

        A manifest that was the newest at `older_than` or later stays, with its files: somebody may be reading them.
        If the process dies, the next sweep removes the rest.

        Args:
            older_than: Whatever changed since then stays.
            dry_run: Remove nothing, only say what would be.

        Returns:
            The files and folders that were removed, or would be, relative to the root, with their bytes.
        """
        removed: dict[Path, int] = {}
        for location in self._locations():
            removed |= _sweep_location(location, older_than, dry_run=dry_run)
        return {path.relative_to(self._root).as_posix(): size for path, size in sorted(removed.items())}

    def _location(self, dataset: str) -> Path:
        return self._root / checked_dataset(dataset)

    def _locations(self) -> Iterator[Path]:
        for folder, names, _ in os.walk(self._root):
            if FILES in names:
                yield Path(folder)
            names[:] = sorted(name for name in names if name not in (FILES, MANIFESTS))


class FilesystemStaging:
    """A folder whose Parquet files can be published. Made by `FilesystemDatasets.stage`."""

    def __init__(self, dataset: str, location: Path, folder: Path) -> None:
        self.path = folder
        self.published = False
        self._dataset = dataset
        self._location = location
        self._files: tuple[DataFile, ...] = ()

    def publish(
        self, partition: str, *, where: dict[str, tuple[str, str]] | None = None, details: dict[str, Any] | None = None
    ) -> Manifest:
        """Make the staged files a partition's newest state.

        If the process dies before the return, either the partition is published whole, or not at all.

        Raises:
            InvalidData: Nothing was staged, or a file is not a whole Parquet file.
        """
        checked_partition(partition)
        with _plain_errors(f"{self._dataset} of {partition}"):
            described = describe_partition(self._described(), self._location, where=where, details=details)
            manifest = _commit(self._location, self._dataset, partition, described)
        self.published = True
        return manifest

    def _described(self) -> tuple[DataFile, ...]:
        if not self._files:
            self._files = describe_files(self._dataset, self.path, self._location)
            for folder in (self.path, self.path.parent):
                sync_folder(folder)
        return self._files


def _commit(location: Path, dataset: str, partition: str, described: dict[str, Any]) -> Manifest:
    """Give a manifest the next free number; one that somebody else took in the meantime is passed over."""
    folder = location / MANIFESTS / partition
    folder.parent.mkdir(parents=True, exist_ok=True)
    while True:
        number = (_numbers(folder) or [0])[-1] + 1
        manifest = Manifest(
            dataset=dataset, partition=partition, number=number, published_at=datetime.now(UTC), **described
        )
        if _write_new(_manifest_path(folder, number), manifest.model_dump_json(by_alias=True).encode()):
            return manifest


def _write_new(path: Path, content: bytes) -> bool:
    """Write a file whole, and only if there is none; whether it was written."""
    with TemporaryDirectory(prefix=_TEMPORARY, dir=path.parent.parent, ignore_cleanup_errors=True) as beside:
        temporary = Path(beside) / path.parent.name / path.name
        temporary.parent.mkdir()
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            if path.parent.exists():
                path.hardlink_to(temporary)
            else:
                sync_folder(temporary.parent)
                temporary.parent.rename(path.parent)
        except OSError as error:
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                return False
            raise
    for folder in (path.parent, path.parent.parent):
        sync_folder(folder)
    return True


def _manifest_path(folder: Path, number: int) -> Path:
    return folder / manifest_name(number)


def _partitions(location: Path) -> list[str]:
    """The partitions of a dataset; a name that begins with a dot is of something that is being written."""
    return [name for name in _names(location / MANIFESTS) if not name.startswith(".")]


def _numbers(folder: Path) -> list[int]:
    """The numbers of a partition's manifests, in order."""
    return [int(name.removesuffix(".json")) for name in _names(folder)]


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are all that is needed of a thousand files
    except FileNotFoundError:
        return []


def _read_manifest(path: Path) -> Manifest:
    return parse_manifest(path.read_bytes(), path.parent.name, path.name)


def _difference(path: Path, expected: DataFile) -> str:
    if not path.is_file():
        return "is missing"
    if path.stat().st_size != expected.size:
        return f"has {path.stat().st_size} bytes instead of {expected.size}"
    return "" if file_digest(path) == expected.sha256 else "has other bytes than were published"


def _sweep_location(location: Path, older_than: datetime, *, dry_run: bool) -> dict[Path, int]:
    kept, replaced = _kept_and_replaced(location, older_than)
    strays = [path for path in (location / MANIFESTS).glob(".*") if path.stat().st_mtime < older_than.timestamp()]
    with ExitStack() as owned:
        unnamed = [
            folder
            for folder in sorted((location / FILES).iterdir())
            if folder.name not in kept and owned.enter_context(abandoned(folder, older_than))
        ]
        # Owners are gone by now, so whatever they published is there; it may not have been before.
        kept, _ = _kept_and_replaced(location, older_than)
        unnamed = [folder for folder in unnamed if folder.name not in kept]
        removed = {path: _size(path) for path in (*replaced, *strays, *unnamed)}
        if not dry_run:
            for path in replaced:
                path.unlink(missing_ok=True)
            for folder in (*strays, *unnamed):
                shutil.rmtree(folder, ignore_errors=True)
    return removed


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def _kept_and_replaced(location: Path, older_than: datetime) -> tuple[set[str], list[Path]]:
    """The staging folders that must stay, and the manifests that were replaced before `older_than`."""
    kept: set[str] = set()
    replaced: list[Path] = []
    for partition in _partitions(location):
        successor: Manifest | None = None
        folder = location / MANIFESTS / partition
        for number in reversed(_numbers(folder)):
            path = _manifest_path(folder, number)
            if successor is not None and successor.published_at < older_than:
                replaced.append(path)
                continue
            successor = _read_manifest(path)
            kept |= {Path(file.path).parent.name for file in successor.files}
    return kept, replaced


@contextmanager
def _plain_errors(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            reason = f"no room is left to write {what}"
            raise StorageFull(reason, "make room; what was published before is unharmed") from error
        reason = f"{what} cannot be written: {error}"
        raise ModelyardError(reason) from error
