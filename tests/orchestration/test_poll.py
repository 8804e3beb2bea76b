"""The poller: specs follow the registry, and survive it."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.errors import ModelyardError, Unavailable
from modelyard.orchestration.plan import NEVER_LIVE, UNSCHEDULED, DagPlan
from modelyard.orchestration.poll import FULL_EVERY, PollResult, poll
from modelyard.orchestration.poll_state import read_state
from modelyard.orchestration.specs import read_specs, spec_path
from tests.orchestration.yard import NOON, add_live, add_version, apply
from tests.registries import Clock, open_registry

if TYPE_CHECKING:
    from modelyard.registry.local import LocalRegistry


def plans(folder: Path) -> dict[str, DagPlan]:
    specs = list(read_specs(folder))
    assert all(isinstance(spec, DagPlan) for spec in specs)
    return {spec.model: spec for spec in specs if isinstance(spec, DagPlan)}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*/*.json")}


def test_the_first_poll_looks_at_everything_and_the_next_finds_nothing_to_do(
    registry: LocalRegistry, folder: Path
) -> None:
    for model in ("gh_loan_default", "ke_loan_default"):
        add_live(registry, apply(registry, model))
    first = poll(registry, folder, now=NOON)
    assert (first.full, first.written, first.unchanged) == (True, ("gh_loan_default", "ke_loan_default"), 0)
    before = contents(folder)
    assert poll(registry, folder, now=NOON) == PollResult(cursor=first.cursor, full=False)
    assert contents(folder) == before


def test_a_promotion_changes_its_models_spec_alone(registry: LocalRegistry, folder: Path, clock: Clock) -> None:
    for model in ("gh_loan_default", "ke_loan_default"):
        add_live(registry, apply(registry, model), {"borrower_history": 1})
    poll(registry, folder, now=NOON)
    clock.pass_(days=1)
    second = add_live(registry, "ke_loan_default", {"borrower_history": 2})
    result = poll(registry, folder, now=NOON)
    assert (result.full, result.written, result.unchanged) == (False, ("ke_loan_default",), 0)
    assert plans(folder)["ke_loan_default"].intervals[-1].version == second
    assert plans(folder)["ke_loan_default"].feature_sets == {1: {"borrower_history": 1}, 2: {"borrower_history": 2}}


def test_a_new_revision_of_the_schedule_reaches_the_spec(registry: LocalRegistry, folder: Path) -> None:
    model = apply(registry, "ke_loan_default")
    add_live(registry, model)
    poll(registry, folder, now=NOON)
    scoring = {"schedule": "30 5 * * *", "population": {"source": "flats", "entity": "size"}}
    apply(registry, model, scoring=scoring)
    assert poll(registry, folder, now=NOON).written == (model,)
    assert plans(folder)[model].schedule == "30 5 * * *"


def test_an_archived_models_spec_goes(registry: LocalRegistry, folder: Path) -> None:
    model = apply(registry, "ke_loan_default")
    add_live(registry, model)
    poll(registry, folder, now=NOON)
    registry.archive_model(model)
    assert poll(registry, folder, now=NOON).removed == (model,)
    assert plans(folder) == {}
    assert read_state(folder).without == {}


def test_models_without_a_dag_are_remembered_with_the_reason(registry: LocalRegistry, folder: Path) -> None:
    apply(registry, "gh_loan_default", scoring=None)
    add_version(registry, apply(registry, "ke_loan_default"))
    poll(registry, folder, now=NOON)
    assert read_state(folder).without == {"gh_loan_default": UNSCHEDULED.reason, "ke_loan_default": NEVER_LIVE.reason}
    registry.promote("ke_loan_default", 1)
    poll(registry, folder, now=NOON)
    assert read_state(folder).without == {"gh_loan_default": UNSCHEDULED.reason}


def test_damage_is_mended_by_the_next_full_poll(registry: LocalRegistry, folder: Path) -> None:
    for model in ("gh_loan_default", "ke_loan_default", "ug_loan_default"):
        add_live(registry, apply(registry, model), {"borrower_history": 4})
    poll(registry, folder, now=NOON)
    before = contents(folder)
    spec_path(folder, "gh_loan_default").write_bytes(b"{")
    spec_path(folder, "ug_loan_default").unlink()
    stray = folder / "00" / "stranger.json"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"{}")
    assert not poll(registry, folder, now=NOON + FULL_EVERY / 2).full
    result = poll(registry, folder, now=NOON + FULL_EVERY)
    assert (result.full, result.written) == (True, ("gh_loan_default", "ug_loan_default"))
    assert (result.removed, result.unchanged) == (("stranger",), 1)
    assert contents(folder) == before


def test_whatever_lies_in_a_specs_place_goes(registry: LocalRegistry, folder: Path) -> None:
    add_live(registry, apply(registry, "ke_loan_default"))
    poll(registry, folder, now=NOON)
    before = contents(folder)
    path, state = spec_path(folder, "ke_loan_default"), folder / "poll.json"
    for place in (path, state):
        place.unlink()
        place.mkdir()
    (folder / "00").mkdir(exist_ok=True)
    (folder / "00" / "folder.json" / "inside").mkdir(parents=True)
    (folder / "00" / "link.json").symlink_to(folder / "nowhere")
    result = poll(registry, folder, full=True, now=NOON)
    assert (result.written, sorted(result.removed)) == (("ke_loan_default",), ["folder", "link"])
    assert contents(folder) == before


@pytest.mark.skipif(sys.platform == "darwin", reason="its file system takes no such name")
def test_a_name_that_is_no_text_goes(registry: LocalRegistry, folder: Path) -> None:
    stray = folder / "00" / os.fsdecode(b"\xff.json")
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"{}")
    assert poll(registry, folder).removed == ("?",)
    assert not stray.exists()


def test_a_folder_that_cannot_be_written_to_is_told(registry: LocalRegistry, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "specs"):
        with pytest.raises(Unavailable, match="file"):
            poll(registry, folder)


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[" * 100_000, b"[]", b'{"format": 2}', b'{"format": 1, "last": null}', None]
)
def test_without_a_sound_state_everything_is_looked_at(
    registry: LocalRegistry, folder: Path, damage: bytes | None
) -> None:
    add_live(registry, apply(registry, "ke_loan_default"))
    first = poll(registry, folder, now=NOON)
    state = folder / "poll.json"
    state.unlink() if damage is None else state.write_bytes(damage)
    assert poll(registry, folder, now=NOON) == PollResult(cursor=first.cursor, full=True, unchanged=1)


def test_a_clock_that_was_wrong_does_not_put_off_the_next_full_poll(registry: LocalRegistry, folder: Path) -> None:
    poll(registry, folder, now=NOON + timedelta(days=400))
    assert poll(registry, folder, now=NOON).full


def test_a_registry_that_went_back_is_followed_from_its_beginning(
    registry: LocalRegistry, folder: Path, clock: Clock, tmp_path: Path
) -> None:
    model = apply(registry, "ke_loan_default")
    add_live(registry, model, {"borrower_history": 1})
    backup = tmp_path / "backup"
    shutil.copytree(tmp_path / "home", backup)
    clock.pass_(days=1)
    add_live(registry, model, {"borrower_history": 2})
    apply(registry, "gh_loan_default", scoring=None)
    poll(registry, folder, now=NOON)
    restored = open_registry(backup, clock)
    clock.pass_(days=1)
    add_live(restored, model, {"borrower_history": 3})
    apply(restored, "ug_loan_default", scoring=None)  # as many changes as were lost
    result = poll(restored, folder, now=NOON)
    assert (result.full, result.written) == (True, (model,))
    assert plans(folder)[model].feature_sets == {1: {"borrower_history": 1}, 2: {"borrower_history": 3}}
    assert list(read_state(folder).without) == ["ug_loan_default"]
    assert not poll(restored, folder, now=NOON).full


def test_hundreds_of_models_come_in_pages(registry: LocalRegistry, folder: Path) -> None:
    models = [apply(registry, f"model_{number:03}", scoring=None) for number in range(230)]
    seen: list[float] = []
    poll(registry, folder, now=NOON, advance=seen.append)
    assert seen == list(range(1, 231))
    assert sorted(read_state(folder).without) == models


class Falling:
    """A registry that can't be reached from a certain call on."""

    def __init__(self, registry: LocalRegistry, calls: int) -> None:
        self._registry, self._left = registry, calls

    def __getattr__(self, name: str) -> object:
        self._left -= 1
        if self._left < 0:
            reason = "the registry does not answer"
            raise Unavailable(reason)
        return getattr(self._registry, name)


@pytest.mark.parametrize("calls", range(9))
def test_while_the_registry_is_down_the_specs_stay_and_then_catch_up(
    registry: LocalRegistry, folder: Path, clock: Clock, calls: int
) -> None:
    models = [apply(registry, f"{market}_loan_default") for market in ("gh", "ke")]
    for model in models:
        add_live(registry, model)
    poll(registry, folder, now=NOON)
    before = contents(folder)
    clock.pass_(days=1)
    for model in models:
        add_live(registry, model)
    if calls < 8:  # two pages of changes, then three calls for each model: the eighth is the last
        with pytest.raises(Unavailable):
            poll(Falling(registry, calls), folder, now=NOON)  # type: ignore[arg-type]
    assert contents(folder).keys() == before.keys()
    assert len(plans(folder)) == 2
    poll(registry, folder, now=NOON)
    assert [len(plan.intervals) for plan in plans(folder).values()] == [2, 2]


def _poll_often(home: str, folder: str, seed: int) -> None:
    registry = open_registry(Path(home), Clock(NOON))
    order = random.Random(seed)  # noqa: S311 - for variety, not for secrets
    for _ in range(10):
        poll(registry, Path(folder), full=order.random() < 0.5, now=NOON)


def test_two_pollers_at_once_are_harmless(registry: LocalRegistry, folder: Path, clock: Clock, tmp_path: Path) -> None:
    model = apply(registry, "ke_loan_default")
    processes = multiprocessing.get_context("spawn")
    pollers = [
        processes.Process(target=_poll_often, args=(str(tmp_path / "home"), str(folder), seed)) for seed in range(2)
    ]
    for poller in pollers:
        poller.start()
    for _ in range(10):
        clock.pass_(days=1)
        add_live(registry, model)
    for poller in pollers:
        poller.join()
    assert [poller.exitcode for poller in pollers] == [0, 0]
    poll(registry, folder, now=NOON)
    assert len(plans(folder)[model].intervals) == 10
    assert not list(folder.glob("**/*.part"))


@settings(max_examples=15)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["promote", "rollback", "archive", "apply", "unschedule", "poll"]),
            st.sampled_from(["gh_loan_default", "ke_loan_default"]),
        ),
        max_size=12,
    )
)
def test_following_the_changes_makes_the_same_files_as_looking_at_everything(steps: list[tuple[str, str]]) -> None:
    clock = Clock(NOON)
    with TemporaryDirectory() as home:
        registry = open_registry(Path(home) / "home", clock)
        followed, anew = Path(home) / "followed", Path(home) / "anew"
        for action, model in steps:
            clock.pass_(hours=7)
            try:
                match action:
                    case "promote":
                        add_live(registry, model)
                    case "rollback":
                        registry.rollback(model)
                    case "archive":
                        registry.archive_model(model)
                    case "apply":
                        apply(registry, model)
                    case "unschedule":
                        apply(registry, model, scoring=None)
                    case _:
                        poll(registry, followed, now=NOON)
            except ModelyardError:
                continue  # what the registry's rules refuse does not happen
        poll(registry, followed, now=NOON)
        poll(registry, anew, now=NOON)
        assert contents(followed) == contents(anew)
        assert json.loads((followed / "poll.json").read_text()) == json.loads((anew / "poll.json").read_text())
