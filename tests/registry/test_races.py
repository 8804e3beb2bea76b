"""Two callers between whose reading and writing another one writes: decided anew, or refused, never mixed up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from modelyard.errors import Conflict, Forbidden, IntegrityError, NotFound
from modelyard.registry.metadata import Stale
from modelyard.registry.records import RunState, VersionState
from modelyard.registry.rules.base import TRIES, settled
from modelyard.registry.transfer import upload_artifacts
from tests.registry.making import (
    all_changes,
    apply,
    begin,
    claim_of,
    claim_of_run,
    definition,
    feature_set,
    register,
    run_of,
    write_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from modelyard.registry.metadata import MetadataStore


@pytest.fixture
def before(local: LocalRegistry, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], object]], None]:
    """Makes something happen once, just before the store's next call of a kind."""

    store = type(local._metadata)

    def happen(call: str, what: Callable[[], object]) -> None:
        real = getattr(store, call)

        def calling(*arguments: Any, **options: Any) -> Any:
            monkeypatch.setattr(store, call, real)
            what()
            return real(*arguments, **options)

        monkeypatch.setattr(store, call, calling)

    return happen


def test_a_promotion_that_came_second_is_refused(
    local: LocalRegistry, tmp_path: Path, before: Callable[[str, Callable[[], object]], None]
) -> None:
    apply(local)
    for number in (1, 2):
        register(local, tmp_path, f"key {number}")
    before("add_promotion", lambda: local.promote("ke", 1))
    with pytest.raises(Conflict, match="another promotion of `ke` came first"):
        local.promote("ke", 2, key="mine")
    assert [fact.version for fact in local.promotions("ke")] == [1]
    before("add_promotion", lambda: local.rollback("ke", to=2, key="same"))
    fact = local.rollback("ke", to=2, key="same")
    assert list(local.promotions("ke"))[1:] == [fact], "the same request, sent twice"


def test_a_promotion_that_another_came_before_while_it_was_decided_is_refused(
    local: LocalRegistry, tmp_path: Path, before: Callable[[str, Callable[[], object]], None]
) -> None:
    apply(local)
    for number in (1, 2):
        register(local, tmp_path, f"key {number}")
    before("effective_promotions", lambda: local.promote("ke", 1))
    with pytest.raises(Conflict, match="another promotion of `ke` came first"):
        local.promote("ke", 2)
    before("effective_promotions", lambda: local.promote("ke", 2))
    assert local.archive_model("ke").promotions == 3
    assert [(fact.version, fact.superseded_by) for fact in local.promotions("ke")] == [(1, 2), (2, 3), (None, None)]


def test_a_version_that_is_archived_meanwhile_is_not_promoted(
    local: LocalRegistry, tmp_path: Path, before: Callable[[str, Callable[[], object]], None]
) -> None:
    apply(local)
    register(local, tmp_path)
    before("add_promotion", lambda: local.archive_version("ke", 1))
    with pytest.raises(Conflict, match="not READY any more"):
        local.promote("ke", 1)


def test_a_version_that_is_promoted_meanwhile_is_not_archived(
    local: LocalRegistry, tmp_path: Path, before: Callable[[str, Callable[[], object]], None]
) -> None:
    apply(local)
    register(local, tmp_path)
    before("retire_version", lambda: local.promote("ke", 1))
    with pytest.raises(Conflict, match="live, or planned"):
        local.archive_version("ke", 1)
    assert local.version("ke", 1).state is VersionState.READY


def test_a_key_that_is_used_meanwhile_gets_the_same_version(
    local: LocalRegistry, before: Callable[[str, Callable[[], object]], None]
) -> None:
    apply(local)
    before("add_claim", lambda: local.claim(claim_of("one")))
    assert local.claim(claim_of("one")).version.number == 1
    before("add_claim", lambda: local.archive_model("ke"))
    with pytest.raises(Conflict, match="archived"):
        local.claim(claim_of("two"))


def test_a_claim_that_is_swept_while_it_is_replayed_is_made_anew(
    local: LocalRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(local)
    first = local.claim(claim_of("one")).version
    store = type(local._metadata)
    real = store.version

    def swept(self: MetadataStore, model: str, number: int) -> Any:
        monkeypatch.setattr(store, "version", real)
        self.drop_claim(first)
        return real(self, model, number)

    monkeypatch.setattr(store, "version", swept)
    assert local.claim(claim_of("one")).version.number == 2


def test_a_version_that_another_completes_is_complete(
    local: LocalRegistry, tmp_path: Path, before: Callable[[str, Callable[[], object]], None]
) -> None:
    apply(local)
    claimed = local.claim(claim_of())
    upload_artifacts(claimed, write_files(tmp_path))
    before("complete_version", lambda: local.complete("ke", 1))
    assert local.complete("ke", 1).state is VersionState.READY
    assert [event.type for event in all_changes(local)].count("version.ready") == 1


def test_a_claim_that_is_swept_while_it_is_completed_is_gone(
    local: LocalRegistry, tmp_path: Path, before: Callable[[str, Callable[[], object]], None]
) -> None:
    apply(local)
    claimed = local.claim(claim_of())
    upload_artifacts(claimed, write_files(tmp_path))
    before("complete_version", lambda: local._metadata.drop_claim(claimed.version))
    with pytest.raises(NotFound, match="claim it again"):
        local.complete("ke", 1)


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.FAILED, RunState.CANCELLED])
def test_a_run_that_loses_its_try_while_its_version_is_completed_registers_none(
    local: LocalRegistry, tmp_path: Path, before: Callable[[str, Callable[[], object]], None], state: RunState
) -> None:
    apply(local)
    run = begin(local, run_of())
    upload_artifacts(local.claim(claim_of_run(run)), write_files(tmp_path))
    before("complete_version", lambda: local.update_run(run.model_copy(update={"state": state})))
    with pytest.raises(Conflict, match="nobody waits for it"):
        local.complete("ke", 1)
    with pytest.raises(NotFound):
        local.version("ke", 1)


def test_a_run_that_only_says_something_while_its_version_is_completed_registers_it(
    local: LocalRegistry, tmp_path: Path, before: Callable[[str, Callable[[], object]], None]
) -> None:
    apply(local)
    run = begin(local, run_of())
    upload_artifacts(local.claim(claim_of_run(run)), write_files(tmp_path))
    before("complete_version", lambda: local.cancel_run(run.id))
    assert local.complete("ke", 1).state is VersionState.READY, "it trains until its job has ended"


def test_a_model_that_is_applied_twice_at_once_is_applied_once(
    local: LocalRegistry, before: Callable[[str, Callable[[], object]], None]
) -> None:
    def put() -> object:
        return local.apply_model(definition(), project="lender", expected_revision=0, run=run_of())

    before("put_model", put)
    assert put() == local.model("ke")
    before("put_model", lambda: apply(local, seed=1))
    with pytest.raises(Conflict, match="plan again"):
        local.apply_model(definition(seed=2), project="lender", expected_revision=1)
    assert local.model("ke").definition == definition(seed=1)


def test_a_model_that_changes_while_it_is_archived_is_archived(
    local: LocalRegistry, before: Callable[[str, Callable[[], object]], None]
) -> None:
    apply(local)
    before("archive_model", lambda: apply(local, seed=1))
    archived = local.archive_model("ke")
    assert (archived.revision, archived.definition) == (3, definition(seed=1))


def test_a_feature_set_that_is_registered_twice_at_once_is_one_version(
    local: LocalRegistry, before: Callable[[str, Callable[[], object]], None]
) -> None:
    def put() -> object:
        return local.register_feature_set(feature_set(), project="lender", lineage={})

    before("add_feature_set", put)
    assert put() == local.feature_set("history", 1)
    assert local.feature_set("history").number == 1


def test_a_feature_set_that_gets_another_team_meanwhile_is_not_changed(
    local: LocalRegistry, before: Callable[[str, Callable[[], object]], None]
) -> None:
    def put(registry: LocalRegistry, **said: Any) -> object:
        return registry.register_feature_set(feature_set(**said), project="lender", lineage={})

    put(local)
    juma = local.acting_as("juma", operator=False, teams=["credit-ke"])
    before("put_feature_set", lambda: put(local, owner="fraud"))
    with pytest.raises(Forbidden, match="for the team `fraud`"):
        put(juma, description="Loans of thirty days.")
    before("add_feature_set", lambda: put(local, window="60d", owner="credit-ke"))
    put(local, window="90d")
    before("add_feature_set", lambda: put(local, owner="fraud"))
    with pytest.raises(Forbidden, match="for the team `fraud`"):
        put(juma, window="120d")
    assert [version.team for version in local._metadata.feature_set_versions("history", page=None, limit=9).items] == [
        "fraud",
        "credit-ke",
        "credit-ke",
    ]


def test_the_version_that_is_registered_while_a_feature_set_is_archived_is_archived(
    local: LocalRegistry, before: Callable[[str, Callable[[], object]], None]
) -> None:
    for window in ("30d", "60d"):
        local.register_feature_set(feature_set(window=window), project="lender", lineage={})
    again = feature_set(window="30d", description="Loans of a month.")
    before("put_feature_set", lambda: local.register_feature_set(again, project="lender", lineage={}))
    assert local.archive_feature_set("history").number == 1
    last = local.feature_set("history")
    assert (last.number, last.definition, last.archived_at is not None) == (1, again, True)
    assert local.feature_set("history", 2).archived_at is None


def test_a_run_that_is_queued_twice_at_once_is_one(
    local: LocalRegistry, before: Callable[[str, Callable[[], object]], None]
) -> None:
    apply(local)
    before("add_run", lambda: local.queue_run(run_of()))
    assert local.queue_run(run_of()) == run_of()
    before("add_run", lambda: local.archive_model("ke"))
    with pytest.raises(Conflict, match="archived"):
        local.queue_run(run_of(attempt=2))


def test_a_run_that_moves_while_it_is_cancelled_is_asked_to_end(
    local: LocalRegistry, before: Callable[[str, Callable[[], object]], None]
) -> None:
    apply(local)
    queued = local.queue_run(run_of())
    building = queued.model_copy(update={"state": RunState.BUILDING})
    before("replace_run", lambda: local.update_run(building))
    cancelled = local.cancel_run(queued.id)
    assert (cancelled.state, cancelled.cancel_requested) == (RunState.BUILDING, True)
    before("replace_run", lambda: local.update_run(cancelled.model_copy(update={"tries": 2})))
    with pytest.raises(Conflict, match="changed meanwhile"):
        local.update_run(cancelled.model_copy(update={"state": RunState.TRAINING}))


def test_who_loses_every_time_is_told() -> None:
    tries = []

    def lose() -> None:
        tries.append(1)
        msg = "somebody else was quicker"
        raise Stale(msg)

    with pytest.raises(Conflict, match="quicker"):
        settled(lose)
    assert len(tries) == TRIES


def test_a_document_that_is_not_what_it_was_is_told(local: LocalRegistry, tmp_path: Path) -> None:
    large = definition()
    large["sources"]["loans"]["columns"].update({f"column_{'x' * 80}_{number}": "double" for number in range(1000)})
    local.apply_model(large, project="lender", expected_revision=0)
    (document,) = (tmp_path / "home" / "artifacts" / "documents").iterdir()
    document.write_bytes(document.read_bytes().replace(b"double", b"string", 1))
    with pytest.raises(IntegrityError, match="is not what was stored"):
        local.model("ke")


def test_a_file_that_is_gone_is_told(local: LocalRegistry, tmp_path: Path) -> None:
    apply(local)
    version = register(local, tmp_path)
    (tmp_path / "home" / "artifacts" / version.location / "model.json").unlink()
    with pytest.raises(IntegrityError, match="gone from the store"):
        local.read_artifact("ke", 1, "model.json")
