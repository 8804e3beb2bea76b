"""Who is named in the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.registry.making import apply

if TYPE_CHECKING:
    from modelyard.registry.local import LocalRegistry


def test_the_same_registry_acts_under_another_name(local: LocalRegistry) -> None:
    juma = local.acting_as("juma")
    apply(juma)
    apply(local, seed=1)
    assert [event.by for event in local.history("model:ke").items] == ["amina", "juma"]
    assert juma.history("model:ke") == local.history("model:ke")
