"""`modelyard score` does a day's steps, for one model or for all, and says what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from modelyard.cli.main import run
from tests.scoring.trained import loans
from tests.scoring.versions import apply
from tests.scoring.world import MODEL, World, definition, make_world

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROJECT = "apiVersion: modelyard/v1\nkind: Project\nname: tests\n"
DAY = ("--as-of", "2026-07-01")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = make_world(tmp_path)
    (tmp_path / "modelyard.yaml").write_text(PROJECT)
    monkeypatch.setenv("MODELYARD_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return world


def test_a_day_is_materialised_and_scored_and_then_left_alone(world: World, said: Callable[..., Any]) -> None:
    world.train(definition())
    (first,) = said("score", MODEL, *DAY)
    assert (first["model"], first["version"], first["partition"], first["rows"]) == (MODEL, 1, "2026-07-01", 37)
    assert first["existed"] is False
    assert 0 < first["mean"] < 1
    assert world.datasets.partitions("features/history/1") == ["2026-07-01"]
    (second,) = said("score", MODEL, *DAY)
    assert second == {**first, "existed": True}


def test_all_models_of_the_project_that_score_are_scored(
    world: World, capsys: pytest.CaptureFixture[str], said: Callable[..., Any]
) -> None:
    world.train(definition())
    other = definition()
    other["document"]["name"] = "untrained"
    apply(world.registry, other)
    apply(world.registry, loans("unscheduled"))
    elsewhere = definition()
    elsewhere["document"]["name"] = "elsewhere"
    world.registry.apply_model(elsewhere, project="another", expected_revision=0)
    assert [one["model"] for one in said("score", *DAY)] == [MODEL]
    assert run(["score", *DAY]) == 0
    told = capsys.readouterr()
    assert "there already" in told.out
    assert "left out: untrained: no version of `untrained` is live" in told.err
    assert "unscheduled" not in told.err
    assert "elsewhere" not in told.err


def test_a_version_can_be_named_before_it_is_live(world: World, said: Callable[..., Any]) -> None:
    for attempt in (1, 2):
        world.train(definition(), attempt=attempt, live=False)
    assert [one["version"] for one in said("score", *DAY, "--version", "latest")] == [2]
    assert [one["version"] for one in said("score", MODEL, *DAY, "--version", "1")] == [1]


def test_today_is_the_models_own(world: World, said: Callable[..., Any]) -> None:
    content = definition(timezone="Pacific/Kiritimati")
    world.registry.apply_model(content, project="tests", expected_revision=1)
    world.train(content)
    (one,) = said("score", MODEL)
    assert one["partition"] >= "2026-07-01"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nobody", *DAY), 1, "there is no model `nobody`"),
        ((MODEL, *DAY), 1, "name one: --version NUMBER, or --version latest"),
        ((MODEL, *DAY, "--version", "7"), 1, "`people` has no version 7"),
        ((MODEL, *DAY, "--version", "newest"), 64, "`newest` is no version"),
        ((MODEL, "--as-of", "yesterday"), 64, "yesterday"),
    ],
)
def test_what_can_not_be_scored_is_told(
    world: World, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, said: str
) -> None:
    assert world.registry.model(MODEL).latest is None
    assert run(["score", *words]) == code
    assert said in capsys.readouterr().err


def test_a_model_that_fails_does_not_keep_others_from_being_scored(world: World, said: Callable[..., Any]) -> None:
    world.train(definition())
    broken = definition(where="nowhere > 1")
    broken["document"]["name"] = "broken"
    apply(world.registry, broken)
    world.train(broken)
    assert [one["model"] for one in said("score", *DAY, code=65)] == [MODEL]
