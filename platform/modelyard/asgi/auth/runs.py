"""Tokens of runs: good while their run goes on, at the try that they were made for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.asgi.auth.principal import RUN_PREFIX, OwnRun, Principal
from modelyard.errors import Unauthenticated
from modelyard.run_tokens import verified

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run."""

    model: str
    team: str
    tries: int
    ended: bool
    bundles: frozenset[str] = frozenset()


class RunTokens:
    """The tokens that the installation's key makes.

    Args:
        key: The key.
        find: What is known of a run, as of now; None where there is no such run.
    """

    def __init__(self, key: bytes, find: Callable[[str], RunFacts | None]) -> None:
        self._key = key
        self._find = find

    def authenticate(self, token: str) -> Principal:
        """The run that a token is of.

        Raises:
            Unauthenticated: It is none of ours, or its run has ended, or is at another try.
        """
        said = verified(token, self._key)
        if said is None:
            msg = "the token is of no run of this installation"
            raise Unauthenticated(msg)
        facts = self._find(said.run)
        if facts is None or facts.ended or facts.tries != said.tries:
            msg = f"try {said.tries} of run `{said.run}` has ended, and its token with it"
            raise Unauthenticated(msg)
        own = OwnRun(said.run, facts.model, facts.team, facts.bundles)
        return Principal(name=f"{RUN_PREFIX}{said.run}", teams=frozenset({facts.team}), run=own)
