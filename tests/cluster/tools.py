"""What tests in a cluster do again and again: run a command, and wait for something."""

from __future__ import annotations

import shlex
import subprocess
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def run(words: list[str], *, timeout: float = 300, **more: Any) -> str:
    """Run a command, and tell all that it said where it fails."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, check=False, **more)
    assert done.returncode == 0, f"{shlex.join(words)}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return str(done.stdout)


def until(found: Callable[[], Any], *, seconds: float = 60, what: str = "what is awaited") -> Any:
    """What is found, once something is."""
    end = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < end, f"{what} did not come within {seconds} s"
        time.sleep(0.3)
    return result
