"""What every registry promises of approvals: nobody lets his own version be live, by no route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from modelyard.errors import Conflict, Forbidden, NotFound, Unapproved
from modelyard.registry.http import HttpRegistry
from modelyard.registry.live import live_at
from modelyard.registry.metadata import Stale
from modelyard.registry.records import RunState, VersionState
from modelyard.registry.transfer import register_version
from tests.registry.making import (
    apply,
    begin,
    claim_of,
    claim_of_run,
    definition,
    feature_set,
    register,
    run_of,
    spec_of,
    write_files,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from modelyard.registry.records import FeatureSetVersion, ModelRecord, ModelVersion, Run
    from modelyard.registry.registry import Registry
    from tests.registries import Clock, Service

    As = Callable[[str], Registry]


@pytest.fixture(params=["in process", "over HTTP"])
def acting(request: pytest.FixtureRequest, local: LocalRegistry) -> Iterator[As]:
    """The registry as somebody who is no operator sees it."""
    if request.param == "in process":
        yield lambda actor: local.acting_as(actor, operator=False)
        return
    service: Service = request.getfixturevalue("service")
    client = HttpRegistry(service.url)

    def over_http(actor: str) -> Registry:
        service.app.state.registry = local.acting_as(actor, operator=False)
        return client

    yield over_http
    client.close()


@pytest.fixture
def made(acting: As, local: LocalRegistry, tmp_path: Path) -> ModelVersion:
    """A version that needs approval: defined by Amina, asked for by Juma, registered by a machine."""
    apply(acting("amina"), approval="required")
    acting("juma").queue_run(run_of())
    return register_by_run(local, run_of(), tmp_path)


def register_by_run(local: LocalRegistry, run: Run, folder: Path) -> ModelVersion:
    """The version that a run makes."""
    registry = local.acting_as("trainer", operator=False, run=run.id)
    return register_version(registry, claim_of_run(begin(local, run)), write_files(folder / "made"))


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


MOVED = {"path": "elsewhere/*.csv"}
DOUBTED = {"expectations": [{"expect": "column_values_to_not_be_null", "column": "amount"}]}


def reading(change: Mapping[str, Any], *, source: str = "transactions", **document: Any) -> dict[str, Any]:
    """A feature set whose source is said otherwise."""
    content = feature_set(**{"source": source, **document})
    content["sources"] = {source: {**content["sources"]["transactions"], "name": source, **change}}
    return content


def put(registry: Registry, definition: dict[str, Any]) -> FeatureSetVersion:
    return registry.register_feature_set(definition, project="lender", lineage={})


@pytest.fixture(params=["itself", "by way of another set"])
def relied_on(request: pytest.FixtureRequest, acting: As, local: LocalRegistry, tmp_path: Path) -> As:
    """A feature set that a model with an approved version has used, and does not use any more."""
    author = acting("amina")
    put(author, feature_set())
    used = feature_set()
    if request.param != "itself":
        used = feature_set("later", refs={"history": feature_set()})
        put(author, used)
    apply(author, approval="required", feature_sets={used["document"]["name"]: used})
    put(author, reading(MOVED))  # nobody has a version yet
    put(author, feature_set())
    register(local, tmp_path)
    apply(author, approval="required")
    return acting


@pytest.mark.parametrize(
    "changed",
    [
        reading(MOVED),
        reading(DOUBTED),
        reading(MOVED, window="7d"),
        feature_set(expectations=[{"expect": "column_to_exist", "column": "history_total"}]),
    ],
)
def test_what_was_approved_goes_on_reading_what_it_read(relied_on: As, changed: dict[str, Any]) -> None:
    author = relied_on("amina")
    before = author.feature_set("history")
    with pytest.raises(Forbidden, match="version 1 of `history` would read other rows") as caught:
        put(author, changed)
    assert caught.value.hint == "`ke`, which asks for approval, relies on it: let an operator apply this"
    assert author.feature_set("history") == before


def test_a_source_that_was_away_comes_back_to_where_it_was(relied_on: As) -> None:
    author = relied_on("amina")
    assert put(author, reading({}, source="purchases", window="7d")).number == 2
    with pytest.raises(Forbidden):
        put(author, reading(MOVED, window="14d"))
    assert put(author, reading({}, window="14d")).number == 3


def test_what_reads_the_same_may_be_said_by_its_authors(relied_on: As) -> None:
    author = relied_on("amina")
    assert put(author, feature_set(description="What was spent.")).number == 1
    assert put(author, feature_set(window="7d")).number == 2
    assert put(author, reading(MOVED, source="purchases", window="14d")).number == 3


def test_an_operator_moves_what_others_rely_on(relied_on: As, local: LocalRegistry) -> None:
    assert put(local, reading(MOVED)).number == 1
    assert put(relied_on("amina"), reading(MOVED, window="7d")).number == 2


def test_a_set_on_which_no_approval_hangs_is_its_authors(acting: As, local: LocalRegistry, tmp_path: Path) -> None:
    author = acting("amina")
    put(author, feature_set())
    apply(author, feature_sets={"history": feature_set()})
    register(local, tmp_path)
    assert put(author, reading(MOVED)).number == 1


def test_an_archived_version_counts(relied_on: As, local: LocalRegistry) -> None:
    local.archive_version("ke", 1)
    with pytest.raises(Forbidden):
        put(relied_on("amina"), reading(MOVED))


def labelled(source: str = "loans", **change: Any) -> dict[str, Any]:
    """A model that reads one source, which is said otherwise."""
    content = definition(approval="required")
    content["document"]["data"]["labels"]["source"] = source
    content["document"]["data"]["features"] = [{"source": source}]
    content["sources"] = {source: {**content["sources"]["loans"], "name": source, **change}}
    return content


def revise(registry: Registry, content: dict[str, Any], run: Run | None = None) -> ModelRecord:
    revision = {one.name: one.revision for one in registry.models().items}.get("ke", 0)
    return registry.apply_model(content, project="lender", expected_revision=revision, run=run)


@pytest.fixture(params=["a version", "an archived version"])
def reads_loans(request: pytest.FixtureRequest, acting: As, local: LocalRegistry, tmp_path: Path) -> As:
    """A model with a version that reads its own source, which an operator has moved since."""
    run = run_of(spec=spec_of(labelled()))
    revise(acting("amina"), labelled(**MOVED))  # nobody has a version yet
    revise(acting("amina"), labelled(), run)
    register_by_run(local, run, tmp_path)
    revise(local, labelled(path="moved/loans.csv"))
    if request.param == "an archived version":
        local.archive_version("ke", 1)
    return acting


@pytest.mark.parametrize(
    "changed",
    [
        labelled(**MOVED),
        labelled(path="moved/loans.csv", expectations=[{"expect": "column_to_exist", "column": "label"}]),
        labelled(path="moved/loans.csv", csv={"names": ["label", "id"]}),  # so that it would read where it once lay
        labelled("credits"),
    ],
    ids=["moved", "expected", "meant", "left out"],
)
def test_a_models_own_sources_stay_where_they_were_approved(
    reads_loans: As, local: LocalRegistry, changed: dict[str, Any]
) -> None:
    changed["document"]["seed"] = 7
    with pytest.raises(Forbidden, match="version 1 of `ke` would read other rows of `loans`") as caught:
        revise(reads_loans("amina"), changed)
    assert caught.value.hint == "`ke` asks for approval: let an operator apply this"
    assert revise(local, changed).revision == 4


def test_what_no_version_reads_is_its_authors(reads_loans: As) -> None:
    author = reads_loans("amina")
    more = labelled(path="moved/loans.csv", description="What was lent.")
    more["sources"]["credits"] = {**more["sources"]["loans"], "name": "credits"}
    assert revise(author, more).revision == 4
    more["sources"]["credits"] |= MOVED
    assert revise(author, more).revision == 5


def test_a_source_comes_back_to_where_a_version_reads_it(acting: As, local: LocalRegistry, tmp_path: Path) -> None:
    author = acting("amina")
    run = run_of(spec=spec_of(labelled()))
    revise(author, labelled(), run)
    register_by_run(local, run, tmp_path)
    assert revise(author, labelled("credits")).revision == 2, "it is read where it was"
    with pytest.raises(Forbidden):
        revise(author, labelled(**MOVED))
    assert revise(author, labelled(csv={"names": ["label", "id"]})).revision == 3, "a version goes on with its own"
    assert revise(author, labelled()).revision == 4


def test_a_run_reads_from_where_the_model_does(acting: As) -> None:
    author = acting("amina")
    revise(author, labelled())
    for change in (MOVED, {"expectations": [{"expect": "column_to_exist", "column": "label"}]}):
        elsewhere = run_of(spec=spec_of(labelled(**change)))
        for queue in (
            lambda run=elsewhere: author.queue_run(run),
            lambda run=elsewhere: revise(author, labelled(), run),
        ):
            with pytest.raises(Conflict, match="is not the one applied") as caught:
                queue()
            assert caught.value.hint == "plan again, then apply"
