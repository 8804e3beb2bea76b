"""Servers that tests run against: where they are is said by variables, and a test that lacks its server fails."""

from __future__ import annotations

import os

import pytest

_HINT = "export {}, then run: make test-server (docs/architecture.md says what these servers are)"


def address_of(variable: str) -> str:
    """The address that a variable names; the test that asks fails where it names none.

    Args:
        variable: Such as `TEST_DYNAMODB_URL`.
    """
    address = os.environ.get(variable)
    if not address:
        pytest.fail(f"{variable} names no server: {_HINT.format(f'{variable}=http://HOST:PORT')}", pytrace=False)
    return address
