"""One run's or one job's trouble, whatever it is, holds up no other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.errors import IntegrityError, InvalidData, ModelyardError, NotFound
from modelyard.registry.documents import LARGEST_INLINE
from modelyard.registry.records import RunState
from modelyard.training.launchers.launcher import Job, JobState
from tests.training import yard

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelyard.registry.records import Run
    from tests.training.played import Yard


@pytest.mark.parametrize("trouble", [IntegrityError, InvalidData, NotFound])
def test_what_is_wrong_with_one_run_ends_that_run_alone(place: Yard, trouble: type[ModelyardError]) -> None:
    poisoned = place.queue("ke", data={"from": "2026-01-01"})
    others = [place.queue(name, seed=seed) for seed, name in enumerate(("gh", "ug"))]
    damaged = f"training_sets/{yard.spec(yard.definition('ke', data={'from': '2026-01-01'})).training_set}"
    whole = place.datasets.manifest

    def manifest(dataset: str, partition: str) -> Any:
        if dataset == damaged:
            raise trouble("the manifest is damaged", "publish the partition again")  # noqa: EM101 - a test's own
        return whole(dataset, partition)

    place.datasets.manifest = manifest  # type: ignore[method-assign]
    place.play()
    ended = place.registry.run(poisoned.id)
    assert (ended.state, ended.permanent, ended.tries) == (RunState.FAILED, True, 0)
    assert ended.reason == "the manifest is damaged\n  hint: publish the partition again"
    assert [place.state(run) for run in others] == [RunState.SUCCEEDED] * 2


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(b"{}")])
def test_a_run_whose_specification_is_lost_ends_alone(place: Yard, damage: Callable[[Path], Any]) -> None:
    lost = place.queue("ke", description="long " * LARGEST_INLINE)
    other = place.queue("gh", seed=1)
    for document in (place.settings.home / "artifacts" / "documents").iterdir():
        damage(document)
    place.play()
    ended = place.registry.run(lost.id)
    assert (ended.state, ended.permanent, ended.tries) == (RunState.FAILED, True, 0)
    assert "can't be read" in ended.reason
    assert place.state(other) is RunState.SUCCEEDED


def test_a_run_that_breaks_the_code_ends_alone(place: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, other = place.queue("ke"), place.queue("gh", seed=1)
    submit = place.launcher.submit

    def breaking(spec: Any) -> Any:
        if spec.run == broken.id:
            raise ValueError(spec.run)
        return submit(spec)

    monkeypatch.setattr(place.launcher, "submit", breaking)
    place.play()
    ended = place.registry.run(broken.id)
    assert (ended.state, ended.permanent) == (RunState.FAILED, True)
    assert "broke the loop (ValueError)" in ended.reason
    assert place.state(other) is RunState.SUCCEEDED


def test_a_run_that_is_gone_meanwhile_ends_no_step(place: Yard) -> None:
    gone = place.queue("ke")
    place.loop().step()
    place.launcher.end(place.launcher.running[0])
    place.loop().step()
    place.launcher.jobs.clear()
    other = place.queue("gh", seed=1)
    registry = place.registry

    class Swept:
        """A registry that lists a run, and has it no more when it is asked for."""

        def __getattr__(self, name: str) -> Any:
            return getattr(registry, name)

        def run(self, run_id: str) -> Run:
            return self._missing() if run_id == gone.id else registry.run(run_id)

        def update_run(self, run: Run) -> Run:
            return self._missing() if run.id == gone.id else registry.update_run(run)

        def _missing(self) -> Run:
            raise NotFound("there is no such run")  # noqa: EM101 - a test's own

    seen = place.loop(lambda part: Swept() if part is registry else part).step()
    assert seen[other.id].state is RunState.TRAINING


def test_a_job_that_can_not_be_removed_keeps_no_other(place: Yard) -> None:
    place.queue("ke")
    place.loop().step()
    left = place.launcher.running[0]
    place.launcher.jobs["build-00000000000000000000-1"] = Job("build-00000000000000000000-1", JobState.RUNNING)
    place.launcher.jobs["build-ffffffffffffffffffff-1"] = Job("build-ffffffffffffffffffff-1", JobState.RUNNING)
    cancel = place.launcher.cancel

    def refusing(name: str) -> None:
        if name.startswith("build-0000"):
            raise InvalidData("the API server refuses to DELETE it")  # noqa: EM101 - a test's own
        cancel(name)

    place.launcher.cancel = refusing  # type: ignore[method-assign]
    place.loop().step()
    assert list(place.launcher.running) == [left, "build-00000000000000000000-1"]
