"""What every registry promises of approvals: nobody lets his own version be live, by no route."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.errors import Conflict, Forbidden, NotFound, Unapproved
from modelyard.registry.live import live_at
from modelyard.registry.metadata import Stale
from modelyard.registry.records import RunState, VersionState
from tests.registry.making import apply, claim_of, definition, register, register_by_run, run_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from modelyard.registry.records import ModelVersion
    from modelyard.registry.registry import Registry
    from tests.registries import Clock

    As = Callable[[str], Registry]


@pytest.fixture
def made(acting: As, local: LocalRegistry, tmp_path: Path) -> ModelVersion:
    """A version that needs approval: defined by Amina, asked for by Juma, registered by a machine."""
    apply(acting("amina"), approval="required")
    acting("juma").queue_run(run_of())
    return register_by_run(local, run_of(), tmp_path)


def test_a_version_knows_who_made_it(made: ModelVersion) -> None:
    assert (made.created_by, made.authors, made.needs_approval) == ("trainer", ("amina", "juma"), True)
    assert (made.approved_by, made.approved_at) == (None, None)


def test_what_waits_for_approval_is_not_made_live(acting: As, made: ModelVersion) -> None:
    registry = acting("wanjiru")
    with pytest.raises(Unapproved, match="version 1 of `ke` waits for approval") as caught:
        registry.promote("ke", 1)
    assert "modelyard approve ke 1" in caught.value.hint
    with pytest.raises(Unapproved):
        registry.rollback("ke", to=made.number)
    assert registry.promotions("ke") == ()


@pytest.mark.parametrize("maker", ["amina", "juma", "trainer", "Juma"])
def test_nobody_approves_what_he_made(acting: As, made: ModelVersion, maker: str) -> None:
    with pytest.raises(Forbidden, match=f"`{maker}` is among those who made version 1"):
        acting(maker).approve("ke", made.number)
    acting("wanjiru").approve("ke", made.number)
    with pytest.raises(Forbidden):
        acting(maker).approve("ke", made.number)


def test_an_approval_says_who_and_when(acting: As, made: ModelVersion, clock: Clock) -> None:
    registry = acting("wanjiru")
    approval = registry.approve("ke", made.number, reason="memo 112")
    assert (approval.version.approved_by, approval.version.approved_at) == ("wanjiru", clock.now)
    assert registry.version("ke", 1) == approval.version
    assert registry.latest("ke") == approval.version
    event = next(event for event in registry.history("model:ke").items if event.type == "version.approved")
    assert (event.by, event.details) == ("wanjiru", {"version": 1, "reason": "memo 112"})


def test_approving_again_changes_nothing(acting: As, made: ModelVersion, clock: Clock) -> None:
    first = acting("wanjiru").approve("ke", made.number)
    clock.pass_(hours=1)
    events = acting("wanjiru").history("model:ke")
    assert acting("otieno").approve("ke", made.number) == first
    assert acting("otieno").history("model:ke") == events


def test_an_approved_version_goes_live_as_its_model_says(acting: As, made: ModelVersion) -> None:
    approval = acting("wanjiru").approve("ke", made.number)
    assert approval.promotion is not None
    assert (approval.promotion.version, approval.promotion.recorded_by) == (1, "wanjiru")
    assert acting("loop").promotions("ke") == (approval.promotion,)
    # What the loop does when it ends the run, before or after: one promotion in all.
    again = acting("loop").promote("ke", 1, reason=f"run {made.run}", key=made.run)
    assert again == approval.promotion
    assert len(acting("loop").promotions("ke")) == 1


def test_an_approval_whose_promotion_was_lost_promotes_when_asked_again(
    acting: As, local: LocalRegistry, made: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Died(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(local, "promote", die)
        with pytest.raises(Died):
            local.acting_as("wanjiru").approve("ke", made.number)
    assert acting("wanjiru").version("ke", 1).approved_by == "wanjiru"
    assert acting("wanjiru").promotions("ke") == ()
    promotion = acting("otieno").approve("ke", made.number).promotion
    assert promotion is not None
    assert acting("wanjiru").promotions("ke") == (promotion,)


def test_a_model_that_promotes_by_hand_is_only_approved(acting: As, tmp_path: Path) -> None:
    apply(acting("amina"), approval="required", promotion="manual")
    register(acting("amina"), tmp_path)
    approval = acting("wanjiru").approve("ke", 1)
    assert (approval.promotion, approval.remark) == (None, "")
    assert acting("wanjiru").promote("ke", 1).version == 1


def test_a_definition_that_changed_meanwhile_is_not_promoted(acting: As, made: ModelVersion) -> None:
    apply(acting("amina"), approval="required", seed=1)
    approval = acting("wanjiru").approve("ke", made.number)
    assert approval.version.approved_by == "wanjiru"
    assert approval.promotion is None
    assert "definition has changed" in approval.remark


def test_an_older_version_does_not_take_the_place_of_a_newer_one(
    acting: As, made: ModelVersion, tmp_path: Path, clock: Clock
) -> None:
    register(acting("trainer"), tmp_path, "two", request="b" * 64)
    acting("wanjiru").approve("ke", 2)
    acting("wanjiru").promote("ke", 2)
    for _ in range(2):
        approval = acting("wanjiru").approve("ke", made.number)
        assert (approval.promotion, approval.remark) == (
            None,
            "it is not promoted: version 2, which is newer, is live or will be",
        )
        clock.pass_(days=2)
    facts = acting("wanjiru").promotions("ke")
    live = live_at(facts, clock.now)
    assert live is not None
    assert live.version == 2


def test_a_run_that_was_cancelled_too_late_is_not_promoted(acting: As, made: ModelVersion) -> None:
    run = acting("loop").run(made.run or "")
    acting("loop").update_run(run.model_copy(update={"state": RunState.TRAINING}))
    acting("juma").cancel_run(run.id)
    approval = acting("wanjiru").approve("ke", made.number)
    assert approval.promotion is None
    assert "was cancelled" in approval.remark


def test_doing_without_approval_takes_an_operator(acting: As, local: LocalRegistry, made: ModelVersion) -> None:
    for document in ({}, {"approval": "none"}, {"approval": "none", "seed": 7}):
        with pytest.raises(Forbidden, match="asks for approval"):
            apply(acting("amina"), **document)
    acting("amina").archive_model("ke")
    with pytest.raises(Forbidden):
        apply(acting("amina"))
    apply(local.acting_as("root"))
    assert not local.model("ke").needs_approval
    with pytest.raises(Unapproved):  # what was made under the requirement keeps it
        acting("wanjiru").promote("ke", made.number)


def test_older_versions_are_approved_too_before_they_are_live(acting: As, tmp_path: Path) -> None:
    apply(acting("amina"))
    register(acting("amina"), tmp_path)
    acting("amina").promote("ke", 1)
    apply(acting("amina"), approval="required")
    with pytest.raises(Unapproved):
        acting("amina").rollback("ke", to=1)
    acting("wanjiru").approve("ke", 1)
    assert acting("amina").rollback("ke", to=1).version == 1


def test_the_same_files_under_another_model_are_another_version(acting: As, made: ModelVersion, tmp_path: Path) -> None:
    acting("wanjiru").approve("ke", made.number)
    apply(acting("amina"), "gh", approval="required")
    again = register(acting("amina"), tmp_path, made.key, "gh")
    assert (again.approved_by, again.authors, again.created_by) == (None, (), "amina")
    with pytest.raises(Unapproved):
        acting("amina").promote("gh", again.number)
    with pytest.raises(Forbidden):
        acting("amina").approve("gh", again.number)


def test_an_archived_version_comes_back_only_approved(acting: As, made: ModelVersion) -> None:
    acting("amina").archive_version("ke", made.number)
    with pytest.raises(Unapproved):
        acting("amina").promote("ke", made.number)
    with pytest.raises(Forbidden):
        acting("amina").approve("ke", made.number)
    approval = acting("wanjiru").approve("ke", made.number)
    assert (approval.version.state, approval.version.approved_by) == (VersionState.ARCHIVED, "wanjiru")
    assert "ARCHIVED" in approval.remark
    acting("amina").promote("ke", made.number)
    revived = acting("amina").version("ke", made.number)
    assert (revived.state, revived.approved_by) == (VersionState.READY, "wanjiru")


def test_a_run_says_nothing_of_who_asks_for_it(acting: As) -> None:
    apply(acting("amina"), approval="required")
    said = {"created_by": "somebody", "team": "other-team", "project": "other", "authors": ("nobody",)}
    forged = run_of().model_copy(update=said)
    queued = acting("juma").queue_run(forged)
    assert (queued.created_by, queued.authors) == ("juma", ("amina", "juma"))
    assert (queued.team, queued.project) == ("credit-ke", "lender")
    registry = acting("juma")
    taken = run_of(attempt=2).model_copy(update=said)
    registry.apply_model(
        definition(approval="required"), project="lender", expected_revision=registry.model("ke").revision, run=taken
    )
    assert registry.run(taken.id).authors == ("amina", "juma")


def test_what_is_not_there_is_not_approved(acting: As) -> None:
    apply(acting("amina"), approval="required")
    acting("amina").claim(claim_of())
    for number in (1, 2):
        with pytest.raises(NotFound):
            acting("wanjiru").approve("ke", number)


def test_a_store_never_loses_an_approval_to_an_older_copy(local: LocalRegistry, acting: As, made: ModelVersion) -> None:
    acting("wanjiru").approve("ke", made.number)
    archived = made.model_copy(update={"state": VersionState.ARCHIVED, "archived_at": made.created_at})
    with pytest.raises(Stale):
        local._metadata.retire_version(archived, expected=VersionState.READY, promotions=1, happenings=[])
    again = made.model_copy(update={"approved_by": "x", "approved_at": made.created_at})
    with pytest.raises(Stale):
        local._metadata.approve_version(again, expected=VersionState.READY, happenings=[])
    assert acting("wanjiru").version("ke", 1).approved_by == "wanjiru"


def test_a_deleted_version_is_not_approved(local: LocalRegistry, acting: As, made: ModelVersion) -> None:
    acting("wanjiru").archive_version("ke", made.number)
    archived = local.version("ke", made.number)
    deleted = archived.model_copy(update={"state": VersionState.DELETED})
    local._metadata.retire_version(deleted, expected=VersionState.ARCHIVED, promotions=0, happenings=[])
    with pytest.raises(Conflict, match="is DELETED"):
        acting("wanjiru").approve("ke", made.number)
