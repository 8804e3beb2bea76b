"""What all rules stand on: the stores, who acts, and the clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from modelyard.errors import Conflict, Forbidden, InvalidData, NotFound
from modelyard.registry.chains import Happening
from modelyard.registry.checks import check_name, check_run_id
from modelyard.registry.documents import Documents, plain_json, pointer
from modelyard.registry.metadata import Stale
from modelyard.registry.pages import check_limit
from modelyard.registry.records import Page, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from modelyard.registry.artifacts import ArtifactStore
    from modelyard.registry.metadata import MetadataStore
    from modelyard.registry.records import ModelRecord, Run

T = TypeVar("T")
R = TypeVar("R", bound=Record)
D = TypeVar("D", bound=BaseModel)

TRIES = 32
"""How often a decision is taken anew when others change what it hangs on; each loss means that another one won."""

MOST_FETCHED = 16
"""Contents of a page that lie in the artifact store, with mebibytes each: a page fits into a small service's memory,
whatever authors write into definitions."""


def utc_now() -> datetime:
    """The time by this machine's clock."""
    return datetime.now(UTC)


class Rules:
    """Rules over a metadata store and an artifact store.

    Args:
        metadata: Where records live.
        artifacts: Where bytes live.
        actor: Who is named in the history.
        operator: Whether he may do what operators alone may: whoever has the stores themselves at hand is one.
        teams: The teams for which he may make models, feature sets and runs; all of them unless said.
        run: The run that acts, which touches no version of another one; none unless said.
        clock: The time. Order hangs on sequences alone; a wrong clock makes wrong dates, and nothing else.
    """

    def __init__(
        self,
        metadata: MetadataStore,
        artifacts: ArtifactStore,
        *,
        actor: str,
        operator: bool = True,
        teams: Collection[str] | None = None,
        run: str | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._metadata = metadata
        self._artifacts = artifacts
        self._documents = Documents(artifacts)
        self._actor = actor
        self._operator = operator
        self._teams = teams
        self._run = run
        self._clock = clock

    def _happening(self, subject: str, kind: str, details: dict[str, Any]) -> Happening:
        return Happening(subject=subject, type=kind, at=self._clock(), by=self._actor, details=details)

    def _check_team(self, team: str, what: str) -> None:
        """Make sure that who acts may make something for a team."""
        if self._teams is not None and team not in self._teams:
            msg = f"`{self._actor}` may not make {what} for the team `{team}`"
            hint = "name one of your own teams as its `owner`" if self._teams else "you are of no team here"
            raise Forbidden(msg, hint)

    def _check_own(self, made_by: str | None, model: str, number: int | None = None) -> None:
        """Make sure that a run that acts touches its own version."""
        if self._run is not None and made_by != self._run:
            msg = f"`{model}` has no {'claim' if number is None else f'version {number}'} of run `{self._run}`"
            raise NotFound(msg, "a run's token is for its own version")

    def _known_model(self, name: str) -> ModelRecord:
        record = self._metadata.model(check_name(name))
        if record is None:
            msg = f"there is no model `{name}`"
            raise NotFound(msg, "`modelyard models` lists them")
        return record

    def _known_run(self, run_id: str) -> Run:
        run = self._metadata.run(check_run_id(run_id))
        if run is None:
            msg = f"there is no run `{run_id}`"
            raise NotFound(msg, "`modelyard runs` lists them")
        return run

    def _usable_model(self, name: str) -> ModelRecord:
        record = self._known_model(name)
        if record.archived_at is not None:
            msg = f"`{name}` is archived"
            raise Conflict(msg, "apply its document again to bring it back")
        return record

    def _whole(self, record: R, field: str = "definition") -> R:
        """A record with the content of a field, wherever that is kept."""
        kept = getattr(record, field)
        content = self._documents.fetch(kept)
        return record if content is kept else record.model_copy(update={field: content})

    def _whole_page(
        self, read: Callable[[int], Page[R]], limit: int, whole: Callable[[R], R], field: str = "definition"
    ) -> Page[R]:
        """A page of records with their contents; it ends early after the most contents that had to be fetched.

        Args:
            read: The page that the store has, of at most so many records.
            limit: The page's size.
            whole: A record with its content.
            field: What holds the content, or points to it.
        """
        found = read(check_limit(limit))
        shelved = [place for place, record in enumerate(found.items) if pointer(getattr(record, field)) is not None]
        if len(shelved) > MOST_FETCHED:
            found = read(shelved[MOST_FETCHED])
        return Page(items=tuple(map(whole, found.items)), next=found.next)


def read_content(kind: type[D], content: Mapping[str, Any], what: str) -> D:
    """A definition, or a run's specification, that somebody sent.

    Raises:
        InvalidData: It is not valid.
    """
    try:
        return kind.model_validate_json(plain_json(content))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, problem["loc"]))
        msg = f"{what} is not valid: {place}: {problem['msg']}"
        raise InvalidData(msg, "`modelyard validate` shows where it comes from") from error


def settled(decide: Callable[[], T]) -> T:
    """The outcome of a decision that is taken anew whenever somebody else was quicker.

    For decisions that stay right whatever the others did, such as archiving; a promotion is not one of them.

    Raises:
        Stale: Others were quicker every time.
    """
    for _ in range(TRIES - 1):
        try:
            return decide()
        except Stale:
            continue
    return decide()
