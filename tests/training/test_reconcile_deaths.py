"""Whatever dies when, in the loop or in its jobs, every run ends and makes one version at most."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from modelyard.registry.records import RunState
from modelyard.training.moves import TRIES
from tests.training.played import Yard

if TYPE_CHECKING:
    from collections.abc import Iterator


class Crash(BaseException):
    """The loop's process dies."""


class Dying:
    """A part whose calls kill the process: before they do anything, or right after."""

    def __init__(self, part: Any, plan: Iterator[str]) -> None:
        self._part, self._plan = part, plan

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part, name)

        def call(*given: Any, **named: Any) -> Any:
            fate = next(self._plan, "live")
            if fate == "before":
                raise Crash
            result = method(*given, **named)
            if fate == "after":
                raise Crash
            return result

        return call


FATES = st.lists(st.sampled_from(["live"] * 6 + ["before", "after"]), max_size=60)
ENDINGS = st.lists(st.sampled_from(["well", "well", "well", "suddenly", "unseen", "late", "badly"]), max_size=25)


@settings(max_examples=20)
@given(fates=FATES, endings=ENDINGS, order=st.randoms(use_true_random=False))
def test_whatever_dies_when_every_run_ends_and_makes_one_version_at_most(
    fates: list[str], endings: list[str], order: Any
) -> None:
    with TemporaryDirectory() as folder:
        place = Yard(Path(folder))
        runs = [place.queue("ke"), place.queue("gh", seed=1), place.queue("ug", data={"from": "2026-01-01"})]
        plan, ends = iter(fates), iter(endings)
        for _ in range(400):
            loops = [place.loop(lambda part: Dying(part, plan)) for _ in range(2)]
            try:
                order.choice(loops).step()
            except Crash:
                continue
            running = list(place.launcher.running)
            if running:
                place.launcher.end(order.choice(running), next(ends, "well"))
            place.clock.pass_(seconds=5)
            if not place.registry.open_runs().items:
                break
        place.loop().step()
        assert place.launcher.jobs == {}
        for run in runs:
            ended = place.registry.run(run.id)
            versions = [version for version in place.registry.versions(run.model).items if version.run == run.id]
            assert ended.state in (RunState.SUCCEEDED, RunState.FAILED)
            assert len(versions) <= 1
            assert ended.tries <= TRIES + endings.count("unseen")
            if ended.state is RunState.SUCCEEDED:
                assert [version.number for version in versions] == [ended.version]
                assert [fact.version for fact in place.registry.promotions(run.model)] == [ended.version]
