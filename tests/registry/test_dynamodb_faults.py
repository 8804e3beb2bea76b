"""DynamoDB at its worst: throttling, conflicts, errors of its own, lost replies, an outage; on the real DynamoDB Local.

What fails is injected between the client and the server, by botocore's own hooks and by a proxy; what DynamoDB does
otherwise is what it does.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from botocore.awsrequest import AWSResponse

from modelyard.aws import make_client
from modelyard.errors import InvalidData, Unavailable, UsageError
from modelyard.registry.audit import verify
from modelyard.registry.dynamodb import DynamoMetadata
from modelyard.registry.dynamodb.keys import chain_of
from modelyard.registry.filesystem import FilesystemArtifacts
from modelyard.registry.local import LocalRegistry
from modelyard.registry.metadata import Stale
from modelyard.registry.records import RunProgress, RunState, VersionState
from modelyard.registry.transfer import register_version
from tests.proxies.tcp import BreakingProxy
from tests.registries import Clock, serving
from tests.registry.making import all_changes, apply, claim_of, definition, feature_set, run_of, spec_of, write_files
from tests.registry.places import dynamodb_client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.server

THROTTLED = (400, "ThrottlingException")
BROKEN = (500, "InternalServerError")
EXCEEDED = (400, "ProvisionedThroughputExceededException")
CONFLICT = (400, "TransactionCanceledException")
WRITE = "TransactWriteItems"
Answer = tuple[int, str]


class Faults:
    """Answers in the place of DynamoDB's, and counts of what was really sent."""

    def __init__(self, client: Any) -> None:
        self.planned: dict[str, list[Answer]] = {}
        self.sent: Counter[str] = Counter()
        self.before: dict[str, Callable[[], object]] = {}
        client.meta.events.register("before-send.dynamodb.*", self._send)

    def plan(self, call: str, *answers: Answer) -> None:
        """Let the next calls of an operation be answered so."""
        self.planned[call] = list(answers)

    def _send(self, request: Any, event_name: str, **_: object) -> AWSResponse | None:
        call = event_name.rpartition(".")[2]
        self.sent[call] += 1
        if what := self.before.pop(call, None):
            what()
        answers = self.planned.get(call)
        return _response(request.url, *answers.pop(0)) if answers else None


class _Raw:
    """A body, as botocore reads one."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._content


def _response(url: str, status: int, code: str) -> AWSResponse:
    body: dict[str, Any] = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "injected"}
    if code == CONFLICT[1]:
        body["CancellationReasons"] = [{"Code": "None"}, {"Code": "TransactionConflict", "Message": "injected"}]
    headers: Any = {"content-type": "application/x-amz-json-1.0"}
    return AWSResponse(url, status, headers, _Raw(json.dumps(body).encode()))


@pytest.fixture
def client(dynamodb: str) -> Any:  # noqa: ARG001 - its address is in the environment
    return make_client("dynamodb")


@pytest.fixture
def faults(client: Any) -> Faults:
    return Faults(client)


@pytest.fixture
def store(table: str, client: Any) -> DynamoMetadata:
    return DynamoMetadata(table, client=client)


@pytest.fixture
def registry(store: DynamoMetadata, tmp_path: Path, clock: Clock) -> LocalRegistry:
    return LocalRegistry(store, FilesystemArtifacts(tmp_path / "artifacts"), actor="amina", clock=clock)


@pytest.fixture
def other(table: str, tmp_path: Path, clock: Clock) -> LocalRegistry:
    """The same registry, as another process sees it."""
    store = DynamoMetadata(table, client=dynamodb_client())
    return LocalRegistry(store, FilesystemArtifacts(tmp_path / "artifacts"), actor="brian", clock=clock)


def whole(store: DynamoMetadata) -> bool:
    return all(report.breach is None for report in verify(store))


@pytest.mark.parametrize("answer", [THROTTLED, BROKEN, EXCEEDED, CONFLICT])
def test_what_passes_is_tried_again(registry: LocalRegistry, faults: Faults, answer: Answer) -> None:
    faults.plan(WRITE, answer, answer)
    assert apply(registry).revision == 1
    assert faults.sent[WRITE] == 3
    assert [event.type for event in all_changes(registry)] == ["model.created"]


@pytest.mark.parametrize("call", ["GetItem", "BatchGetItem", "Query", "UpdateItem"])
def test_every_kind_of_call_is_tried_again(registry: LocalRegistry, faults: Faults, call: str) -> None:
    apply(registry)
    faults.plan(call, THROTTLED, BROKEN)
    registry.claim(claim_of())
    assert [model.name for model in registry.models().items] == ["ke"]
    assert faults.planned[call] == []


@pytest.mark.parametrize("answer", [THROTTLED, BROKEN, CONFLICT])
def test_what_does_not_pass_in_time_is_unavailable(
    table: str, client: Any, faults: Faults, other: LocalRegistry, answer: Answer
) -> None:
    apply(other)
    claimed = other.claim(claim_of()).version
    store = DynamoMetadata(table, client=client, deadline=0.5)
    faults.plan(WRITE, *[answer] * 1000)
    begun = time.monotonic()
    with pytest.raises(Unavailable, match=table):
        store.drop_claim(claimed)
    assert time.monotonic() - begun < 3
    assert faults.sent[WRITE] > 1
    assert other.claim(claim_of()).version == claimed


def test_the_service_says_when_to_come_back(
    table: str, client: Any, faults: Faults, tmp_path: Path, clock: Clock
) -> None:
    store = DynamoMetadata(table, client=client, deadline=0.2)
    registry = LocalRegistry(store, FilesystemArtifacts(tmp_path), actor="amina", clock=clock)
    with serving(registry) as service:
        faults.plan("BatchGetItem", *[THROTTLED] * 1000)
        faults.plan("Query", *[THROTTLED] * 1000)
        answer = httpx.get(f"{service.url}/v1/models")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


def test_a_failed_condition_is_never_tried_again(
    registry: LocalRegistry, store: DynamoMetadata, faults: Faults
) -> None:
    apply(registry)
    queued = registry.queue_run(run_of())
    moved = queued.model_copy(update={"state": RunState.BUILDING, "sequence": 5})
    before = faults.sent[WRITE]
    with pytest.raises(Stale, match="changed meanwhile"):
        store.replace_run(moved, happenings=[])
    assert faults.sent[WRITE] == before + 1
    claimed = registry.claim(claim_of()).version
    ready = claimed.model_copy(update={"state": VersionState.ARCHIVED})
    with pytest.raises(Stale, match="not as it was read"):
        store.retire_version(ready, expected=VersionState.READY, promotions=0, happenings=[])
    with pytest.raises(Stale, match="what is live"):
        store.retire_version(ready, expected=VersionState.PENDING, promotions=3, happenings=[])


def test_another_writer_of_the_chain_is_no_reason_to_fail(
    registry: LocalRegistry, other: LocalRegistry, store: DynamoMetadata, faults: Faults
) -> None:
    apply(registry)
    runs = (run_of(attempt=number) for number in range(1, 1000))
    neighbour = next(run for run in runs if chain_of(f"run:{run.id}") == chain_of("model:ke"))
    before = faults.sent[WRITE]
    faults.before[WRITE] = lambda: other.queue_run(neighbour)
    apply(registry, seed=1)
    assert faults.sent[WRITE] == before + 2, "the first one came too late for its place in the chain"
    told = [(event.sequence, event.type) for event in all_changes(registry)]
    assert told == [(1, "model.created"), (2, "run.queued"), (3, "model.revised")]
    assert whole(store)


def test_a_lost_reply_is_answered_with_what_was_done(
    table: str, tmp_path: Path, clock: Clock, dynamodb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BreakingProxy(dynamodb) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", proxy.url)
        client = make_client("dynamodb")
        store = DynamoMetadata(table, client=client)
        registry = LocalRegistry(store, FilesystemArtifacts(tmp_path / "artifacts"), actor="amina", clock=clock)
        store.ping()
        losses = _lose_each_first_reply(client, proxy)
        made = write_files(tmp_path / "made")
        apply(registry)
        version = register_version(registry, claim_of("one"), made)
        assert registry.versions("ke").items == (version,)
        assert register_version(registry, claim_of("one"), made) == version
        second = register_version(registry, claim_of("two"), made)
        fact = registry.promote("ke", version.number)
        assert registry.promotions("ke") == (fact,)
        back = registry.rollback("ke", to=second.number, key="mine")
        assert registry.rollback("ke", to=second.number, key="mine") == back
        registry.archive_version("ke", version.number)
        registry.register_feature_set(feature_set(), project="lender", lineage={})
        queued = registry.queue_run(run_of())
        registry.update_run(queued.model_copy(update={"state": RunState.BUILDING}))
        registry.report_progress(RunProgress(run=queued.id, tries=0, part=0.5))
        registry.cancel_run(queued.id)
        registry.archive_model("ke")
        assert losses() == 13
        assert proxy.swallowed == 13
        happened = Counter(event.type for event in all_changes(registry))
        assert {kind for kind, times in happened.items() if times > 1} == {"version.ready"}
        assert happened["version.ready"] == 2
        assert whole(store)


def _lose_each_first_reply(client: Any, proxy: BreakingProxy) -> Callable[[], int]:
    """Let the first answer to each transaction be lost; how many were."""
    seen = set[str]()

    def send(request: Any, **_: object) -> None:
        token = json.loads(request.body)["ClientRequestToken"]
        if token not in seen:
            seen.add(token)
            proxy.swallow = 1

    client.meta.events.register("before-send.dynamodb.TransactWriteItems", send)
    return lambda: len(seen)


def test_who_gives_up_and_asks_again_gets_the_original_answer(
    table: str, tmp_path: Path, clock: Clock, dynamodb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BreakingProxy(dynamodb) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", proxy.url)
        client = make_client("dynamodb")
        store = DynamoMetadata(table, client=client, deadline=0)  # one try, and then it is the caller's turn
        registry = LocalRegistry(store, FilesystemArtifacts(tmp_path / "artifacts"), actor="amina", clock=clock)
        store.ping()
        _lose_each_first_reply(client, proxy)

        def twice(call: Callable[[], Any]) -> Any:
            with pytest.raises(Unavailable):
                call()
            return call()

        twice(lambda: registry.apply_model(definition(), project="lender", expected_revision=0, run=run_of()))
        claimed = twice(lambda: registry.claim(claim_of("one"))).version
        assert claimed.number == 1
        files = write_files(tmp_path / "made")
        twice(lambda: register_version(registry, claim_of("one"), files))
        fact = twice(lambda: registry.promote("ke", 1, key="mine"))
        assert registry.promotions("ke") == (fact,)
        building = registry.run(run_of().id).model_copy(update={"state": RunState.BUILDING})
        assert twice(lambda: registry.update_run(building)).sequence == 2
        assert twice(lambda: registry.cancel_run(building.id)).sequence == 3
        happened = Counter(event.type for event in all_changes(registry))
        assert set(happened.values()) == {1}


def test_an_outage_is_told_within_the_deadline(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")
    store = DynamoMetadata(table, client=make_client("dynamodb"), deadline=0.5)
    begun = time.monotonic()
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        store.ping()
    assert time.monotonic() - begun < 3


def test_a_refusal_is_no_outage(store: DynamoMetadata, faults: Faults) -> None:
    faults.plan("GetItem", (400, "AccessDeniedException"))
    with pytest.raises(UsageError, match="credentials"):
        store.ping()
    assert faults.sent["GetItem"] == 1


def test_a_batch_that_comes_in_parts_is_read_to_its_end(registry: LocalRegistry, client: Any) -> None:
    names = [f"model_{number}" for number in range(6)]
    for name in names:
        apply(registry, name)
    parts: list[int] = []

    def halve(parsed: Any, model: Any, **_: object) -> None:
        if model.name != "BatchGetItem" or len(parts) > 4:
            return
        ((table, items),) = parsed["Responses"].items()
        kept, left = items[: len(items) // 2], items[len(items) // 2 :]
        parts.append(len(kept))
        parsed["Responses"][table] = kept
        keys = [{name: item[name] for name in ("PK", "SK")} for item in left]
        parsed["UnprocessedKeys"] = {table: {"Keys": keys, "ConsistentRead": True}} if keys else {}

    client.meta.events.register("after-call.dynamodb.BatchGetItem", halve)
    assert [model.name for model in registry.models().items] == names
    assert len(parts) == 5


def test_many_dependencies_are_all_remembered(registry: LocalRegistry) -> None:
    wide = definition()
    for number in range(120):
        name = f"source_{number:03d}"
        wide["sources"][name] = {**wide["sources"]["loans"], "name": name, "path": f"data/{name}.csv"}
    registry.apply_model(wide, project="lender", expected_revision=0, run=run_of(spec=spec_of(wide)))
    assert [registry.dependents(f"source:source_{number:03d}").items for number in (0, 119)] == [("model:ke",)] * 2


def test_a_record_that_dynamodb_has_no_room_for_is_refused_in_words(registry: LocalRegistry) -> None:
    apply(registry)
    with pytest.raises(InvalidData, match="too large"):
        registry._metadata.add_run(run_of(reason="x" * 500_000), happenings=[])
    assert registry.runs().items == ()
