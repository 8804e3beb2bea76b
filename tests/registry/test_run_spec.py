"""Runs that came from elsewhere, with specifications that nobody can read: each is in trouble alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from modelyard.errors import InvalidData
from modelyard.registry.integrity import kept_bundles
from modelyard.registry.run_spec import bundles_of, cores_of, read_run_spec
from registry_api.access import find_run
from tests.registry.making import apply, definition, run_of, spec_of

if TYPE_CHECKING:
    from modelyard.registry.local import LocalRegistry
    from tests.registry.places import Place

JUNK: list[dict[str, Any]] = [
    {},
    {"definition": []},
    {"definition": {"document": [], "bundles": ["x"]}},
    {"definition": {"document": {"resources": {"cpu": "many"}}, "bundles": {"./own": 1}}},
]


@pytest.mark.parametrize("spec", JUNK)
def test_what_can_t_be_read_is_told_of_its_run_alone(local: LocalRegistry, place: Place, spec: dict[str, Any]) -> None:
    own = {**definition(), "bundles": {"./own": "b" * 64}}
    sound = run_of(spec=spec_of(own))
    local.apply_model(own, project="lender", expected_revision=0, run=sound)
    apply(local)
    junk = run_of(attempt=2).model_copy(update={"spec": spec})
    local._metadata.add_run(junk, happenings=[])
    assert [run.id for run in local.open_runs().items] == [sound.id, junk.id]
    with pytest.raises(InvalidData, match=f"of run `{junk.id}` can't be read"):
        read_run_spec(local.run(junk.id))
    facts = find_run(local)(junk.id)
    assert facts is not None
    assert (facts.model, facts.bundles) == ("ke", frozenset())
    assert kept_bundles(place.metadata(), place.artifacts()) == {"b" * 64}
    assert local.cancel_run(junk.id).state.terminal


def test_facts_are_read_off_a_specification() -> None:
    spec = spec_of({**definition(resources={"cpu": 3}), "bundles": {"./own": "b" * 64}}).content()
    assert cores_of(spec) == 3
    assert bundles_of(spec) == {"b" * 64}
    assert cores_of(spec_of(definition()).content()) == cores_of({})


def test_who_expects_otherwise_asks_for_another_training_set() -> None:
    """Else a team that expects nothing would publish what others' expectations refuse."""
    loans = definition()["sources"]["loans"]
    changes: tuple[dict[str, Any], ...] = (
        {},
        {"path": "elsewhere.csv"},
        {"expectations": [{"expect": "column_to_exist", "column": "label"}]},
        {"expectations": [{"expect": "column_to_exist", "column": "label", "severity": "info"}]},
    )
    asked = [spec_of({**definition(), "sources": {"loans": {**loans, **change}}}).training_set for change in changes]
    assert len(set(asked)) == len(changes)
    told = {"loans": {**loans, "description": "What was lent.", "owner": "credit-ug"}}
    assert spec_of({**definition(), "sources": told}).training_set == asked[0]
