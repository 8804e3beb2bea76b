"""Tokens of runs: derived from the installation's key, and stored nowhere.

A token names its run and its try, and proves with the key that the platform made it. So a controller that died makes
the same one again, and there is no table of tokens to leak. It is good while its run is not terminal and still at that
try: whoever verifies one looks at the run as well.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from pathlib import Path

from modelyard.errors import UsageError

PREFIX = "run."
"""What every token of a run begins with, and no other token may."""

SHORTEST_KEY = 32
"""Bytes of a key: as many as its HMAC has."""

_FEWEST_SYMBOLS = 8  # different bytes of a key that somebody drew at random has more; `changeme…` does not
_TOKEN = re.compile(r"run\.([a-z][a-z0-9-]{0,62})\.(0|[1-9][0-9]{0,8})\.([0-9a-f]{64})")


@dataclass(frozen=True)
class RunToken:
    """What a token says."""

    run: str
    """The run's id."""
    tries: int
    """The try that it is of."""


def mint(run: str, tries: int, key: bytes) -> str:
    """The token of a run's try: always the same one.

    Args:
        run: The run's id.
        tries: The try, as the run's record counts it.
        key: The installation's key.
    """
    return f"{PREFIX}{run}.{tries}.{_proof(run, tries, key)}"


def verified(token: str, key: bytes) -> RunToken | None:
    """What a token says, where the key made it; None where it is none of ours.

    Args:
        token: What a caller showed.
        key: The installation's key.
    """
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    run, tries, proof = match[1], int(match[2]), match[3]
    return RunToken(run, tries) if hmac.compare_digest(proof, _proof(run, tries, key)) else None


def _proof(run: str, tries: int, key: bytes) -> str:
    return hmac.new(key, f"{run}/{tries}".encode(), hashlib.sha256).hexdigest()


def read_run_key(path: str | Path) -> bytes:
    """The installation's key, without white space around it.

    Args:
        path: The file that `MODELYARD_RUN_KEY_FILE` names.

    Raises:
        UsageError: There is no such file, or what it holds can be guessed.
    """
    hint = "make one with `openssl rand -hex 32`, for all services and the controller together"
    try:
        key = Path(path).read_bytes().strip()
    except OSError as error:
        reason = f"the key of run tokens can't be read from `{path}`: {error.strerror}"
        raise UsageError(reason, hint) from error
    if len(key) < SHORTEST_KEY or len(set(key)) < _FEWEST_SYMBOLS:
        reason = f"the key of run tokens in `{path}` can be guessed: it needs {SHORTEST_KEY} random bytes"
        raise UsageError(reason, hint)
    return key
