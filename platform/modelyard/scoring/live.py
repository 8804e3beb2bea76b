"""The models that are live, loaded: kept current by one thread, read by any number of others.

What is live is read from promotion facts. They are asked for when the change cursor says that a model changed; after
that only the clock decides, so that a planned promotion takes effect at its instant, with or without the registry.
A model is replaced by assigning one name: a request that looked it up keeps what it found, to its end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

import structlog

from modelyard.errors import ModelyardError, NotFound, Unavailable
from modelyard.near_miss import near_miss
from modelyard.registry.changes import read_changes
from modelyard.registry.live import effective, live_at
from modelyard.registry.pages import every

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from modelyard.registry.records import Promotion
    from modelyard.registry.registry import Registry

T = TypeVar("T")

MOST_DOUBLINGS = 6
"""A version that would not load is tried again after 1, 2, 4, … and then every 64 seconds."""
PREPARED_BEFORE = timedelta(minutes=10)
"""How long before its instant a planned version is loaded: by default all models change at midnight, at once."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Slot(Generic[T]):
    """One model at one moment."""

    model: str
    live: int | None = None
    """The version that is live; None where none is."""
    served: int | None = None
    """The version that answers. It is the live one, or the last that could be loaded."""
    loaded: T | None = None
    """What answers."""
    problem: str = ""
    """Why the live version does not answer, in words."""
    failures: int = 0
    """How often loading failed, since the start."""
    attempts: int = 0
    """How often loading the live version failed."""
    retry_at: datetime | None = None
    """When the live version is tried again; at once, where it was not tried yet."""


class LiveModels(Generic[T]):
    """Every model with a live version, loaded.

    Args:
        registry: Where promotions are recorded.
        load: Makes what answers from a model and the number of a version; may raise anything.
    """

    def __init__(self, registry: Registry, load: Callable[[str, int], T]) -> None:
        self.problem = "the registry was not asked yet"
        """Why the registry could not be asked last time; empty where it could."""
        self._registry = registry
        self._load = load
        self._facts: dict[str, Sequence[Promotion]] = {}
        self._slots: Mapping[str, Slot[T]] = {}
        self._prepared: dict[str, tuple[int, T | None]] = {}
        self._answered = False
        self._cursor: str | None = None

    def get(self, model: str) -> T:
        """What answers for a model.

        Raises:
            NotFound: There is no such model, or nothing of it is live.
            Unavailable: Its live version could not be loaded.
        """
        slot = self._slots.get(model)
        if slot is None:
            reason = f"there is no model `{model[:80]}`"
            raise NotFound(reason, near_miss(model[:80], self._slots, otherwise="GET /v1/models lists the models"))
        if slot.loaded is not None:
            return slot.loaded
        if slot.live is None:
            reason = f"no version of `{model}` is live"
            raise NotFound(reason, f"modelyard promote {model} VERSION makes one live")
        reason = f"version {slot.live} of `{model}` is live, and is not loaded: {slot.problem or 'it is being loaded'}"
        raise Unavailable(reason)

    def loaded_of(self, model: str) -> T | None:
        """What answers for a model; None where nothing does."""
        slot = self._slots.get(model)
        return None if slot is None else slot.loaded

    def slots(self) -> Sequence[Slot[T]]:
        """Every model, by name."""
        return sorted(self._slots.values(), key=lambda slot: slot.model)

    def loaded(self) -> list[T]:
        """What answers, and what is about to."""
        answering = [slot.loaded for slot in self._slots.values() if slot.loaded is not None]
        return answering + [loaded for _, loaded in self._prepared.values() if loaded is not None]

    @property
    def ready(self) -> bool:
        """Whether the registry has answered once, and every model with a live version has one that answers."""
        slots = self._slots.values()
        return self._answered and all(slot.live is None or slot.loaded is not None for slot in slots)

    @property
    def tried(self) -> bool:
        """Whether the registry has answered once, and every live version is loaded, or could not be."""
        slots = self._slots.values()
        return self._answered and all(slot.live is None or slot.loaded is not None or slot.problem for slot in slots)

    def refresh(self, now: datetime) -> None:
        """Do what the clock and the registry ask for. To be called by one thread.

        Args:
            now: The time.
        """
        self._advance_all(now)  # what was planned does not wait for a registry that does not answer
        try:
            self._read_facts()
            self.problem = ""
        except ModelyardError as error:
            self.problem = error.reason
        self._advance_all(now)
        # Only now that every model has its slot: one without a slot would not be missed.
        self._answered = self._answered or not self.problem
        for model in sorted(self._facts):
            self._prepare(model, now)

    def _read_facts(self) -> None:
        changes = read_changes(self._registry, self._cursor)
        changed: Collection[str] = changes.models
        if changes.anew:
            changed = {record.name for record in every(lambda page: self._registry.models(page=page))}
        read = {model: effective(self._registry.promotions(model)) for model in sorted(changed)}
        # Only now: whoever fails above asks for the same changes again.
        if changes.anew:
            self._begin_anew(read)
        self._facts = {**self._facts, **read}
        self._cursor = changes.cursor

    def _begin_anew(self, models: Collection[str]) -> None:
        # The same number may be another version now: all are loaded again, and until then what is loaded answers.
        self._facts = {}
        self._prepared = {}
        self._slots = {model: replace(slot, served=None) for model, slot in self._slots.items() if model in models}

    def _advance_all(self, now: datetime) -> None:
        for model in sorted(self._facts):
            fact = live_at(self._facts[model], now)
            self._advance(self._slots.get(model), model, fact.version if fact else None, now)

    def _advance(self, slot: Slot[T] | None, model: str, live: int | None, now: datetime) -> None:
        """Bring a model to what is live now."""
        if slot is None or slot.live != live:
            slot = replace(slot or Slot(model), live=live, problem="", attempts=0, retry_at=None)
            slot = slot if live is not None else Slot(model, failures=slot.failures)
            self._put(slot)
        if slot.live is not None and slot.live != slot.served and (slot.retry_at is None or slot.retry_at <= now):
            self._put(self._loaded(slot, slot.live, now))

    def _put(self, slot: Slot[T]) -> None:
        self._slots = {**self._slots, slot.model: slot}

    def _prepare(self, model: str, now: datetime) -> None:
        """Load what is planned to be live soon, so that many models can change at one midnight."""
        fact = live_at(self._facts[model], now + PREPARED_BEFORE)
        planned, slot = fact.version if fact else None, self._slots[model]
        if planned is None or planned in (slot.live, slot.served):
            self._prepared.pop(model, None)
        elif model not in self._prepared or self._prepared[model][0] != planned:
            try:
                self._prepared[model] = (planned, self._load(model, planned))
            except Exception:  # noqa: BLE001 - it is loaded again, and told of, when it is live
                _log.exception("planned version not loaded", model=model, version=planned)
                self._prepared[model] = (planned, None)

    def _loaded(self, slot: Slot[T], version: int, now: datetime) -> Slot[T]:
        prepared, ready = self._prepared.pop(slot.model, (None, None))
        try:
            loaded = ready if prepared == version and ready is not None else self._load(slot.model, version)
        except Exception as error:  # noqa: BLE001 - a stored version may fail in any way; what answers goes on
            _log.exception("version not loaded", model=slot.model, version=version, still=slot.served)
            wait = timedelta(seconds=2 ** min(slot.attempts, MOST_DOUBLINGS))
            return replace(
                slot,
                problem=error.reason if isinstance(error, ModelyardError) else f"{type(error).__name__}: {error}",
                failures=slot.failures + 1,
                attempts=slot.attempts + 1,
                retry_at=now + wait,
            )
        _log.info("version loaded", model=slot.model, version=version, instead=slot.served)
        return replace(slot, served=version, loaded=loaded, problem="", attempts=0)
