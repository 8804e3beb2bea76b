"""A training task from its file to a registered version."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modelyard.config.bundles import bundle_digest, pack
from modelyard.errors import Conflict, IntegrityError, InvalidData, NotFound, Unavailable, UsageError
from modelyard.jobs.train import train
from modelyard.registry.records import Outcome, VersionClaim, VersionState
from modelyard.registry.transfer import register_version
from modelyard.training import run_task as running
from modelyard.training.frames import to_frame
from modelyard.training.job import run_job
from modelyard.training.run_task import run_task
from modelyard.training.storage.stored import load_version
from tests.registries import open_registry
from tests.registry.making import begin, run_of
from tests.training import yard

if TYPE_CHECKING:
    from modelyard.registry.local import LocalRegistry
    from modelyard.training.tasks import TrainTask


@pytest.fixture
def registry(tmp_path: Path) -> LocalRegistry:
    return open_registry(tmp_path / "home")


def applied(registry: LocalRegistry, task: TrainTask) -> TrainTask:
    """The task, its model being in the registry, and its run being at its first try."""
    made = task.spec.definition
    try:
        revision = registry.model(made.name).revision
    except NotFound:
        revision = 0
    registry.apply_model(made.content(), project="tests", expected_revision=revision)
    begin(registry, run_of(made.name, int(task.run.rpartition("-")[2]), spec=task.spec))
    return task


def run(registry: LocalRegistry, folder: Path, made: Any, rows: pa.Table | None = None, **more: Any) -> Outcome:
    return run_task(applied(registry, yard.task(folder, made, rows, **more)), registry, folder)


def test_a_task_becomes_a_version_that_predicts(registry: LocalRegistry, tmp_path: Path) -> None:
    made = yard.definition(evaluation={"metrics": ["roc_auc"], "gates": [{"metric": "accuracy", "at_least": 0.5}]})
    outcome = run(registry, tmp_path / "run", made)
    assert (outcome.ok, outcome.version) == (True, 1)
    assert list(outcome.metrics) == ["roc_auc", "accuracy"]
    version = registry.version("loans", 1)
    asked = yard.spec(made)
    assert version.metrics == outcome.metrics
    assert (version.run, version.request, version.key) == (asked.run_id(1), asked.request, asked.run_id(1))
    assert version.pins.config == asked.config
    names = {artifact.path for artifact in version.artifacts}
    assert names == {"model.json", "model.skops", "golden.parquet", "held_out.parquet"}
    stored = load_version(registry, "loans", 1, tmp_path / "cache")
    registry.download_artifact("loans", 1, "held_out.parquet", tmp_path / "held_out.parquet")
    held = pq.read_table(tmp_path / "held_out.parquet")
    assert held.column_names == ["__row", "loan_id", "__label", "__fold", "__prediction_0"]
    frame = to_frame(yard.table().take(held.column("__row")), stored.features)
    assert np.array_equal(stored.predict(frame), held.column("__prediction_0").to_numpy())
    assert len(held) == 24
    assert stored.manifest.entity == ("loan_id",)


def test_cross_validation_can_judge_alone(registry: LocalRegistry, tmp_path: Path) -> None:
    made = yard.definition(data={"split": {"by": "none"}}, evaluation={"cross_validation": {"folds": 3}})
    assert run(registry, tmp_path / "run", made).ok
    registry.download_artifact("loans", 1, "held_out.parquet", tmp_path / "held_out.parquet")
    held = pq.read_table(tmp_path / "held_out.parquet")
    assert held.column("__row").to_pylist() == list(range(120))
    assert set(held.column("__fold").to_pylist()) == {0, 1, 2}


def test_out_of_fold_predictions_of_the_training_rows_are_kept(registry: LocalRegistry, tmp_path: Path) -> None:
    when = pa.array([datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(120)])
    rows = yard.table().append_column("__time", when).append_column("__weight", pa.array(np.arange(120) + 1.0))
    made = yard.definition(evaluation={"cross_validation": {"folds": 3}})
    outcome = run(registry, tmp_path / "run", made, rows, roles=yard.roles(time="__time", weight="__weight"))
    assert outcome.ok
    for name, count in (("held_out", 24), ("out_of_fold", 96)):
        registry.download_artifact("loans", 1, f"{name}.parquet", tmp_path / name)
        kept = pq.read_table(tmp_path / name)
        assert len(kept) == count
        assert kept.column_names[:5] == ["__row", "loan_id", "__time", "__label", "__weight"]
        assert (max(kept.column("__row").to_pylist()) < 96) == (name == "out_of_fold")


def test_a_missed_gate_registers_nothing(registry: LocalRegistry, tmp_path: Path) -> None:
    gates = [{"metric": "roc_auc", "at_least": 0.999}, {"metric": "brier", "at_most": 0.001}]
    outcome = run(registry, tmp_path / "run", yard.definition(evaluation={"gates": gates}))
    assert (outcome.ok, outcome.permanent, outcome.version) == (False, True, None)
    assert "roc_auc is 0." in outcome.reason
    assert "below 0.999; brier is 0." in outcome.reason
    assert outcome.metrics["roc_auc"].value > 0.5
    assert registry.versions("loans").items == ()


def test_gates_compare_with_the_live_version_on_the_same_rows(registry: LocalRegistry, tmp_path: Path) -> None:
    gate = {"metric": "roc_auc", "within": 0.01, "of": "live"}
    good = yard.definition(evaluation={"gates": [gate]})
    assert run(registry, tmp_path / "1", good).version == 1
    poor = yard.definition("loans", {"use": "sklearn.dummy.DummyClassifier"}, evaluation={"gates": [gate]})
    promoted = registry.promote("loans", 1)
    assert run(registry, tmp_path / "2", poor).version == 2
    outcome = run_live(registry, tmp_path / "3", poor, promoted.live_from)
    assert not outcome.ok
    assert "roc_auc is 0.5000, worse than the live version's 0." in outcome.reason
    assert "on the same rows by 0." in outcome.reason
    assert run_live(registry, tmp_path / "4", good, promoted.live_from).ok


def run_live(registry: LocalRegistry, folder: Path, made: Any, now: datetime, **more: Any) -> Outcome:
    """Run a task at another time, under another run's id."""

    class Then(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return now.astimezone(tz)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "datetime", Then)
        task = yard.task(folder, made, **more)
        return run_task(
            applied(registry, task.model_copy(update={"run": f"{task.run}{folder.name}"})), registry, folder
        )


def test_a_live_version_that_needs_other_features_is_no_measure(registry: LocalRegistry, tmp_path: Path) -> None:
    gate = {"metric": "roc_auc", "within": 0.01, "of": "live"}
    made = yard.definition(evaluation={"gates": [gate]})
    run(registry, tmp_path / "1", made)
    start = registry.promote("loans", 1).live_from
    fewer = yard.definition("loans", {"columns": {"amount": [{"use": "sklearn.impute.SimpleImputer"}]}}, yard.LOGISTIC,
        evaluation={"gates": [gate]})  # fmt: skip
    with pytest.raises(InvalidData, match="it needs the feature `channel`, the feature `repeat`"):
        run_live(registry, tmp_path / "2", fewer, start, roles=yard.roles(features={"amount": "number"}))


def test_the_same_run_again_is_answered_with_its_version(registry: LocalRegistry, tmp_path: Path) -> None:
    made = yard.definition()
    assert run(registry, tmp_path / "1", made).version == 1
    again = run(registry, tmp_path / "2", made, rows=yard.table(5).slice(0, 0))
    assert (again.ok, again.version) == (True, 1)
    assert again.metrics == registry.version("loans", 1).metrics


@pytest.mark.parametrize("died", ["upload", "complete"])
def test_a_try_that_died_with_a_claim_gives_way_to_the_next(
    registry: LocalRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, died: str
) -> None:
    made = yard.definition(
        "loans", {"use": "lightgbm.LGBMClassifier", "with": {"verbosity": -1}}, data={"split": {"by": "random"}}
    )
    rows = yard.roles(features={"amount": "number", "repeat": "boolean"})

    class Kill(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Kill

    with monkeypatch.context() as patch:
        target = "modelyard.registry.transfer.upload_artifacts" if died == "upload" else None
        patch.setattr(target, die) if target else patch.setattr(registry, "complete", die)
        with pytest.raises(Kill):
            run(registry, tmp_path / "1", made, roles=rows)
    # The next try makes other bytes: its rows come in another order.
    outcome = run(registry, tmp_path / "2", made, rows=yard.table(seed=3), roles=rows)
    assert outcome.ok
    (version,) = registry.versions("loans").items
    assert (version.number, version.state) == (outcome.version, VersionState.READY)
    load_version(registry, "loans", version.number, tmp_path / "cache")


def test_a_trial_registers_nothing(registry: LocalRegistry, tmp_path: Path) -> None:
    outcome = run(registry, tmp_path / "run", yard.definition(), register_version=False)
    assert (outcome.ok, outcome.version) == (True, None)
    assert "roc_auc" in outcome.metrics
    assert registry.versions("loans").items == ()


def test_multiclass_and_regression(registry: LocalRegistry, tmp_path: Path) -> None:
    rows = yard.table().set_column(1, "__label", pa.array([["a", "b", "c"][row % 3] for row in range(120)]))
    labels = {"labels": {"classes": {"a": "alpha"}}}
    many = yard.definition("many", task="multiclass_classification", data=labels)
    assert list(run(registry, tmp_path / "many", many, rows).metrics) == ["accuracy", "f1", "log_loss"]
    assert load_version(registry, "many", 1, tmp_path / "cache").classes == ("alpha", "b", "c")
    ridge = {"use": "sklearn.linear_model.Ridge"}
    numbers = yard.definition("numbers", yard.ENCODED, ridge, task="regression")
    assert list(run(registry, tmp_path / "numbers", numbers).metrics) == ["rmse", "mae", "r2"]


NEIGHBOURS = {"use": "sklearn.neighbors.KNeighborsClassifier", "with": {"algorithm": "brute"}}


@pytest.mark.parametrize(
    ("made", "rows", "reason"),
    [
        (yard.definition("m", yard.LOGISTIC), None, "the pipeline can't be fitted: ValueError"),
        (yard.definition("m", yard.ENCODED, NEIGHBOURS), "weighted", "`KNeighborsClassifier` does not weigh rows"),
        (yard.definition(data={"split": {"by": "none"}}), None, "nothing judges the model"),
        (yard.definition(evaluation={"metrics": ["rmse"]}), None, "the metric `rmse` is not for binary_classification"),
    ],
)  # fmt: skip
def test_what_can_not_be_trained_is_told(
    registry: LocalRegistry, tmp_path: Path, made: Any, rows: Any, reason: str
) -> None:
    table = yard.table().append_column("__weight", pa.array(np.ones(120)))
    roles = yard.roles(weight="__weight" if rows == "weighted" else None)
    with pytest.raises(InvalidData, match=reason) as caught:
        run(registry, tmp_path / "run", made, table, roles=roles)
    if "fitted" in reason:
        assert "`channel`) need an encoder" in caught.value.hint
        assert "missing values (`amount`" in caught.value.hint


def test_the_hint_is_about_what_the_library_complains_of(registry: LocalRegistry, tmp_path: Path) -> None:
    table = yard.table()
    amounts = pa.array([float("inf"), *table.column("amount").to_pylist()[1:]])
    endless = table.set_column(table.column_names.index("amount"), "amount", amounts)
    with pytest.raises(InvalidData, match="contains infinity") as caught:
        run(registry, tmp_path / "endless", yard.definition("m", yard.ENCODED, yard.LOGISTIC), endless)
    assert caught.value.hint.startswith("infinite values (`amount`)")
    depth = {"use": "sklearn.tree.DecisionTreeClassifier", "with": {"max_depth": "deep"}}
    with pytest.raises(InvalidData, match="'max_depth' parameter") as caught:
        run(registry, tmp_path / "deep", yard.definition("m", yard.ENCODED, depth))
    assert caught.value.hint == ""


CODE = {
    "__init__.py": b"from .inner.halving import Halving\n",
    "inner/halving.py": b"""
from sklearn.base import BaseEstimator, TransformerMixin
from ..shared import HALF

class Halving(TransformerMixin, BaseEstimator):
    def __init__(self, by=2):
        self.by = by
    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        self.kept_ = HALF
        return self
    def transform(self, X):
        return X * self.kept_ / self.by * 2
    def get_feature_names_out(self, names=None):
        return names
""",
    "shared.py": b"HALF = 0.5\n",
}


def bundled(registry: LocalRegistry, code: dict[str, bytes]) -> dict[str, str]:
    """The digests of a bundle that the registry keeps from now on."""
    digest = bundle_digest(code)
    registry.keep_bundle(digest, pack(code))
    return {"./estimators": digest}


def test_the_projects_own_classes_travel_with_the_version(registry: LocalRegistry, tmp_path: Path) -> None:
    numbers = yard.roles(features={"amount": "number", "repeat": "boolean"})
    impute = {"columns": {"numeric": [{"use": "sklearn.impute.SimpleImputer"}, {"use": "estimators.Halving"}]}}
    for number, half in enumerate((b"0.5", b"0.25"), start=1):
        pins = bundled(registry, {**CODE, "shared.py": b"HALF = " + half})
        made = yard.definition("loans", impute, yard.LOGISTIC, bundles=pins)
        assert run(registry, tmp_path / str(number), made, roles=numbers).version == number
    with pytest.raises(UsageError, match=r"needs project code \(`./estimators`\)"):
        load_version(registry, "loans", 1, tmp_path / "cache")
    script = (
        "import sys; from pathlib import Path; from tests.registries import open_registry\n"
        "from modelyard.training.storage.stored import load_version\n"
        "registry = open_registry(Path(sys.argv[1]))\n"
        "for number in (1, 2):\n"
        "    made = load_version(registry, 'loans', number, Path(sys.argv[2]), allow_bundles=True)\n"
        "    print(made.pipeline[0].transformers_[0][1][-1].kept_)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "home"), str(tmp_path / "cache")],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2], timeout=60,
    )  # fmt: skip
    assert ran.stdout.split() == ["0.5", "0.25"]


def test_a_missing_bundle_is_told_in_words(registry: LocalRegistry, tmp_path: Path) -> None:
    made = yard.definition(bundles={"./estimators": "0" * 64})
    with pytest.raises(NotFound, match="no bundle 000000000000"):
        run(registry, tmp_path / "run", made)


def test_a_task_file_is_run_and_leaves_its_outcome(registry: LocalRegistry, tmp_path: Path) -> None:
    task = applied(registry, yard.task(tmp_path / "run", yard.definition(), registry=(tmp_path / "home").as_uri()))
    (tmp_path / "run" / "task.json").write_bytes(yard.task_bytes(task))
    assert run_job(train, tmp_path / "run" / "task.json") == 0
    outcome = Outcome.model_validate_json((tmp_path / "run" / "outcome.json").read_bytes())
    assert (outcome.ok, outcome.version) == (True, 1)


def test_a_task_runs_in_a_process_of_its_own(registry: LocalRegistry, tmp_path: Path) -> None:
    task = applied(registry, yard.task(tmp_path / "run", yard.definition(), registry=(tmp_path / "home").as_uri()))
    (tmp_path / "run" / "task.json").write_bytes(yard.task_bytes(task))
    command = [sys.executable, "-m", "modelyard.jobs.train", str(tmp_path / "run" / "task.json")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, env=dict(os.environ))
    assert ran.returncode == 0, ran.stderr
    lines = [line.split(maxsplit=2) for line in ran.stdout.splitlines()]
    assert [float(line[1]) for line in lines] == sorted(float(line[1]) for line in lines)
    assert lines[-1] == ["progress", "1.00", "registered version 1"]


@pytest.mark.parametrize(
    ("error", "code", "permanent"),
    [
        (InvalidData("bad data", "mend it"), 65, True),
        (Conflict("already there"), 65, True),
        (Unavailable("later"), 75, False),
        (OSError(28, "No space left on device"), 75, False),
        (ZeroDivisionError("a mistake"), 65, True),
    ],
)
def test_a_job_says_how_it_failed(tmp_path: Path, error: Exception, code: int, permanent: bool, capfd: Any) -> None:
    def work(_task: Path) -> Outcome:
        raise error

    assert run_job(work, tmp_path / "task.json") == code
    outcome = json.loads((tmp_path / "outcome.json").read_bytes())
    assert (outcome["ok"], outcome["permanent"]) == (False, permanent)
    assert str(error).split("\n", maxsplit=1)[0] in outcome["reason"]
    assert outcome["reason"] in capfd.readouterr().out


def stored_file(tmp_path: Path, name: str) -> Path:
    (found,) = (tmp_path / "home" / "artifacts").rglob(name)
    return found


@pytest.mark.parametrize("name", ["model.skops", "model.json", "golden.parquet"])
@pytest.mark.parametrize("where", ["store", "cache"])
def test_one_flipped_byte_does_not_load(registry: LocalRegistry, tmp_path: Path, name: str, where: str) -> None:
    run(registry, tmp_path / "run", yard.definition())
    before = load_version(registry, "loans", 1, tmp_path / "cache")
    file = stored_file(tmp_path, name)
    sha256 = next(artifact.sha256 for artifact in registry.version("loans", 1).artifacts if artifact.path == name)
    target = file if where == "store" else tmp_path / "cache" / sha256[:2] / sha256
    content = bytearray(target.read_bytes())
    content[len(content) // 2] ^= 1
    target.chmod(0o600)
    target.write_bytes(content)
    if where == "cache":
        # What the cache has lost is fetched again.
        frame = to_frame(yard.table(), before.features)
        again = load_version(registry, "loans", 1, tmp_path / "cache")
        assert np.array_equal(again.predict(frame), before.predict(frame))
        return
    with pytest.raises(IntegrityError):
        load_version(registry, "loans", 1, tmp_path / "elsewhere")


def test_a_deleted_version_is_not_there(registry: LocalRegistry, tmp_path: Path) -> None:
    run(registry, tmp_path / "run", yard.definition())

    class Later:
        def __getattr__(self, name: str) -> Any:
            return getattr(registry, name)

        def version(self, model: str, number: int) -> Any:
            return registry.version(model, number).model_copy(update={"state": VersionState.DELETED})

    later: Any = Later()
    with pytest.raises(NotFound, match="version 1 of `loans` is deleted"):
        load_version(later, "loans", 1, tmp_path / "cache")


def test_a_version_that_is_no_model_does_not_load(registry: LocalRegistry, tmp_path: Path) -> None:
    run(registry, tmp_path / "run", yard.definition())
    whole = registry.version("loans", 1)
    claim = {
        "key": "x",
        "run": None,
        "artifacts": [one.model_dump() for one in whole.artifacts if one.path != "model.skops"],
    }
    content = {**whole.model_dump(include=set(VersionClaim.model_fields)), **claim}
    register_version(registry, VersionClaim.model_validate(content), tmp_path / "run" / "version")
    with pytest.raises(
        IntegrityError, match=r"version 2 of `loans` can't be loaded: version 2 of `loans` has no `model.skops`"
    ):
        load_version(registry, "loans", 2, tmp_path / "cache")
