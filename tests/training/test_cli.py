"""`modelyard train` and `modelyard runs`, with a project, real processes and nothing played."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psutil
import pyarrow.parquet as pq
import pytest

from modelyard.cli.main import run
from modelyard.errors import UsageError
from modelyard.registry.records import RunState
from modelyard.training.launchers.launcher import Job, JobState
from modelyard.training.trials import Trials, with_settings
from tests.training import yard
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROJECT = """\
apiVersion: modelyard/v1
kind: Project
name: lending
modules: [sklearn, ./own]
"""
DOCUMENTS = """\
apiVersion: modelyard/v1
kind: Source
name: loans
format: parquet
path: loans.parquet
columns: {loan_id: string, amount: double, channel: string, repeat: boolean, outcome: integer}
---
apiVersion: modelyard/v1
kind: Architecture
name: scorecard
pipeline:
  - columns:
      numeric: [{use: sklearn.impute.SimpleImputer}, {use: own.steps.Scale, with: {by: "${by}"}}]
      categorical: [{use: sklearn.preprocessing.OneHotEncoder, with: {handle_unknown: ignore}}]
  - {use: sklearn.linear_model.LogisticRegression, with: {max_iter: 1000, C: "${strength}"}}
parameters: {strength: 1.0, by: 30}
---
apiVersion: modelyard/v1
kind: Model
name: good
owner: team
task: binary_classification
data: {labels: {source: loans, entity: loan_id, label: outcome, positive: 1}, features: [{source: loans}]}
architecture: scorecard
evaluation: {metrics: [roc_auc, brier]}
promotion: manual
---
apiVersion: modelyard/v1
kind: Model
name: poor
owner: team
task: binary_classification
data: {labels: {source: loans, entity: loan_id, label: outcome, positive: 1}, features: [{source: loans}]}
pipeline: [{use: sklearn.dummy.DummyClassifier}]
evaluation: {metrics: [roc_auc], gates: [{metric: roc_auc, at_least: 0.6}]}
"""
STEPS = """\
from sklearn.base import BaseEstimator, TransformerMixin


class Scale(TransformerMixin, BaseEstimator):
    def __init__(self, by=1.0):
        self.by = by

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return X / self.by

    def get_feature_names_out(self, names=None):
        return names
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "steps.py").write_text(STEPS)
    (tmp_path / "modelyard.yaml").write_text(PROJECT)
    (tmp_path / "lending.yaml").write_text(DOCUMENTS)
    table = yard.table(400)
    pq.write_table(table.rename_columns(["loan_id", "outcome", *table.column_names[2:]]), tmp_path / "loans.parquet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.timeout(240)
def test_models_are_trained_once_tried_often_and_looked_at(
    project: Path, said: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    good, poor = said("train", code=65)
    assert (good["state"], good["version"]) == ("SUCCEEDED", 1)
    assert good["metrics"]["roc_auc"]["value"] > 0.75
    assert (poor["state"], poor["version"], poor["permanent"]) == ("FAILED", None, True)
    assert poor["reason"].startswith("not registered: roc_auc is 0.5000, below 0.6")

    assert run(["train", "good"]) == 0
    printed = capsys.readouterr()
    assert "good: trained before, by run" in printed.err
    assert "roc_auc 0." in printed.out

    (again,) = said("train", "good", "--again", "--as-of", f"{yard.TODAY:%Y-%m-%d}")
    assert again["version"] == 2
    assert again["spec"]["as_of"] == "2026-07-01T00:00:00Z"

    tried = said("train", "good", "--sample", "0.5", "--set", "with.strength=0.01", "--set", "seed=3")
    assert tried["good"]["ok"]
    assert tried["good"]["version"] is None
    assert list(tried["good"]["metrics"]) == ["roc_auc", "brier"]

    assert {one["id"] for one in said("runs")} == {good["id"], poor["id"], again["id"]}
    assert said("runs", "--model", "good")[0]["id"] == again["id"]
    assert run(["runs"]) == 0
    assert "SUCCEEDED" in capsys.readouterr().out
    assert run(["runs", "--watch"]) == 0
    assert "FAILED" in capsys.readouterr().out
    assert run(["runs", "show", poor["id"]]) == 0
    assert "below 0.6" in capsys.readouterr().out
    assert said("runs", "show", good["id"])["id"] == good["id"]
    assert run(["runs", "logs", good["id"], "--follow"]) == 0
    assert "registered version 1" in capsys.readouterr().out
    assert "registered version 2" in said("runs", "logs", again["id"])["log"]
    assert said("runs", "cancel", good["id"])["state"] == "SUCCEEDED"
    assert run(["runs", "cancel", good["id"]]) == 0
    assert run(["runs", "reconcile"]) == 0
    assert "Nothing is queued" in capsys.readouterr().err
    assert list((project / ".modelyard" / "jobs").iterdir()) == []


@pytest.mark.timeout(240)
def test_a_loop_that_is_killed_is_taken_over(project: Path, said: Callable[..., Any]) -> None:
    """The command and every process of it are killed while it trains; what it left is gone on with."""
    held = hold(project)
    for moment in ("build", "train"):
        command = subprocess.Popen(
            [sys.executable, "-m", "modelyard.cli.main", "train", "good"],
            cwd=project,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        found = wait_for_job(project, moment)
        command.kill()
        command.wait()
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
    held.unlink()
    (done,) = said("train", "good")
    assert (done["state"], done["version"]) == ("SUCCEEDED", 1)
    assert len(said("runs")) == 1


def hold(project: Path) -> Path:
    """Let training wait for as long as a file is there."""
    file = project / "hold"
    file.touch()
    waiting = STEPS.replace(
        "        self.n_",
        f"        while os.path.exists({str(file)!r}):\n            time.sleep(0.05)\n        self.n_",
    )
    (project / "own" / "steps.py").write_text(f"import os\nimport time\n{waiting}")
    return file


def wait_for_job(project: Path, module: str) -> list[psutil.Process]:
    found: list[psutil.Process] = until(lambda: jobs_of(project, module), what=f"the job that is to {module}")
    return found


def jobs_of(project: Path, module: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if f"modelyard.jobs.{module}" in words and any(word.startswith(str(project)) for word in words):
            found.append(process)
    return found


def test_cancel_reaches_what_runs(project: Path, said: Callable[..., Any]) -> None:
    hold(project)
    queued = subprocess.Popen([sys.executable, "-m", "modelyard.cli.main", "train", "good"], cwd=project, text=True,
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)  # fmt: skip
    wait_for_job(project, "build")
    (run_id,) = (one["id"] for one in said("runs"))
    assert said("runs", "logs", run_id)["run"] == run_id
    said("runs", "cancel", run_id)
    _, errors = queued.communicate(timeout=60)
    assert said("runs", "show", run_id)["state"] == RunState.CANCELLED
    assert "cancelled" in errors
    assert jobs_of(project, "build") + jobs_of(project, "train") == []


def test_unknown_models_are_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert project.exists()
    assert run(["train", "goood"]) == 1
    assert "has no model `goood`" in capsys.readouterr().err
    assert run(["runs", "show", "nope"]) != 0


def settings_of(*settings: str, **document: Any) -> Any:
    from modelyard.config.kinds import Architecture

    made = Architecture.model_validate({
        "apiVersion": "modelyard/v1",
        "kind": "Architecture",
        "name": "trees",
        "pipeline": [{"use": "sklearn.tree.DecisionTreeClassifier", "with": {"max_depth": "${depth}"}}],
        "parameters": {"depth": 3},
    })  # fmt: skip
    return with_settings(yard.definition(**document), settings, {"trees": made})


def test_settings_reach_documents_steps_and_parameters() -> None:
    made = settings_of("seed=7", "data.split.by=random", "data.split.test=0.5", "pipeline.1.with.C=0.1")
    assert (made.document.seed, made.document.data.split.test) == (7, 0.5)
    assert made.pipeline[1].with_ == {"C": 0.1}
    made = settings_of("with.depth=5", architecture="trees")
    assert made.pipeline[0].with_ == {"max_depth": 5}
    made = settings_of("pipeline.0.with.max_leaf_nodes=9", "with.depth=5", architecture="trees")
    assert made.pipeline[0].with_ == {"max_depth": 5, "max_leaf_nodes": 9}
    made = settings_of("architecture=trees", architecture="scorecard")
    assert [step.use for step in made.pipeline] == ["sklearn.tree.DecisionTreeClassifier"]
    assert settings_of("with.depth=NaN", architecture="trees").pipeline[0].with_ == {"max_depth": "NaN"}
    made = settings_of("evaluation.cross_validation.folds=3")
    assert made.document.evaluation.cross_validation.folds == 3


@pytest.mark.parametrize(
    ("setting", "document", "reason"),
    [
        ("seed", {}, "`seed` is not FIELD=VALUE"),
        ("=1", {}, "is not FIELD=VALUE"),
        ("sead=1", {}, "--set: sead: there is no such field"),
        ("data.labels.source=other", {}, "--set: `other` is named in the document, and is not there"),
        ("pipeline=[]", {}, "the pipeline has no step"),
        ("architecture=tree", {"architecture": "trees"}, "there is no Architecture `tree`"),
        ("with=5", {"architecture": "trees"}, "`with` is a mapping of parameters"),
        ("seed=x", {}, "--set: seed"),
        ("seed.more=1", {"seed": 3}, "the model has no `seed.more`"),
        ("pipeline.9.with.C=1", {}, r"the model has no `pipeline.9.with.C`"),
        ("pipeline.x=1", {}, "the model has no `pipeline.x`"),
        ("with.depth=1", {}, "`with.depth` is for a model with an architecture"),
        ("with.dept=1", {"architecture": "trees"}, "the architecture `trees` has no parameter `dept`"),
    ],
)
def test_settings_that_can_not_be_are_told(setting: str, document: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        settings_of(setting, **document)


class OneJob:
    """A launcher whose one job ends one way."""

    def __init__(self, ended: Job | None) -> None:
        self.ended = ended
        self.removed: list[str] = []

    def submit(self, spec: Any) -> None:
        pass

    def list(self) -> list[Job]:
        left = Job("trial-0123456789ab", JobState.FAILED)
        return [left] if self.ended is None else [left, replace(self.ended, name=self.name)]

    def logs(self, name: str) -> Iterator[bytes]:
        yield name.encode()

    def cancel(self, name: str) -> None:
        pass

    def remove(self, name: str) -> None:
        self.removed.append(name)

    name = ""


def test_a_trial_that_ends_without_an_outcome_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelyard.datasets.filesystem import FilesystemDatasets

    launcher: Any = OneJob(Job("", JobState.FAILED, reason="it died"))
    monkeypatch.setattr(OneJob, "submit", lambda self, spec: setattr(self, "name", spec.name))
    trials = Trials(launcher, FilesystemDatasets(tmp_path / "datasets"), yard.settings(tmp_path))
    assert trials.run(yard.spec(yard.definition())).reason == "it died"
    assert launcher.removed[0] == "trial-0123456789ab"
    launcher.ended = Job("", JobState.SUCCEEDED, outcome=b'{"well": 1}')
    assert trials.run(yard.spec(yard.definition())).reason == "its job left no outcome that can be read"
    launcher.ended = None
    assert trials.run(yard.spec(yard.definition())).reason == "its job was removed"
