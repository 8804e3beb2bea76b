"""The DynamoDB table under many writers at once, and what it keeps to itself: heads, chains, layouts."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.aws import make_client
from modelyard.errors import Conflict, IntegrityError, InvalidData, NotFound, Unavailable, UsageError
from modelyard.registry import layouts
from modelyard.registry.audit import verify
from modelyard.registry.dynamodb import DynamoMetadata
from modelyard.registry.dynamodb.heads import read_head
from modelyard.registry.filesystem import FilesystemArtifacts
from modelyard.registry.local import LocalRegistry
from modelyard.registry.pages import make_page
from modelyard.registry.records import ModelRecord, VersionState
from modelyard.registry.transfer import register_version
from tests.registry.making import all_changes, apply, claim_of, register, run_of, write_files
from tests.registry.places import Place, dynamodb_client

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from modelyard.registry.records import Event, Page
    from tests.registries import Clock

pytestmark = pytest.mark.server

CREATORS = 64


@pytest.fixture
def store(table: str) -> DynamoMetadata:
    return DynamoMetadata(table, client=dynamodb_client())


@pytest.fixture
def registries(table: str, tmp_path: Path) -> list[LocalRegistry]:
    """The same registry, as two services see it."""
    artifacts = FilesystemArtifacts(tmp_path / "artifacts")
    clients = (dynamodb_client(), make_client("dynamodb"))
    return [LocalRegistry(DynamoMetadata(table, client=one), artifacts, actor="amina") for one in clients]


def whole(store: DynamoMetadata) -> bool:
    return all(report.breach is None for report in verify(store))


def test_sixty_four_creators_at_once_make_sixty_four_versions(
    registries: list[LocalRegistry], store: DynamoMetadata, tmp_path: Path
) -> None:
    apply(registries[0])
    made = write_files(tmp_path / "made")

    def create(number: int) -> int:
        return register_version(registries[number % 2], claim_of(f"creator {number}"), made).number

    with ThreadPoolExecutor(CREATORS) as pool:
        numbers = list(pool.map(create, range(CREATORS)))
    assert len(set(numbers)) == CREATORS
    listed = registries[0].versions("ke", limit=1000).items
    assert [version.number for version in listed] == sorted(numbers, reverse=True)
    assert registries[1].latest("ke").number == max(numbers)
    assert [event.type for event in all_changes(registries[0])].count("version.ready") == CREATORS
    assert whole(store)


def test_creators_with_one_key_make_one_version(registries: list[LocalRegistry], tmp_path: Path) -> None:
    apply(registries[0])
    made = write_files(tmp_path / "made")

    def create(number: int) -> int:
        return register_version(registries[number % 2], claim_of("one key"), made).number

    with ThreadPoolExecutor(16) as pool:
        numbers = set(pool.map(create, range(16)))
    assert len(numbers) == 1
    assert [version.number for version in registries[0].versions("ke").items] == [*numbers]


def test_the_latest_is_the_greatest_that_is_ready_whatever_comes_and_goes(
    registries: list[LocalRegistry], store: DynamoMetadata, tmp_path: Path
) -> None:
    apply(registries[0])
    made = write_files(tmp_path / "made")

    def act(seed: int) -> None:
        order, registry = random.Random(seed), registries[seed % 2]  # noqa: S311 - for variety, not for secrets
        for turn in range(5):
            number = register_version(registry, claim_of(f"{seed} {turn}"), made).number
            if order.random() < 0.6:
                registry.archive_version("ke", order.choice([number, max(number - 1, 1)]))

    def act_anyway(seed: int) -> None:
        try:
            act(seed)
        except NotFound:  # a version that another one has claimed, and not completed yet
            return

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(act_anyway, range(6)))
    ready = [one.number for one in registries[0].versions("ke").items if one.state is VersionState.READY]
    head = read_head(store._table, "ke")
    assert head is not None
    assert head.latest == max(ready, default=0)
    assert whole(store)


def test_who_follows_misses_nothing_and_sees_nothing_twice(registries: list[LocalRegistry]) -> None:
    models = [f"model_{number}" for number in range(8)]
    done = threading.Event()
    seen: list[Event] = []

    def follow() -> None:
        after = None
        while True:
            last = done.is_set()
            page = registries[1].changes(after=after, limit=3)
            seen.extend(page.items)
            after = page.next
            if last and not page.items:
                return

    def write(name: str) -> None:
        for seed in range(6):
            registries[0].apply_model(_definition(name, seed), project="lender", expected_revision=seed)

    follower = threading.Thread(target=follow)
    follower.start()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, models))
    done.set()
    follower.join()
    assert len(seen) == len({(event.subject, event.sequence) for event in seen}) == 48
    for name in models:
        told = [event.details["revision"] for event in seen if event.subject == f"model:{name}"]
        assert told == list(range(1, 7))


def _definition(name: str, seed: int) -> dict[str, Any]:
    from tests.registry.making import definition

    return definition(name, seed=seed)


def test_more_planned_promotions_than_one_transaction_holds_are_told(
    store: DynamoMetadata, tmp_path: Path, clock: Clock
) -> None:
    registry = LocalRegistry(store, FilesystemArtifacts(tmp_path / "artifacts"), actor="amina", clock=clock)
    apply(registry)
    register(registry, tmp_path)
    for day in range(1, 42):
        registry.promote("ke", 1, live_from=clock.now + timedelta(days=day))
    with pytest.raises(Conflict, match="41 promotions of `ke` are planned"):
        registry.rollback("ke", to=1)
    clock.pass_(days=2)
    assert registry.rollback("ke", to=1).sequence == 42
    assert [fact.sequence for fact in registry.promotions("ke") if fact.superseded_by is None] == [1, 42]


def test_records_of_an_older_layout_are_upgraded(table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Place(tmp_path, table).registry()
    apply(registry)

    def rename_team(content: dict[str, Any]) -> dict[str, Any]:
        return {**content, "team": f"team-{content['team']}"}

    monkeypatch.setattr(layouts, "UPGRADES", {ModelRecord: (rename_team,)})
    assert registry.model("ke").team == "team-credit-ke"
    apply(registry, seed=3)
    assert registry.model("ke").team == "credit-ke", "written anew, it has the new layout"
    monkeypatch.undo()
    with pytest.raises(UsageError, match="layout 2"):
        registry.model("ke")


def test_a_stored_record_that_cannot_be_read_is_named(table: str, tmp_path: Path) -> None:
    registry = Place(tmp_path, table).registry()
    apply(registry)
    dynamodb_client().update_item(
        TableName=table,
        Key={"PK": {"S": "model#ke"}, "SK": {"S": "record"}},
        UpdateExpression="SET body = :body",
        ExpressionAttributeValues={":body": {"S": '{"name": 1}'}},
    )
    with pytest.raises(IntegrityError, match="a stored ModelRecord"):
        registry.model("ke")


def test_an_event_that_is_not_in_sight_yet_is_waited_for(table: str, tmp_path: Path) -> None:
    registry = Place(tmp_path, table).registry()
    for seed in range(3):
        apply(registry, seed=seed)
    chain = next(chain for chain in _chains(registry) if chain.position)
    key = {"PK": {"S": f"events#{chain.chain}"}, "SK": {"S": f"{2:019d}"}}
    hidden = dynamodb_client().get_item(TableName=table, Key=key)["Item"]
    dynamodb_client().delete_item(TableName=table, Key=key)
    page = registry.changes()
    assert [event.sequence for event in page.items] == [1], "not 1 and 3"
    dynamodb_client().put_item(TableName=table, Item=hidden)
    assert [event.sequence for event in registry.changes(after=page.next).items] == [2, 3]


def _chains(registry: LocalRegistry) -> Any:
    return registry._metadata.chains()


@pytest.mark.parametrize("key", ["", " ", "~", "\x7f", "\x00", "#", "z" * 700, 0, -5, 2**63 - 1, (3, 4)])
def test_a_page_token_of_anything_is_a_page_or_refused(table: str, tmp_path: Path, key: Any) -> None:
    registry = Place(tmp_path, table).registry()
    apply(registry)
    registry.queue_run(run_of())
    token = make_page([1, 2], 1, [key, key]).next
    lists: tuple[Callable[..., Page[Any]], ...] = (
        registry.models,
        registry.runs,
        partial(registry.runs, model="ke"),
        registry.open_runs,
        partial(registry.versions, "ke"),
        partial(registry.history, "model:ke"),
        partial(registry.dependents, "source:loans"),
        registry.feature_sets,
    )
    for list_page in lists:
        with suppress(InvalidData):
            assert len(list_page(page=token).items) <= 1


def test_threads_wait_for_each_other_within_bounds(table: str) -> None:
    store = DynamoMetadata(table, client=dynamodb_client(), deadline=0.1)
    with store._in_turn(["model:ke"]), pytest.raises(Unavailable, match="other threads"), store._in_turn(["model:ke"]):
        pass


def test_a_run_leaves_nothing_behind(table: str, tmp_path: Path) -> None:
    registry = Place(tmp_path, table).registry()
    apply(registry)
    before = _keys(table)
    registry.queue_run(run_of())
    ended = registry.cancel_run(run_of().id)
    registry._metadata.drop_run(ended)
    left = {key for key in _keys(table) - before if not key[0].startswith(("events#", "chain#", "history#"))}
    assert left == set()


def _keys(table: str) -> set[tuple[str, str]]:
    found = dynamodb_client().scan(TableName=table)["Items"]
    return {(item["PK"]["S"], item["SK"]["S"]) for item in found}
