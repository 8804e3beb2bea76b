"""What `modelyard.open()` gives a notebook: the project with its training sets, its models and its scores."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from modelyard.errors import UsageError
from modelyard.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from modelyard.datasets.store import Manifest
    from modelyard.training.storage.stored import StoredModel


class OpenProject(Workspace):
    """A project to explore: exactly the rows, the models and the scores that runs and schedules see."""

    def training_set(self, model: str, *, as_of: date | str | None = None, sample: float | None = None) -> pd.DataFrame:
        """The rows that a run of a model would be given; built, and published for runs to share, if it is not there.

        Args:
            model: The model's name.
            as_of: With what was known at this day's start in the model's timezone; today unless said.
            sample: The part of the label rows that is used; all of them unless said.

        Returns:
            One row for each label: the entity's columns, `__label`, `__time` and `__weight` where there are any, and
            the features.

        Raises:
            NotFound: The project has no such model.
            InvalidData: The sources' rows are not as expected, or none of them is a label.
        """
        from modelyard.features.training_set import build_training_set
        from modelyard.train import model_named, run_spec

        spec = run_spec(self, model_named(self, model), day=_day(as_of), sample=sample)
        manifest = build_training_set(spec, engine=self.engine, datasets=self.datasets, registry=self.registry)
        return self._read(manifest)

    def load(self, model: str, version: int | None = None) -> StoredModel:
        """A version of a model, verified and with its golden rows replayed.

        Args:
            model: The model's name.
            version: The version's number; the newest unless said.

        Raises:
            NotFound: There is no such version.
            IntegrityError: Its files are not what was registered, or it predicts its golden rows differently.
        """
        from modelyard.training.storage.stored import load_version

        number = version or self.registry.latest(model).number
        allowed = self.settings.allow_bundles
        return load_version(self.registry, model, number, self.settings.cache, allow_bundles=allowed)

    def score(self, model: str, *, as_of: date | str | None = None, version: int | None = None) -> pd.DataFrame:
        """A day's predictions, as the model's DAG makes them; published as it does, if they are not there.

        Args:
            model: The model's name.
            as_of: The day, in the model's timezone; today unless said.
            version: The version's number; the one that is live as the day begins unless said.

        Returns:
            One row for each of the population: the entity's columns, what was predicted, and by what.

        Raises:
            NotFound: There is no such model or version, or none is live then.
            IntegrityError: The version's files are not what was registered.
            InvalidData: The model does not say whom it scores, or a row can't be scored.
        """
        from modelyard.score import score_target, target_of

        return self._read(score_target(self, target_of(self, model, _day(as_of), version)).manifest)

    def _read(self, manifest: Manifest) -> pd.DataFrame:
        import pyarrow.parquet as pq

        frame: pd.DataFrame = pq.ParquetDataset(list(self.datasets.files(manifest))).read().to_pandas()
        return frame


def open_project(start: Path | None = None) -> OpenProject:
    """The project that a folder lies in.

    Args:
        start: A folder or file of it; the current folder unless said.

    Raises:
        NotFound: There is no `modelyard.yaml` in the folder or above it.
    """
    return OpenProject(open_workspace(start).settings)


def _day(as_of: date | str | None) -> date | None:
    if not isinstance(as_of, str):
        return as_of
    try:
        return date.fromisoformat(as_of)
    except ValueError as error:
        reason = f"`{as_of}` is no day"
        raise UsageError(reason, "say it as 2026-07-01") from error
