"""Who is named in the history, and who may say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.errors import Forbidden, InvalidData
from tests.registry.making import apply, begin, claim_of_run, run_of

if TYPE_CHECKING:
    from modelyard.registry.local import LocalRegistry


def test_the_same_registry_acts_under_another_name(local: LocalRegistry) -> None:
    juma = local.acting_as("juma")
    apply(juma)
    apply(local, seed=1)
    assert [event.by for event in local.history("model:ke").items] == ["amina", "juma"]
    assert juma.history("model:ke") == local.history("model:ke")


def test_nobody_claims_a_version_in_the_name_of_a_run_but_the_run(local: LocalRegistry) -> None:
    apply(local)
    claim = claim_of_run(begin(local, run_of()))
    with pytest.raises(Forbidden, match="only the run itself"):
        local.acting_as("amina", operator=False).claim(claim)
    own = claim.model_copy(update={"run": None})
    for key in (claim.key, run_of(attempt=2).id):  # one that nobody has queued yet
        with pytest.raises(InvalidData, match="is a run's id"):
            local.acting_as("amina", operator=False).claim(own.model_copy(update={"key": key}))
    mine = local.acting_as(f"run:{run_of().id}", operator=False, run=run_of().id)
    assert mine.claim(claim).version.run == run_of().id
