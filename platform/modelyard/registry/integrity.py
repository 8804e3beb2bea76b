"""Whether what the registry holds is whole: every file of every version is there, and its bytes are those recorded.

Documents and bundles are compared with the digest that their key holds. Logs of runs have none: they are read nowhere
here. A bundle that a model or a run names and that is not there is no damage, for anyone who applies may name any.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from modelyard.canonical import chunks_digest
from modelyard.config.bundles import unpack
from modelyard.errors import IntegrityError, NotFound
from modelyard.registry.artifacts import BUNDLES, DOCUMENTS, finished
from modelyard.registry.documents import Documents, pointer
from modelyard.registry.pages import every
from modelyard.registry.records import VersionState
from modelyard.registry.run_spec import bundles_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.registry.artifacts import ArtifactStore
    from modelyard.registry.metadata import MetadataStore
    from modelyard.registry.records import ModelVersion

PAGE = 200

_KEPT = (VersionState.READY, VersionState.ARCHIVED)


def kept_versions(metadata: MetadataStore) -> Iterator[ModelVersion]:
    """The versions whose bytes must be there, of every model."""
    for model in every(lambda page: metadata.models(page=page, limit=PAGE)):
        yield from (version for version in _versions(metadata, model.name) if version.state in _KEPT)


def _versions(metadata: MetadataStore, model: str) -> Iterator[ModelVersion]:
    return every(lambda page: metadata.versions(model, page=page, limit=PAGE))


def kept_documents(metadata: MetadataStore) -> set[str]:
    """The digests of the documents that records point to."""
    contents = [model.definition for model in every(lambda page: metadata.models(page=page, limit=PAGE))]
    contents += [run.spec for run in every(lambda page: metadata.runs(page=page, limit=PAGE))]
    for current in every(lambda page: metadata.feature_sets(page=page, limit=PAGE)):
        contents += _definitions(metadata, current.name)
    return {digest for content in contents if (digest := pointer(content)) is not None}


def _definitions(metadata: MetadataStore, feature_set: str) -> list[dict[str, object]]:
    versions = every(lambda page: metadata.feature_set_versions(feature_set, page=page, limit=PAGE))
    return [version.definition for version in versions]


def kept_bundles(metadata: MetadataStore, artifacts: ArtifactStore) -> set[str]:
    """The digests of the projects' modules that models were applied with, and that runs were queued with.

    Versions hold those that they need among their own files.
    """
    fetch = Documents(artifacts).fetch
    models = every(lambda page: metadata.models(page=page, limit=PAGE))
    runs = every(lambda page: metadata.runs(page=page, limit=PAGE))
    applied = ({"definition": fetch(model.definition)} for model in models)
    queued = (fetch(run.spec) for run in runs)
    return {digest for spec in chain(applied, queued) for digest in bundles_of(spec)}


def damages(metadata: MetadataStore, artifacts: ArtifactStore) -> Iterator[str]:
    """What is missing or differs, in words; all but logs is read."""
    for version in kept_versions(metadata):
        for artifact in version.artifacts:
            key = f"{version.location}/{artifact.path}"
            if problem := _problem(artifacts, key, artifact.sha256):
                yield f"version {version.number} of `{version.model}`: `{artifact.path}` {problem}"
    for digest in sorted(kept_documents(metadata)):
        if problem := _problem(artifacts, f"{DOCUMENTS}/{digest}", digest):
            yield f"document {digest} {problem}"
    for key in finished(artifacts, BUNDLES):
        try:
            sound_bundle(artifacts, key)
        except IntegrityError as error:
            yield error.reason
        except NotFound:
            continue  # removed by a sweep just now


def _problem(artifacts: ArtifactStore, key: str, sha256: str) -> str:
    try:
        found, _ = chunks_digest(artifacts.read(key))
    except NotFound:
        return "is missing"
    return "" if found == sha256 else f"has the SHA-256 {found}, and {sha256} was recorded"


def sound_bundle(artifacts: ArtifactStore, key: str) -> str:
    """The SHA-256 of a bundle's zip, which was found to hold the files that its key tells of.

    Args:
        artifacts: The bytes.
        key: The bundle's key.

    Raises:
        IntegrityError: It holds others, or can't be read.
        NotFound: Nothing lies there.
    """
    content = b"".join(artifacts.read(key))
    try:
        unpack(content, key.removeprefix(f"{BUNDLES}/").removesuffix(".zip"))
    except IntegrityError as error:
        msg = f"`{key}` is damaged: {error.reason}"
        raise IntegrityError(msg, "`modelyard registry check` says what else is damaged") from error
    return chunks_digest([content])[0]


def check_whole(metadata: MetadataStore, artifacts: ArtifactStore, what: str) -> None:
    """Make sure that nothing is missing and nothing differs.

    Args:
        metadata: The records.
        artifacts: The bytes.
        what: What is checked, for the error.

    Raises:
        IntegrityError: Something is not as recorded.
    """
    found = list(damages(metadata, artifacts))
    if found:
        msg = f"{what} is not whole: {'; '.join(found[:5])}" + (f"; and {len(found) - 5} more" if found[5:] else "")
        raise IntegrityError(msg, "look at the disk; what is damaged can be restored from a backup")
