"""What is loaded follows the registry and the clock, and survives what breaks."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from modelyard.errors import IntegrityError, NotFound, Unavailable
from modelyard.registry.backup import back_up, restore
from modelyard.registry.home import RegistryHome
from modelyard.scoring.live import MOST_DOUBLINGS, PREPARED_BEFORE, LiveModels, Slot
from tests.scoring.versions import apply, plain_definition, register

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from modelyard.registry.records import ChangePage
    from tests.registries import Clock

MINUTE = timedelta(minutes=1)


class Loader:
    """Reads a version's only file, unless it was told to fail."""

    def __init__(self, registry: LocalRegistry) -> None:
        self.registry = registry
        self.loads: list[tuple[str, int]] = []
        self.broken: dict[tuple[str, int], Exception] = {}

    def __call__(self, model: str, version: int) -> str:
        self.loads.append((model, version))
        if error := self.broken.get((model, version)):
            raise error
        content = b"".join(self.registry.read_artifact(model, version, "notes.json"))
        return str(json.loads(content)["says"])


class Interrupted:
    """A registry that can't be reached while `down`."""

    def __init__(self, registry: LocalRegistry) -> None:
        self.registry = registry
        self.down = False

    def __getattr__(self, name: str) -> object:
        if self.down:
            reason = "the registry does not answer"
            raise Unavailable(reason)
        return getattr(self.registry, name)


class Counting(Interrupted):
    """A registry that counts how often promotions are read."""

    def __init__(self, registry: LocalRegistry) -> None:
        super().__init__(registry)
        self.read: list[str] = []

    def promotions(self, model: str) -> object:
        self.read.append(model)
        return self.registry.promotions(model)

    def changes(self, *, after: str | None = None, limit: int = 100) -> ChangePage:
        return self.registry.changes(after=after, limit=min(limit, 2))  # several pages, even of few events


@pytest.fixture
def loader(registry: LocalRegistry) -> Loader:
    return Loader(registry)


@pytest.fixture
def live(registry: LocalRegistry, loader: Loader) -> LiveModels[str]:
    return LiveModels(registry, loader)


def version(registry: LocalRegistry, model: str, says: str) -> int:
    return register(registry, model, {"notes.json": json.dumps({"says": says}).encode()})


def model(registry: LocalRegistry, name: str = "ke", timezone: str = "Africa/Nairobi") -> str:
    return apply(registry, plain_definition(name, timezone=timezone))


def test_before_the_registry_was_asked_nothing_is_ready(live: LiveModels[str]) -> None:
    assert not live.ready
    assert live.problem == "the registry was not asked yet"


def test_an_empty_registry_is_ready(live: LiveModels[str], clock: Clock) -> None:
    live.refresh(clock())
    assert live.ready
    assert live.problem == ""
    assert live.slots() == []


def test_it_is_not_ready_while_a_model_still_has_no_slot(registry: LocalRegistry, loader: Loader, clock: Clock) -> None:
    for name in ("gh", "ke"):
        model(registry, name)
        registry.promote(name, version(registry, name, "first"), live_from=clock())
    told: list[bool] = []

    class Asked(LiveModels[str]):
        """Is asked before each step, as a probe may do at any moment."""

        def _put(self, slot: Slot[str]) -> None:
            told.append(self.ready or self.tried)
            super()._put(slot)

    live = Asked(registry, loader)
    live.refresh(clock())
    assert told == [False] * 4
    assert live.ready


def test_a_planned_promotion_takes_effect_at_its_instant(
    registry: LocalRegistry, live: LiveModels[str], clock: Clock
) -> None:
    name = model(registry)
    registry.promote(name, version(registry, name, "first"), live_from=clock())
    live.refresh(clock())
    assert live.get(name) == "first"
    planned = registry.promote(name, version(registry, name, "second"))
    live.refresh(planned.live_from - timedelta(microseconds=1))
    assert live.get(name) == "first"
    live.refresh(planned.live_from)
    assert live.get(name) == "second"


def test_the_clock_alone_decides_while_the_registry_is_down(
    registry: LocalRegistry, loader: Loader, clock: Clock
) -> None:
    name = model(registry)
    registry.promote(name, version(registry, name, "first"), live_from=clock())
    planned = registry.promote(name, version(registry, name, "second"))
    reached = Interrupted(registry)
    live: LiveModels[str] = LiveModels(reached, loader)  # type: ignore[arg-type]  # it passes every call on
    live.refresh(planned.live_from - MINUTE)
    assert live.get(name) == "first"
    reached.down = True
    loader.broken[name, 2] = Unavailable("the registry does not answer")
    live.refresh(planned.live_from)
    assert live.get(name) == "second"
    assert live.problem == "the registry does not answer"
    assert live.ready
    reached.down = False
    live.refresh(planned.live_from + MINUTE)
    assert live.problem == ""


def test_a_planned_version_is_loaded_once_and_shortly_before(
    registry: LocalRegistry, live: LiveModels[str], loader: Loader, clock: Clock
) -> None:
    name = model(registry)
    registry.promote(name, version(registry, name, "first"), live_from=clock())
    planned = registry.promote(name, version(registry, name, "second"))
    live.refresh(planned.live_from - PREPARED_BEFORE - MINUTE)
    assert loader.loads == [(name, 1)]
    for _ in range(3):
        live.refresh(planned.live_from - PREPARED_BEFORE)
    assert loader.loads == [(name, 1), (name, 2)]
    assert live.loaded() == ["first", "second"]
    live.refresh(planned.live_from)
    assert loader.loads == [(name, 1), (name, 2)]
    assert live.get(name) == "second"
    assert live.loaded() == ["second"]


def test_a_planned_version_that_does_not_load_is_tried_again_when_it_is_live(
    registry: LocalRegistry, live: LiveModels[str], loader: Loader, clock: Clock
) -> None:
    name = model(registry)
    registry.promote(name, version(registry, name, "first"), live_from=clock())
    loader.broken[name, 2] = IntegrityError("`model.skops` is damaged")
    planned = registry.promote(name, version(registry, name, "second"))
    for _ in range(3):
        live.refresh(planned.live_from - MINUTE)
    assert loader.loads == [(name, 1), (name, 2)]
    assert live.slots()[0].failures == 0
    live.refresh(planned.live_from)
    assert (live.get(name), live.slots()[0].failures) == ("first", 1)
    loader.broken.clear()
    live.refresh(planned.live_from + MINUTE)
    assert live.get(name) == "second"


def test_what_was_planned_and_is_taken_back_never_answers(
    registry: LocalRegistry, live: LiveModels[str], clock: Clock
) -> None:
    name = model(registry)
    for says in ("first", "second"):
        registry.promote(name, version(registry, name, says), live_from=clock.pass_(minutes=1))
    planned = registry.promote(name, version(registry, name, "third"))
    live.refresh(planned.live_from - MINUTE)
    registry.rollback(name)
    live.refresh(planned.live_from)
    assert live.get(name) == "first"


def test_a_registry_that_is_down_at_the_start_is_asked_again(
    registry: LocalRegistry, loader: Loader, clock: Clock
) -> None:
    name = model(registry)
    registry.promote(name, version(registry, name, "first"), live_from=clock())
    reached = Interrupted(registry)
    reached.down = True
    live: LiveModels[str] = LiveModels(reached, loader)  # type: ignore[arg-type]  # it passes every call on
    live.refresh(clock())
    assert live.problem == "the registry does not answer"
    reached.down = False
    live.refresh(clock())
    assert live.ready
    assert live.get(name) == "first"


def test_only_models_that_changed_are_read_again(registry: LocalRegistry, loader: Loader, clock: Clock) -> None:
    names = [model(registry, name) for name in ("gh", "ke", "ug")]
    for name in names:
        registry.promote(name, version(registry, name, name), live_from=clock())
    counting = Counting(registry)
    live: LiveModels[str] = LiveModels(counting, loader)  # type: ignore[arg-type]  # it passes every call on
    live.refresh(clock())
    assert counting.read == names
    live.refresh(clock())
    assert counting.read == names
    registry.promote("ke", version(registry, "ke", "newer"), live_from=clock())
    live.refresh(clock())
    assert counting.read == [*names, "ke"]
    assert loader.loads == [("gh", 1), ("ke", 1), ("ug", 1), ("ke", 2)]


def test_a_registry_that_was_restored_from_a_backup_is_read_anew(
    registry: LocalRegistry, loader: Loader, clock: Clock, tmp_path: Path
) -> None:
    name, gone = model(registry), "gone"
    registry.promote(name, version(registry, name, "first"), live_from=clock())
    back_up(tmp_path, tmp_path / "backup")
    model(registry, gone)
    for says in ("lost", "lost as well"):
        for lost in (name, gone):
            registry.promote(lost, version(registry, lost, says), live_from=clock.pass_(minutes=1))
    reached = Interrupted(registry)
    live: LiveModels[str] = LiveModels(reached, loader)  # type: ignore[arg-type]  # it passes every call on
    live.refresh(clock())
    assert (live.get(name), live.get(gone)) == ("lost as well", "lost as well")

    restore(tmp_path / "backup", tmp_path / "home")
    restored = RegistryHome(tmp_path / "home").registry("tests")
    reached.registry = loader.registry = restored
    for says in ("second", "third", "fourth", "fifth"):  # until its changes have come as far as those that were lost
        restored.promote(name, version(restored, name, says))
        live.refresh(clock())
        assert live.get(name) == "first"
    with pytest.raises(NotFound):
        live.get(gone)
    assert [(slot.live, slot.served) for slot in live.slots()] == [(1, 1)]


def test_many_models_are_listed_to_the_last_page(registry: LocalRegistry, live: LiveModels[str], clock: Clock) -> None:
    for number in range(101):
        model(registry, f"m{number:03}")
    live.refresh(clock())
    assert [slot.model for slot in live.slots()] == [f"m{number:03}" for number in range(101)]


def test_a_version_that_does_not_load_leaves_the_old_one(
    registry: LocalRegistry, live: LiveModels[str], loader: Loader, clock: Clock
) -> None:
    name = model(registry)
    registry.promote(name, version(registry, name, "first"), live_from=clock())
    live.refresh(clock())
    loader.broken[name, 2] = IntegrityError("`model.skops` is damaged")
    registry.promote(name, version(registry, name, "second"), live_from=clock.pass_(minutes=1))
    live.refresh(clock())
    assert live.get(name) == "first"
    (slot,) = live.slots()
    assert (slot.live, slot.served, slot.problem, slot.failures) == (2, 1, "`model.skops` is damaged", 1)
    assert live.ready
    registry.rollback(name)
    live.refresh(clock())
    (slot,) = live.slots()
    assert (slot.live, slot.served, slot.problem) == (1, 1, "")


def test_loading_is_tried_again_less_and_less_often(
    registry: LocalRegistry, live: LiveModels[str], loader: Loader, clock: Clock
) -> None:
    name = model(registry)
    loader.broken[name, 1] = ValueError("no such opcode")
    registry.promote(name, version(registry, name, "first"), live_from=clock())
    tried: list[int] = []
    for second in range(400):
        before = len(loader.loads)
        live.refresh(clock() + timedelta(seconds=second))
        tried += [second] * (len(loader.loads) - before)
    assert tried == [0, 1, 3, 7, 15, 31, 63, 127, 191, 255, 319, 383]
    assert tried[-1] - tried[-2] == 2**MOST_DOUBLINGS
    assert not live.ready
    with pytest.raises(Unavailable, match="version 1 of `ke` is live, and is not loaded: ValueError: no such opcode"):
        live.get(name)
    loader.broken.clear()
    live.refresh(clock() + timedelta(seconds=500))
    assert live.get(name) == "first"
    assert live.ready


def test_nothing_answers_for_an_archived_model(registry: LocalRegistry, live: LiveModels[str], clock: Clock) -> None:
    name = model(registry)
    registry.promote(name, version(registry, name, "first"), live_from=clock())
    live.refresh(clock())
    registry.archive_model(name)
    live.refresh(clock())
    with pytest.raises(NotFound, match="no version of `ke` is live"):
        live.get(name)
    assert live.ready


def test_an_unknown_model_is_told_with_near_misses(
    registry: LocalRegistry, live: LiveModels[str], clock: Clock
) -> None:
    model(registry, "ke_loan_default")
    live.refresh(clock())
    with pytest.raises(NotFound, match="did you mean `ke_loan_default`"):
        live.get("ke_loan_defualt")
    with pytest.raises(NotFound, match="GET /v1/models"):
        live.get("x" * 10_000)
