"""The stores of the registry that the settings name: for the commands that work on them and not through the API."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelyard.registry.stores import RegistryStores


def stores() -> closing[RegistryStores]:
    """The stores; their connections are closed where the context ends."""
    from modelyard.wiring import registry_stores
    from modelyard.workspace import open_workspace

    return closing(registry_stores(open_workspace(needs_project=False).settings.registry))
