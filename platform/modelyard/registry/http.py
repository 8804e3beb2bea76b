"""The registry over HTTP: the same Protocol, answered by a registry service.

What each call promises is written at `modelyard.registry.registry`; `transport.py` sends, retries and translates.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar
from urllib.parse import quote, urljoin
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError

from modelyard.errors import InvalidData, NotFound, TargetExpired, Unavailable, UsageError
from modelyard.files import CHUNK
from modelyard.registry.checks import check_digest, check_instant, check_name, check_run_id, check_subject
from modelyard.registry.documents import plain_json
from modelyard.registry.messages import ApplyModel, Approve, Archive, Promote, RegisterFeatureSet, Rollback, Trainer
from modelyard.registry.presigned import Presigned
from modelyard.registry.records import (
    Approval,
    ChangePage,
    Claim,
    Download,
    Event,
    FeatureSetVersion,
    ModelRecord,
    ModelVersion,
    Page,
    Promotion,
    Record,
    Run,
    RunProgress,
)
from modelyard.registry.transfer import save_artifact, within
from modelyard.registry.transport import DEADLINE, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from modelyard.registry.credential import Credential
    from modelyard.registry.records import UploadTarget, VersionClaim

R = TypeVar("R", bound=Record)
T = TypeVar("T")

_PERHAPS_VERSION: TypeAdapter[ModelVersion | None] = TypeAdapter(ModelVersion | None)
_PERHAPS_FEATURE_SET: TypeAdapter[FeatureSetVersion | None] = TypeAdapter(FeatureSetVersion | None)
_PERHAPS_PROGRESS: TypeAdapter[RunProgress | None] = TypeAdapter(RunProgress | None)
_PROMOTIONS = TypeAdapter(tuple[Promotion, ...])


class HttpRegistry:
    """The `Registry` behind an address.

    Args:
        url: The service's address, such as `http://127.0.0.1:8700`.
        deadline: Seconds until a call that keeps failing in passing is given up.
        credential: The token that the service is shown; none unless said.
    """

    def __init__(self, url: str, *, deadline: float = DEADLINE, credential: Credential | None = None) -> None:
        self._transport = Transport(url, deadline=deadline, credential=credential)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def _get(self, kind: type[R], path: str, **params: Any) -> R:
        return self._read(kind.model_validate_json, self._transport.call("GET", path, params=params))

    def _send(self, kind: type[R], method: str, path: str, body: Record | None = None, *, patient: bool = False) -> R:
        content = None if body is None else _json(body)
        return self._read(kind.model_validate_json, self._transport.call(method, path, json=content, patient=patient))

    def _read(self, validate: Callable[[bytes], T], answer: bytes) -> T:
        try:
            return validate(answer)
        except ValidationError as error:
            msg = (
                f"what answers at {self._transport.url} is no registry that this Modelyard understands: {_first(error)}"
            )
            raise UsageError(
                msg, "look at MODELYARD_REGISTRY; where it is a registry, use the same version here"
            ) from error

    # Models ----------------------------------------------------------------------------------------------------

    def apply_model(
        self, definition: Mapping[str, Any], *, project: str, expected_revision: int, run: Run | None = None
    ) -> ModelRecord:
        name = check_name(_name_in(definition))
        body = ApplyModel(definition=dict(definition), project=project, expected_revision=expected_revision, run=run)
        return self._send(ModelRecord, "PUT", f"/v1/models/{name}", body)

    def model(self, name: str) -> ModelRecord:
        return self._get(ModelRecord, _model(name))

    def models(self, *, page: str | None = None, limit: int = 100) -> Page[ModelRecord]:
        return self._get(Page[ModelRecord], "/v1/models", page=page, limit=limit)

    def archive_model(self, name: str, *, reason: str = "") -> ModelRecord:
        return self._send(ModelRecord, "POST", f"{_model(name)}/archive", Archive(reason=reason))

    def dependents(self, subject: str, *, page: str | None = None, limit: int = 100) -> Page[str]:
        return self._get(Page[str], f"/v1/dependents/{check_subject(subject)}", page=page, limit=limit)

    # Versions --------------------------------------------------------------------------------------------------

    def claim(self, claim: VersionClaim) -> Claim:
        answer = self._send(Claim, "POST", f"{_model(claim.model)}/versions", claim)
        return answer.model_copy(update={"targets": tuple(map(self._reachable, answer.targets))})

    def _reachable(self, target: UploadTarget) -> UploadTarget:
        """A target as its bytes are sent to it; the token goes to the service itself, and to no other host."""
        url = target.url and urljoin(f"{self._transport.url}/", target.url)
        shown = self._transport.shown() if url and self._transport.is_own(url) else {}
        return target.model_copy(update={"url": url, "headers": {**target.headers, **shown}})

    def complete(self, model: str, number: int) -> ModelVersion:
        return self._send(ModelVersion, "POST", f"{_version(model, number)}/complete", patient=True)

    def version(self, model: str, number: int) -> ModelVersion:
        return self._get(ModelVersion, _version(model, number))

    def versions(self, model: str, *, page: str | None = None, limit: int = 100) -> Page[ModelVersion]:
        return self._get(Page[ModelVersion], f"{_model(model)}/versions", page=page, limit=limit)

    def latest(self, model: str) -> ModelVersion:
        return self._get(ModelVersion, f"{_model(model)}/latest")

    def find_version(self, model: str, request: str) -> ModelVersion | None:
        try:
            found = self._transport.call("GET", f"{_model(model)}/made-for", params={"request": request})
        except NotFound:
            return None  # a service that knows who calls does not say whether a model that is not his is there
        return self._read(_PERHAPS_VERSION.validate_json, found)

    def read_artifact(
        self, model: str, number: int, path: str, *, start: int = 0, end: int | None = None
    ) -> Iterator[bytes]:
        found = self._download(model, number, path)
        position, end = within(found.artifact, start, end)
        if found.url:
            yield from self._read_presigned(found, position, end, lambda: self._download(model, number, path))
            return
        while position < end:
            before = position
            headers = {"Range": f"bytes={position}-{end - 1}", "Accept-Encoding": "identity"}
            try:
                with self._transport.reading(f"{_version(model, number)}/artifacts/{path}", headers) as chunks:
                    for chunk in chunks:
                        yield chunk
                        position += len(chunk)
            except Unavailable:
                if position == before:  # a broken answer goes on where it broke, as long as it goes on at all
                    raise

    def _download(self, model: str, number: int, path: str) -> Download:
        return self._get(Download, f"{_version(model, number)}/downloads/{quote(path)}")

    @staticmethod
    def _read_presigned(found: Download, position: int, end: int, sign: Callable[[], Download]) -> Iterator[bytes]:
        """The bytes behind a URL; one that expires on the way is signed anew, as long as it goes on at all."""
        with closing(Presigned()) as store:
            while position < end:
                before = position
                try:
                    for chunk in store.read(found.url, position, end):
                        yield chunk
                        position += len(chunk)
                except TargetExpired:
                    if position == before:
                        raise
                    found = sign()

    def download_artifact(self, model: str, number: int, path: str, to: Path) -> None:
        save_artifact(self._download(model, number, path).artifact, self.read_artifact(model, number, path), to)

    def archive_version(self, model: str, number: int, *, reason: str = "") -> ModelVersion:
        return self._send(ModelVersion, "POST", f"{_version(model, number)}/archive", Archive(reason=reason))

    def approve(self, model: str, number: int, *, reason: str = "") -> Approval:
        return self._send(Approval, "POST", f"{_version(model, number)}/approve", Approve(reason=reason))

    # What is live ----------------------------------------------------------------------------------------------

    def promote(
        self, model: str, number: int, *, live_from: datetime | None = None, reason: str = "", key: str | None = None
    ) -> Promotion:
        start = None if live_from is None else check_instant(live_from, "`live_from`")
        body = Promote(version=number, live_from=start, reason=reason, key=_own(key))
        return self._send(Promotion, "POST", f"{_model(model)}/promotions", body)

    def rollback(self, model: str, *, to: int | None = None, reason: str = "", key: str | None = None) -> Promotion:
        body = Rollback(to=to, reason=reason, key=_own(key))
        return self._send(Promotion, "POST", f"{_model(model)}/rollback", body)

    def live(self, model: str, at: datetime) -> ModelVersion | None:
        instant = check_instant(at, "the instant").isoformat()
        found = self._transport.call("GET", f"{_model(model)}/live", params={"at": instant})
        return self._read(_PERHAPS_VERSION.validate_json, found)

    def promotions(self, model: str) -> Sequence[Promotion]:
        return self._read(_PROMOTIONS.validate_json, self._transport.call("GET", f"{_model(model)}/promotions"))

    # Feature sets ----------------------------------------------------------------------------------------------

    def register_feature_set(
        self, definition: Mapping[str, Any], *, project: str, lineage: Mapping[str, tuple[str, ...]]
    ) -> FeatureSetVersion:
        name = check_name(_name_in(definition), "feature set")
        body = RegisterFeatureSet(definition=dict(definition), project=project, lineage=dict(lineage))
        return self._send(FeatureSetVersion, "PUT", f"/v1/feature-sets/{name}", body)

    def feature_set(self, name: str, number: int | None = None) -> FeatureSetVersion:
        path = _feature_set(name)
        return self._get(FeatureSetVersion, path if number is None else f"{path}/versions/{number}")

    def find_feature_set(self, name: str, digest: str) -> FeatureSetVersion | None:
        found = self._transport.call("GET", f"{_feature_set(name)}/defined-as", params={"digest": digest})
        return self._read(_PERHAPS_FEATURE_SET.validate_json, found)

    def feature_sets(self, *, page: str | None = None, limit: int = 100) -> Page[FeatureSetVersion]:
        return self._get(Page[FeatureSetVersion], "/v1/feature-sets", page=page, limit=limit)

    def archive_feature_set(self, name: str, *, reason: str = "") -> FeatureSetVersion:
        return self._send(FeatureSetVersion, "POST", f"{_feature_set(name)}/archive", Archive(reason=reason))

    # Runs ------------------------------------------------------------------------------------------------------

    def queue_run(self, run: Run) -> Run:
        return self._send(Run, "POST", "/v1/runs", run)

    def run(self, run_id: str) -> Run:
        return self._get(Run, _run(run_id))

    def runs(self, *, model: str | None = None, page: str | None = None, limit: int = 100) -> Page[Run]:
        path = "/v1/runs" if model is None else f"{_model(model)}/runs"
        return self._get(Page[Run], path, page=page, limit=limit)

    def open_runs(self, *, page: str | None = None, limit: int = 100) -> Page[Run]:
        return self._get(Page[Run], "/v1/open-runs", page=page, limit=limit)

    def update_run(self, run: Run) -> Run:
        return self._send(Run, "PUT", _run(run.id), run)

    def cancel_run(self, run_id: str) -> Run:
        return self._send(Run, "POST", f"{_run(run_id)}/cancel")

    def report_progress(self, progress: RunProgress) -> RunProgress:
        return self._send(RunProgress, "PUT", f"{_run(progress.run)}/progress", progress)

    def run_progress(self, run_id: str) -> RunProgress | None:
        found = self._transport.call("GET", f"{_run(run_id)}/progress")
        return self._read(_PERHAPS_PROGRESS.validate_json, found)

    def run_task(self, run_id: str) -> bytes:
        """What the pod of a run that trains is to do, as JSON; with the token of that run.

        Raises:
            Conflict: The run does not train just now.
        """
        return self._transport.call("GET", f"{_run(run_id)}/task")

    def trainer(self) -> Trainer:
        """Where the runs of the service's cluster train.

        Raises:
            NotFound: The service does not say.
        """
        return self._get(Trainer, "/v1/trainer")

    def write_run_log(self, run_id: str, log: BinaryIO) -> None:
        start = log.tell()

        def chunks() -> Iterator[bytes]:
            log.seek(start)
            while chunk := log.read(CHUNK):
                yield chunk

        self._transport.put(f"{_run(run_id)}/log", chunks, {"Content-Type": "text/plain"})

    def read_run_log(self, run_id: str) -> Iterator[bytes]:
        with self._transport.reading(f"{_run(run_id)}/log", {}) as chunks:
            yield from chunks

    # Bundles ---------------------------------------------------------------------------------------------------

    def keep_bundle(self, digest: str, content: bytes) -> None:
        self._transport.put(_bundle(digest), lambda: iter([content]), {"Content-Type": "application/zip"})

    def read_bundle(self, digest: str) -> bytes:
        return self._transport.call("GET", _bundle(digest))

    # History ---------------------------------------------------------------------------------------------------

    def history(self, subject: str, *, page: str | None = None, limit: int = 100) -> Page[Event]:
        return self._get(Page[Event], f"/v1/history/{check_subject(subject)}", page=page, limit=limit)

    def changes(self, *, after: str | None = None, limit: int = 100) -> ChangePage:
        return self._get(ChangePage, "/v1/changes", after=after, limit=limit)


def _json(body: Record) -> str:
    """A body as JSON. Not what pydantic makes of it at once: it would send NaN as null."""
    try:
        content = body.model_dump(mode="json")
    except ValueError as error:
        msg = f"the request is no plain JSON: {error}"
        raise InvalidData(msg, "leave out broken Unicode, and nest less deep") from error
    return plain_json(content).decode()


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return ": ".join(filter(None, (".".join(map(str, problem["loc"])), problem["msg"])))


def _model(name: str) -> str:
    return f"/v1/models/{check_name(name)}"


def _version(model: str, number: int) -> str:
    return f"{_model(model)}/versions/{number}"


def _feature_set(name: str) -> str:
    return f"/v1/feature-sets/{check_name(name, 'feature set')}"


def _run(run_id: str) -> str:
    return f"/v1/runs/{check_run_id(run_id)}"


def _bundle(digest: str) -> str:
    return f"/v1/bundles/{check_digest(digest, 'a bundle')}"


def _own(key: str | None) -> str:
    """A key, so that a promotion whose reply was lost can be sent again."""
    return key or f"once-{uuid4().hex}"


def _name_in(definition: Mapping[str, Any]) -> str:
    document = definition.get("document")
    name = document.get("name") if isinstance(document, dict) else None
    if not isinstance(name, str):
        msg = "the definition has no document with a name"
        raise InvalidData(msg)
    return name
