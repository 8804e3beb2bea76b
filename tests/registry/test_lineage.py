"""Where a version comes from, and what a change would reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.errors import NotFound
from modelyard.registry.lineage import affected_models, subject_of, version_lineage
from modelyard.registry.records import FeatureSetPin
from modelyard.registry.transfer import register_version
from tests.registry.making import DIGEST, apply, claim_of, definition, feature_set, write_files

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.registry import Registry
    from tests.registries import Clock

BASE = feature_set("base")
WIDE = feature_set("wide", refs={"base": BASE})


@pytest.fixture(autouse=True)
def _yard(registry: Registry, tmp_path: Path) -> None:
    """base ← wide ← ke; gh reads base itself; ug reads a plain table."""
    registry.register_feature_set(BASE, project="lender", lineage={"base_total": ("transactions.amount",)})
    registry.register_feature_set(WIDE, project="lender", lineage={"wide_total": ("transactions.amount", "device.os")})
    apply(registry, "ke", feature_sets={"wide": WIDE})
    apply(registry, "gh", feature_sets={"base": BASE})
    apply(registry, "ug")
    for model, name in (("ke", "wide"), ("gh", "base")):
        claim = claim_of(model=model)
        pins = claim.pins.model_copy(update={"feature_sets": (FeatureSetPin(name=name, version=1, digest=DIGEST),)})
        register_version(registry, claim.model_copy(update={"pins": pins}), write_files(tmp_path / "made"))


def names(registry: Registry, subject: str, column: str | None = None) -> list[str]:
    return [model.name for model in affected_models(registry, subject, column)]


def test_a_version_leads_down_to_columns(registry: Registry) -> None:
    lineage = version_lineage(registry, "ke", 1)
    assert (lineage.model, lineage.number, lineage.pins.config) == ("ke", 1, DIGEST)
    (wide,) = lineage.feature_sets
    assert (wide.name, wide.number) == ("wide", 1)
    assert wide.features == {"wide_total": ("transactions.amount", "device.os")}
    with pytest.raises(NotFound):
        version_lineage(registry, "ke", 2)


def test_a_feature_set_leads_up_to_models(registry: Registry) -> None:
    found = affected_models(registry, "feature_set:base")
    assert [(model.name, model.via) for model in found] == [
        ("gh", ("feature_set:base",)),
        ("ke", ("feature_set:base", "feature_set:wide")),
    ]
    assert {(model.applied, model.live) for model in found} == {(True, None)}
    assert names(registry, "feature_set:wide") == ["ke"]


def test_a_source_leads_up_through_sets_that_read_the_column(registry: Registry) -> None:
    assert names(registry, "source:transactions") == ["gh", "ke"]
    assert names(registry, "source:transactions", "amount") == ["gh", "ke"]
    assert names(registry, "source:transactions", "colour") == []
    assert names(registry, "source:loans") == ["gh", "ke", "ug"]
    assert names(registry, "source:loans", "label") == ["gh", "ke", "ug"]
    assert names(registry, "source:nobody") == []


def test_what_is_live_counts_also_where_the_definition_has_moved_on(registry: Registry, clock: Clock) -> None:
    registry.promote("gh", 1)
    registry.apply_model(definition("gh"), project="lender", expected_revision=1)
    (gh, _) = affected_models(registry, "feature_set:base")
    assert (gh.name, gh.applied, gh.live) == ("gh", False, 1)
    clock.pass_(days=2)
    registry.archive_model("gh")
    assert names(registry, "feature_set:base") == ["ke"]


def test_what_no_longer_depends_is_left_out(registry: Registry) -> None:
    registry.apply_model(definition("gh"), project="lender", expected_revision=1)
    registry.register_feature_set(feature_set("wide"), project="lender", lineage={})
    assert names(registry, "feature_set:base") == []
    registry.archive_feature_set("wide")
    assert names(registry, "source:transactions") == []


def test_a_name_is_a_model_or_a_feature_set(registry: Registry) -> None:
    assert subject_of(registry, "ke") == "model:ke"
    assert subject_of(registry, "wide") == "feature_set:wide"
    with pytest.raises(NotFound, match=r"SOURCE\.COLUMN"):
        subject_of(registry, "nobody")
