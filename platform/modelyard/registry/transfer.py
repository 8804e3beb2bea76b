"""Files on their way: from a creator's folder to a claim's targets, and from a registry into a file.

Creators call `register_version`, or `upload_artifacts` between `claim` and `complete`, whatever registry they talk to.
"""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from modelyard.canonical import file_digest
from modelyard.errors import InvalidData, NotFound, NotUploaded, TargetExpired, Unavailable, WrongBytes
from modelyard.files import CHUNK, io_errors, write_verified, writing_whole
from modelyard.registry.records import VersionState

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelyard.registry.records import Artifact, Claim, ModelVersion, UploadTarget, VersionClaim
    from modelyard.registry.registry import Registry


SENDERS = 4
"""Files, and pieces of them, that are on their way at the same time: more would share the same line."""

_TRIES = 5  # claims without progress: URLs that expired, or pieces that were lost, are asked for again


def register_version(registry: Registry, claim: VersionClaim, folder: Path) -> ModelVersion:
    """Make a READY version of a folder's files: claim → upload → complete.

    Called again with the same claim, whatever became of the first call, it goes on with the same version. What expired
    or was lost on the way is claimed again, and only what is missing is sent.

    Args:
        registry: Where to.
        claim: What is said of the version; its key is the idempotency key.
        folder: Where the files lie, by their artifacts' paths.

    Raises:
        Unavailable: The registry does not answer in time, or lost the claim.
        Conflict: The key was used for another claim, or the model is archived.
        InvalidData: A file is of a kind that is not stored, or something else of the claim is not acceptable.
        IntegrityError: A file is not the one that was claimed.
    """
    version = _registered(registry, claim, folder)
    if version.key != claim.key:
        msg = f"the registry lost the claim of version {version.number} of `{claim.model}`, and gave its number away"
        raise Unavailable(msg, "claim it again")
    return version


def _registered(registry: Registry, claim: VersionClaim, folder: Path) -> ModelVersion:
    tries, least = 0, None
    while True:
        claimed = registry.claim(claim)
        missing = sum(len(target.parts) or 1 for target in claimed.targets)
        tries, least = (tries + 1, least) if least is not None and missing >= least else (1, missing)
        try:
            upload_artifacts(claimed, folder)
            return registry.complete(claim.model, claimed.version.number)
        except (TargetExpired, NotUploaded):
            if tries == _TRIES:
                raise
        except WrongBytes:
            # Where the files are right, what arrived of them is not: some stores take half a piece for a whole one.
            if tries == _TRIES or not _are_as_claimed(claim, folder):
                raise


def _are_as_claimed(claim: VersionClaim, folder: Path) -> bool:
    return all(file_digest(folder / artifact.path) == artifact.sha256 for artifact in claim.artifacts)


def upload_artifacts(claim: Claim, folder: Path) -> None:
    """Send the files of a claim to their targets. A target that has its file already gets it again, with no harm.

    A process that dies on the way leaves a PENDING version, which nobody sees; the same claim goes on.

    Args:
        claim: What the registry answered.
        folder: Where the files lie, by their artifacts' paths.

    Raises:
        NotFound: A file is missing in the folder.
        IntegrityError: A file is not the one that was claimed.
        StorageFull: There is no room for it.
        TargetExpired: A target is not good any more; claim again.
        Unavailable: The target does not answer in time.
    """
    sizes = {artifact.path: artifact.size for artifact in claim.version.artifacts}
    elsewhere = []
    for target in claim.targets:
        source = folder / target.path
        if not source.is_file():
            msg = f"there is no file `{source}` to upload"
            raise NotFound(msg, "write every claimed artifact into the folder first")
        if target.url.startswith("file:"):
            _copy(source, Path(url2pathname(urlsplit(target.url).path)))
        else:
            _check_size(source, sizes[target.path])
            elsewhere.append((target, source))
    if elsewhere:
        _send_all(elsewhere)


def _check_size(source: Path, claimed: int) -> None:
    size = source.stat().st_size
    if size != claimed:
        msg = f"`{source.name}` has {size} bytes, and {claimed} were claimed"
        raise WrongBytes(msg, "upload the file that was claimed, whole")


def _send_all(files: Sequence[tuple[UploadTarget, Path]]) -> None:
    from modelyard.registry.presigned import Presigned  # httpx takes longer to load than a copy takes

    with closing(Presigned()) as client, ThreadPoolExecutor(SENDERS, thread_name_prefix="upload") as pool:
        sent = []
        for target, source in files:
            size = source.stat().st_size
            if target.url:
                sent.append(pool.submit(client.put, target.url, source, target.headers, 0, size))
            for part in target.parts:
                start = (part.number - 1) * target.part_size
                end = min(size, start + target.part_size)
                sent.append(pool.submit(client.put, part.url, source, target.headers, start, end))
        try:
            for one in sent:
                one.result()
        finally:
            for one in sent:
                one.cancel()  # where one has failed, those that wait need not begin


def _copy(source: Path, to: Path) -> None:
    # The registry waits for the disk when it completes the version; waiting here as well would double the time.
    with source.open("rb") as original, writing_whole(to, durable=False) as copy, io_errors(to):
        shutil.copyfileobj(original, copy, CHUNK)


def save_artifact(artifact: Artifact, chunks: Iterable[bytes], to: Path) -> None:
    """Write an artifact to a file, whole and verified, or not at all.

    Args:
        artifact: What the bytes must be.
        chunks: The bytes.
        to: The file; its folder is made.

    Raises:
        IntegrityError: The bytes are not those that were registered.
        StorageFull: There is no room.
    """
    hint = "restore the version from a backup, or train anew"
    write_verified(to, chunks, what=f"`{artifact.path}`", sha256=artifact.sha256, hint=hint)


def artifact_part(version: ModelVersion, path: str, start: int, end: int | None) -> tuple[Artifact, int, int]:
    """An artifact of a version, and the part of it that is asked for.

    Args:
        version: The version.
        path: The artifact's path.
        start: The first byte.
        end: The byte after the last one; the file's end unless said.

    Raises:
        NotFound: The version has no such artifact, or its files are gone.
        InvalidData: The part is not within the file.
    """
    artifact = find_artifact(version, path)
    first, last = within(artifact, start, end)
    if version.state is VersionState.DELETED:
        msg = f"the files of version {version.number} of `{version.model}` were removed when their retention ended"
        raise NotFound(msg)
    return artifact, first, last


def within(artifact: Artifact, start: int, end: int | None) -> tuple[int, int]:
    """The part of a file that is asked for: its first byte, and the one after the last.

    Raises:
        InvalidData: It is not within the file.
    """
    last = artifact.size if end is None else end
    if not 0 <= start <= last <= artifact.size:
        msg = f"`{artifact.path}` has {artifact.size} bytes; {start} to {last} are not within them"
        raise InvalidData(msg)
    return start, last


def find_artifact(version: ModelVersion, path: str) -> Artifact:
    """An artifact of a version.

    Raises:
        NotFound: The version has no such artifact.
    """
    for artifact in version.artifacts:
        if artifact.path == path:
            return artifact
    msg = f"version {version.number} of `{version.model}` has no artifact {path[:100]!r}"
    raise NotFound(msg, f"it has {', '.join(artifact.path for artifact in version.artifacts)}")
