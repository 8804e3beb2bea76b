"""What tests in a cluster do again and again: run a command, and wait for something."""

from __future__ import annotations

import shlex
import subprocess
from functools import partial
from typing import Any

from tests import waiting

until = partial(waiting.until, every=0.3)  # each look is a call to the API server


def run(words: list[str], *, timeout: float = 300, **more: Any) -> str:
    """Run a command, and tell all that it said where it fails."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=timeout, check=False, **more)
    assert done.returncode == 0, f"{shlex.join(words)}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return str(done.stdout)
