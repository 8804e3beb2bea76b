"""Namespaces of a real cluster, for tests of what runs in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.world import World, worlds

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """A namespace for the whole session; jobs have names of their own in it."""
    yield from worlds("modelyard-launcher")
