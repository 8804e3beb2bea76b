"""A service's address is known before it runs, and a taken one is told in words."""

from __future__ import annotations

import socket

import pytest

from modelyard.asgi.listening import address_of, open_listener
from modelyard.errors import UsageError


def test_a_free_port_is_found_and_told() -> None:
    with open_listener("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert address_of(listener, "127.0.0.1") == f"http://127.0.0.1:{port}"
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass


def test_a_taken_port_is_a_wrong_usage() -> None:
    with open_listener("localhost", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(UsageError, match=rf"nobody can listen on localhost:{port}: Address already in use"):
            open_listener("localhost", port)


def test_an_ipv6_address_is_told_in_brackets() -> None:
    with open_listener("127.0.0.1", 0) as listener:
        assert address_of(listener, "::1") == f"http://[::1]:{listener.getsockname()[1]}"
