"""Model: what is predicted, from which data, by which pipeline, how it is judged, and when it scores."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from modelyard.config.kinds.architecture import Step
from modelyard.config.kinds.base import (
    SCHEDULE,
    Argument,
    Column,
    Day,
    Document,
    Duration,
    Keys,
    Many,
    Name,
    Owner,
    Scalar,
    Settings,
    Size,
    Sql,
    Timezone,
)

Task = Literal["binary_classification", "multiclass_classification", "regression"]
Metric = Literal[
    "roc_auc", "gini", "ks", "average_precision", "brier", "log_loss", "accuracy", "balanced_accuracy",
    "precision", "recall", "f1", "rmse", "mae", "r2",
]  # fmt: skip


class Labels(Settings):
    """The rows to learn from, and what is to be predicted of each."""

    source: Name
    """The source that holds the labels."""
    entity: Keys | None = None
    """The column, or columns, that say whom a row is about; feature sets need it, and scoring by entity."""
    timestamp: Column | None = None
    """When the prediction would have been made; without it, rows have no time and are split at random."""
    label: Column
    """The column to predict."""
    positive: Scalar | None = None
    """The label's value that counts as the event, in binary classification."""
    classes: dict[str, str] = {}
    """Names for the label's values, in multiclass classification; values keep their own names unless said."""
    delay: Duration | None = None
    """How long after its timestamp a label becomes known; rows younger than that at the data's end are left out."""
    where: Sql | None = None
    """Rows that count, as a SQL condition on the source's columns."""
    weight: Column | None = None
    """The column that weighs rows in fitting and in metrics."""


class TableFeatures(Settings):
    """The columns of a plain table as features."""

    source: Name
    """The source."""
    columns: Many[Column] = ()
    """The columns to use; all but label, entity, timestamps and weight unless said."""
    exclude: Many[Column] = ()
    """Columns to leave out."""


def _features_tag(value: object) -> str:
    return "<table>" if isinstance(value, TableFeatures | dict) else "<feature set>"


Features = Annotated[
    Annotated[Name, Tag("<feature set>")] | Annotated[TableFeatures, Tag("<table>")], Discriminator(_features_tag)
]


class Split(Settings):
    """How rows are held out for the test."""

    by: Literal["time", "random", "group", "none"]
    """time: the latest rows; random; group: whole groups; none: no rows, cross-validation alone judges."""
    test: float = Field(default=0.2, gt=0, lt=1)
    """The part of the rows that is held out."""
    test_from: Day | None = None
    """The first day of the test, instead of a part of the rows, where rows are split by time."""
    embargo: Duration | None = None
    """The time left out between train and test; the label's delay unless said, where rows are split by time."""
    group: Column | None = None
    """The column whose equal values stay together, where rows are split by group; the entity unless said."""


class Data(Settings):
    """What the model learns from."""

    labels: Labels
    """The rows to learn from, and what is to be predicted of each."""
    features: Many[Features] = Field(min_length=1)
    """Feature sets by name, or plain tables; the version of each set is pinned by the trained version."""
    from_: Day | None = Field(default=None, alias="from")
    """The first day of the labels; all of them unless said."""
    to: Day | None = None
    """The day before which labels end; the date of the run unless said."""
    split: Split | None = None
    """How rows are held out; by time where labels have a timestamp, else at random, a fifth of them, unless said."""


class Gate(Settings):
    """A condition on a metric; a version that misses it is not registered."""

    metric: Metric
    """The metric."""
    at_least: float | None = None
    """The least value that passes."""
    at_most: float | None = None
    """The greatest value that passes."""
    within: float | None = Field(default=None, ge=0)
    """How much worse than the live version it may be, both scored on this run's test rows."""
    of: Literal["live"] | None = None
    """What `within` compares with: the live version; with none live, the gate passes."""


class CrossValidation(Settings):
    """Folds over the training rows, whose out-of-fold predictions are kept."""

    folds: int = Field(default=5, ge=2, le=50)
    """How many."""
    stratified: bool = True
    """Whether each fold has the label in the same proportions, in classification."""
    group: Column | None = None
    """The column whose equal values stay in one fold."""


class Evaluation(Settings):
    """How a trained model is judged."""

    metrics: Many[Metric] = ()
    """The metrics, the first being the one that is shown; a usual set for the task unless said."""
    gates: Many[Gate] = ()
    """Conditions that a version must meet to be registered."""
    cross_validation: CrossValidation | None = None
    """Folds over the training rows."""


class Resources(Settings):
    """What a run may use."""

    cpu: float = Field(default=1, gt=0, le=256)
    """Cores."""
    memory: Size = "4Gi"
    """Memory; a run that uses more is ended and fails."""
    gpu: int = Field(default=0, ge=0, le=64)
    """Graphics processors; on one machine, runs use those that there are."""
    timeout: Duration = Field(default=timedelta(hours=2))
    """How long a run may take; one that takes longer is ended and fails."""


class Population(Settings):
    """Whom the model scores."""

    source: Name
    """The source that lists them."""
    entity: Keys
    """The column, or columns, that say who."""
    where: Sql | None = None
    """Rows that count, as a SQL condition on the source's columns."""


class Scoring(Settings):
    """When the model scores, and whom."""

    schedule: str = Field(pattern=SCHEDULE, examples=["0 4 * * *"])
    """A cron expression in the model's timezone."""
    population: Population
    """Whom the model scores."""


class Model(Document):
    """What is predicted, from which data, by which pipeline, how it is judged, and when it scores."""

    kind: Literal["Model"]
    """The kind of document."""
    for_each: dict[Name, Many[Scalar]] = {}
    """Values that make one model each, inserted as ${name}; with several names, one model for each combination."""
    owner: Owner | None = None
    """The team that owns it; the project's default owner unless said."""
    timezone: Timezone | None = None
    """The timezone of its midnights and its schedule; the project's unless said."""
    task: Task
    """What kind of prediction it is."""
    data: Data
    """What the model learns from."""
    architecture: Name | None = None
    """The architecture by name; this or `pipeline`."""
    pipeline: Many[Step] = ()
    """A pipeline of its own; this or `architecture`."""
    with_: dict[Name, Argument] = Field(default={}, alias="with", examples=[{"learning_rate": 0.05}])
    """Values for the architecture's parameters."""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    """Goes into every random_state, and into every split."""
    evaluation: Evaluation = Evaluation()
    """How a trained model is judged."""
    approval: Literal["none", "required"] = "none"
    """required: a version goes live only once somebody has approved it who did not make it."""
    promotion: Literal["auto", "manual"] = "auto"
    """auto: a registered version, once approved, goes live at the next midnight; manual: when someone promotes it."""
    resources: Resources = Resources()
    """What a run may use."""
    scoring: Scoring | None = None
    """When the model scores, and whom; without it, it scores when asked."""
