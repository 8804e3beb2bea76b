"""A whole registry in one file, and out of it: from a laptop to the company, and back.

The file is a zip. `records.jsonl` holds the entries of the metadata store, a line each; `files/KEY` the files of
versions, logs, documents and bundles; `export.json`, which comes last, what they must be. Every byte is compared with
its digest when it is read, and when it is written all but logs, of which the registry records none. Who did what, and
when, stays; the places of events in the change cursor do not, so that whoever followed the changes begins anew.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from modelyard.canonical import chunks_digest
from modelyard.errors import Conflict, IntegrityError, InvalidData, NotFound, UsageError
from modelyard.files import CHUNK, io_errors, writing_whole
from modelyard.registry.artifacts import BUNDLES, DOCUMENTS, RUNS, check_key, finished
from modelyard.registry.audit import verify
from modelyard.registry.entries import read_entry
from modelyard.registry.integrity import kept_documents, kept_versions, sound_bundle
from modelyard.registry.records import Artifact
from modelyard.registry.zips import UNSOUND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from modelyard.registry.entries import Entry
    from modelyard.registry.stores import RegistryStores

FORMAT = 1
MANIFEST, RECORDS, FILES = "export.json", "records.jsonl", "files/"
_LARGEST_LINE = 64 << 20  # bytes: far more than an entry has


@dataclass(frozen=True)
class Export:
    """What an export says of itself."""

    format: int
    made_at: str
    modelyard: str
    """The version that made it."""
    entries: Mapping[str, int]
    """How many there are of each kind."""
    records: str
    """The SHA-256 of the records."""
    files: Mapping[str, tuple[int, str]]
    """For each key, its bytes and their SHA-256."""

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(size for size, _ in self.files.values())


def export_registry(stores: RegistryStores, to: Path) -> Export:
    """Write everything that a registry holds into a file. A process that dies on the way leaves no export.

    Args:
        stores: The registry; nobody may write to it meanwhile.
        to: The file to make.

    Raises:
        Conflict: There is something at `to`, or somebody wrote to the registry.
        IntegrityError: A file is not as recorded.
        StorageFull: There is no room.
    """
    if to.exists():
        msg = f"`{to}` is there already"
        raise Conflict(msg, "name a new file")
    stores.metadata.require()
    with writing_whole(to) as file, io_errors(to), zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        files = dict(_pack_files(stores, archive))
        counts, records = _pack_records(stores.metadata.entries(), archive)
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        made = Export(FORMAT, made_at, version("modelyard"), counts, records, files)
        archive.writestr(MANIFEST, json.dumps(asdict(made)))
    return made


def _pack_records(entries: Iterable[Entry], archive: zipfile.ZipFile) -> tuple[dict[str, int], str]:
    counts: Counter[str] = Counter()
    digest = hashlib.sha256()
    info = zipfile.ZipInfo(RECORDS)
    info.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(info, "w", force_zip64=True) as packed:
        for one in entries:
            line = json.dumps({"kind": one.kind, **one.content}).encode() + b"\n"
            counts[one.kind] += 1
            digest.update(line)
            packed.write(line)
    return dict(counts), digest.hexdigest()


def _pack_files(stores: RegistryStores, archive: zipfile.ZipFile) -> Iterator[tuple[str, tuple[int, str]]]:
    for key, recorded in _keys(stores):
        digest, size = hashlib.sha256(), 0
        with archive.open(zipfile.ZipInfo(f"{FILES}{key}"), "w", force_zip64=True) as packed:
            try:
                for chunk in stores.artifacts.read(key):
                    digest.update(chunk)
                    size += len(chunk)
                    packed.write(chunk)
            except NotFound as error:
                msg = f"`{key}` is missing"
                raise IntegrityError(msg, "`modelyard registry check` says what else is") from error
        if recorded not in ("", digest.hexdigest()):
            msg = f"`{key}` has the SHA-256 {digest.hexdigest()}, and {recorded} was recorded"
            raise IntegrityError(msg, "`modelyard registry check` says what else is damaged")
        yield key, (size, digest.hexdigest())


def _keys(stores: RegistryStores) -> Iterator[tuple[str, str]]:
    """The keys of everything that is needed, with the digests that their bytes must have; logs have none."""
    for made in kept_versions(stores.metadata):
        yield from ((f"{made.location}/{artifact.path}", artifact.sha256) for artifact in made.artifacts)
    yield from ((f"{DOCUMENTS}/{digest}", digest) for digest in sorted(kept_documents(stores.metadata)))
    yield from ((key, sound_bundle(stores.artifacts, key)) for key in finished(stores.artifacts, BUNDLES))
    yield from ((key, "") for key in finished(stores.artifacts, RUNS))


def import_registry(stores: RegistryStores, source: Path) -> Export:
    """Fill an empty registry from an export.

    A process that dies on the way leaves an empty registry with some files, or one that says that it is half an import;
    the same import again goes on.

    Args:
        stores: Where to; nobody may use it meanwhile.
        source: The file that `export_registry` made.

    Raises:
        Conflict: The registry is not empty.
        UsageError: There is nothing at `source`.
        InvalidData: It is no export, or of a newer form.
        IntegrityError: It is damaged, or what was written is not what came out of it.
        StorageFull: There is no room.
    """
    if not source.is_file():
        msg = f"there is no `{source}`"
        raise UsageError(msg, "name a file that `modelyard registry export` made")
    try:
        with zipfile.ZipFile(source) as archive:
            manifest, export = _read_manifest(source, archive)
            mark = hashlib.sha256(manifest).hexdigest()
            stores.metadata.load(_unpack(stores, archive, export), mark=mark)
    except UNSOUND as error:
        msg = f"`{source}` is no sound export: {error}"
        raise IntegrityError(msg, "export the registry again") from error
    _compare(stores, export)
    return export


def _read_manifest(source: Path, archive: zipfile.ZipFile) -> tuple[bytes, Export]:
    try:
        manifest = archive.read(MANIFEST)
        content: dict[str, Any] = json.loads(manifest)
        found = content.get("format")
        if found == FORMAT:
            files = {key: (int(size), str(digest)) for key, (size, digest) in content.pop("files").items()}
            return manifest, Export(**content, files=files)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        msg = f"`{source}` is no export: {MANIFEST} is missing, or can't be read"
        raise InvalidData(msg, "name a file that `modelyard registry export` made") from error
    msg = f"the export has form {found}, and this Modelyard knows {FORMAT}"
    raise InvalidData(msg, "import it with the version of Modelyard that made it")


def _unpack(stores: RegistryStores, archive: zipfile.ZipFile, export: Export) -> Iterator[Entry]:
    """The entries of an export, after its files: nothing refers to a file before it is there."""
    there = {file.key: file.size for prefix in _prefixes(export.files) for file in stores.artifacts.stored(prefix)}
    for key, (size, digest) in export.files.items():
        if there.get(key) != size or chunks_digest(stores.artifacts.read(key)) != (digest, size):
            check_key(key)
            expected = Artifact(path=key.rpartition("/")[2], size=size, sha256=digest)
            with archive.open(f"{FILES}{key}") as packed, stores.artifacts.writing(key, expected) as writer:
                while chunk := packed.read(CHUNK):
                    writer.write(chunk)
    if chunks_digest(_lines(archive))[0] != export.records:
        msg = f"{RECORDS} is not what was exported"
        raise IntegrityError(msg, "export the registry again")
    for line in _lines(archive):
        yield read_entry(json.loads(line))


def _prefixes(files: Iterable[str]) -> set[str]:
    return {key.partition("/")[0] for key in files}


def _lines(archive: zipfile.ZipFile) -> Iterator[bytes]:
    with archive.open(RECORDS) as packed:
        while line := packed.readline(_LARGEST_LINE):
            yield line


def _compare(stores: RegistryStores, export: Export) -> None:
    """Make sure that the registry holds what the export does, and that its chains of events are whole."""
    found = dict(Counter(one.kind for one in stores.metadata.entries()))
    if found != dict(export.entries):
        msg = f"the registry holds {found}, and {dict(export.entries)} were exported"
        raise IntegrityError(msg, "import into another new registry")
    for chain in verify(stores.metadata):
        if chain.breach is not None:
            msg = f"the audit log is broken at {chain.chain}/{chain.breach.position}: {chain.breach.problem}"
            raise IntegrityError(msg, "import into another new registry")
