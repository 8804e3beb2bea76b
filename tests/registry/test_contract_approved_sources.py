"""What every registry promises of approved versions: they go on reading what they read."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.errors import Conflict, Forbidden
from modelyard.registry.records import VersionState
from modelyard.registry.rules.models import ModelRules
from modelyard.registry.sweep import Retention, Sweep
from tests.registry.making import apply, definition, feature_set, register, register_by_run, run_of, spec_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from modelyard.registry.records import FeatureSetVersion, ModelRecord, ModelVersion, Run
    from modelyard.registry.registry import Registry
    from tests.registries import Clock
    from tests.registry.places import Place

    As = Callable[[str], Registry]


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


def test_no_version_is_looked_at_for_what_only_people_read(reads_loans: As, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[ModelVersion] = []
    monkeypatch.setattr(ModelRules, "_trained", lambda _, version: looked_at.append(version))
    described = labelled(path="moved/loans.csv", owner="lending", description="What was lent.")
    assert revise(reads_loans("amina"), described).revision == 4
    assert looked_at == []


def test_a_version_whose_bytes_are_gone_does_not_count(
    acting: As, local: LocalRegistry, place: Place, clock: Clock, tmp_path: Path
) -> None:
    run = run_of(spec=spec_of(labelled()))
    revise(acting("amina"), labelled(), run)
    register_by_run(local, run, tmp_path)
    local.archive_version("ke", 1)
    with pytest.raises(Forbidden):
        revise(acting("amina"), labelled(**MOVED))
    retention = Retention(runs=timedelta(days=1000))
    with closing(place.metadata()) as metadata:
        now = clock.pass_(days=100)
        Sweep(metadata, place.artifacts(), now=now, actor="sweep", retention=retention, dry_run=False).run()
    assert local.version("ke", 1).state is VersionState.DELETED
    assert revise(acting("amina"), labelled(**MOVED)).revision == 2


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
