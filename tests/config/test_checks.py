"""Rules of the checks that the folder of broken documents does not show."""

import pytest

from modelyard.config.checks.evaluation import METRICS
from modelyard.training.metrics import METRICS as COMPUTED
from tests.config.conftest import SmallProject

PEOPLE = "kind: Source\nname: people\nformat: csv\npath: a.csv\ncolumns: {age: integer}\n"


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        # Sources
        ("people.yaml", "columns: {age: integer}", "columns: {age: integer, day: date}\navailable: day",
         "people.yaml available: it needs a `timestamp`"),
        ("loans.yaml", "available: at\n", "available: amount\n",
         "loans.yaml available: the time of becoming known must be of type date or timestamp, and `amount` is double"),
        ("people.yaml", "path: a.csv\n", "path: a.csv\ncsv: {names: [name, age, name]}\n",
         "people.yaml csv.names[2]: a second column `name`"),
        ("people.yaml", "path: a.csv\n", "path: a.csv\ncsv: {names: [name, agee]}\n",
         "people.yaml columns.age: `age` is not among `csv.names`"),
        ("loans.yaml", "path: ${data}/loans.parquet", "path: package:sklearn",
         "loans.yaml path: `package:sklearn` names no file of a package"),
        ("loans.yaml", "path: ${data}/loans.parquet", "path: https://host/loans.parquet",
         "loans.yaml path: `https://host/loans.parquet` is an address, and a source is files"),
        ("loans.yaml", "path: ${data}/loans.parquet", "path: s3://bucket",
         "loans.yaml path: `s3://bucket` names no object of a bucket"),
        ("loans.yaml", "path: ${data}/loans.parquet", "path: s3://bucket/../loans.parquet",
         "loans.yaml path: `s3://bucket/../loans.parquet` names no object of a bucket"),
        # Feature sets
        ("history.yaml", "source: loans\n", "", "history.yaml aggregations: aggregations need a `source`"),
        ("history.yaml", "entity: borrower_id", "entity: [borrower_id, borrower_id]",
         "history.yaml entity[1]: `borrower_id` is named twice"),
        ("history.yaml", "name: total_30d", "name: as_of",
         "history.yaml aggregations[0].name: `as_of` is already the column of the instant"),
        ("history.yaml", "name: total_30d", "name: borrower_id",
         "history.yaml aggregations[0].name: `borrower_id` is already an entity column"),
        ("history.yaml", "aggregations:",
         "expectations: [{expect: column_values_to_not_be_null, column: totl_30d}]\naggregations:",
         "history.yaml expectations[0].column: the feature set has no column `totl_30d`"),
        ("history.yaml", "aggregations:", "every: 36h\nttl: 36h\naggregations:",
         "history.yaml every: values cannot exist every 36h"),
        # Architectures
        ("logistic.yaml", "parameters: {strength: 1.0}", 'parameters: {strength: 1.0, data: 2}',
         "logistic.yaml parameters.data: `data` is a variable of modelyard.yaml as well"),
        ("logistic.yaml", "parameters: {strength: 1.0}", 'parameters: {strength: "${strength}"}',
         "logistic.yaml parameters.strength: no parameter is inserted into another one"),
        ("logistic.yaml", 'C: "${strength}"', 'C: "${strength}", base: {use: SVC}',
         "logistic.yaml pipeline[0].with.base.use: `SVC` is not a class by its module"),
        ("logistic.yaml", 'C: "${strength}"', 'C: "${strength}", base: {use: sklearn.svm.SVC, with: [1]}',
         "logistic.yaml pipeline[0].with.base.with: the arguments are no mapping (`key: value`)"),
        ("logistic.yaml", "strength: 1.0", "strength: {use: os.system}",
         "logistic.yaml parameters.strength.use: `os.system` is in no module that this project allows"),
        ("logistic.yaml", "pipeline:\n", 'pipeline:\n  - columns: {"amount,": drop}\n',
         "logistic.yaml pipeline[0].columns.amount,: `amount,` names an empty column"),
        # Models
        ("default.yaml", "task: binary_classification", "task: regression",
         "default.yaml data.labels.positive: `positive` is for binary classification, not regression"),
        ("default.yaml", "positive: 1", 'positive: 1, classes: {"1": bad}',
         "default.yaml data.labels.classes: `classes` is for multiclass classification, not binary_classification"),
        ("default.yaml", "label: bad", "label: at",
         "default.yaml data.labels.label: a label for binary_classification must be of type boolean or double or "
         "integer or string, and `at` is timestamp"),
        ("default.yaml", "label: bad, positive: 1", "label: good, positive: 1",
         "default.yaml data.labels.positive: `1` is no value of `good`, which is boolean"),
        ("default.yaml", "positive: 1", "positive: true",
         "default.yaml data.labels.positive: `True` is no value of `bad`, which is integer"),
        ("default.yaml", "label: bad", "label: bad, weight: bad",
         "default.yaml data.labels.label: `bad` is what is predicted, and has another role here"),
        ("default.yaml", "  features: [history]", "  features: [{source: loans}]\n  from: 2026-01-01",
         None),
        ("default.yaml", "timestamp: at, label: bad, positive: 1}\n  features: [history]",
         "label: bad, positive: 1}\n  features: [{source: loans}]\n  from: 2026-01-01",
         "default.yaml data.from: labels without a `timestamp` have no days"),
        ("default.yaml", "[history]", "[history, {source: loans, columns: [amount], exclude: [market]}]",
         "default.yaml data.features[1].exclude: `columns` says already what is used"),
        ("default.yaml", "[history]", "[{source: loans, exclude: [markt]}]",
         "default.yaml data.features[0].exclude[0]: the source `loans` has no column `markt`"),
        ("default.yaml", "[history]", "[{source: loans}, {source: loans}]",
         "default.yaml data.features[1]: the source `loans` and the source `loans` both have a column `loan_id`"),
        ("default.yaml", "[history]", "[{source: loans, columns: [amount, at]}]",
         "default.yaml data.features[0].columns[1]: `at` is the timestamp, which is never a feature"),
        ("default.yaml", "[history]", "[{source: loans, exclude: [loan_id, market, amount, good]}]",
         "default.yaml data.features[0]: no column of `loans` is left as a feature"),
        ("default.yaml", "[history]", "[history]\n  split: {by: group, group: market}\n"
         "evaluation: {cross_validation: {group: loan_id}}",
         "default.yaml evaluation.cross_validation.group: the split is grouped by another column, `market`"),
        ("default.yaml", "[history]", "[history]\n  split: {by: group, group: market}\n"
         "evaluation: {cross_validation: {group: borrower_id}}", None),
        ("default.yaml", "[history]", "[history, {source: loans, columns: [market]}]\n"
         "  split: {by: group, group: market}\nevaluation: {cross_validation: {group: loan_id}}", None),
        ("people.yaml", "{age: integer}", "{age: integer, Age: double}",
         "people.yaml columns.Age: `Age` and `age` are one name to SQL"),
        ("people.yaml", "{age: integer}", "{age: integer, __rank: double}",
         "people.yaml columns.__rank: `__rank` begins with two underscores, as Modelyard's own columns do"),
        ("default.yaml", "[history]", "[{source: loan}]",
         "default.yaml data.features[0].source: there is no Source `loan`"),
        ("default.yaml", "architecture: logistic", "pipeline: [{use: sklearn.svm.SVC}]\nwith: {c: 1}",
         "default.yaml with: `with` is for an architecture's parameters"),
        ("default.yaml", "architecture: logistic", "pipeline: [{use: lightgbm.LGBMClassifier}]",
         "default.yaml pipeline[0].use: `lightgbm.LGBMClassifier` is in no module that this project allows"),
        ("default.yaml", "architecture: logistic", "pipeline: [{use: modelyard.training.rules.RuleClassifier}]", None),
        # Splits, metrics, gates
        ("default.yaml", "[history]", "[history]\n  split: {by: time, embargo: 3d, test_from: 2026-01-31}", None),
        ("default.yaml", "[history]", "[history]\n  split: {by: time, test: 0.3, test_from: 2026-01-31}",
         "default.yaml data.split.test: `test_from` says already which rows are the test"),
        ("default.yaml", "[history]", "[history]\n  from: 2026-02-01\n  split: {by: time, test_from: 2026-01-31}",
         "default.yaml data.split.test_from: 2026-01-31 is not between the first and the last day of the labels"),
        ("default.yaml", "[history]", "[history]\n  split: {by: random, embargo: 3d}",
         "default.yaml data.split.embargo: `embargo` is for a split by time, and this one is by random"),
        ("default.yaml", "[history]", "[history]\n  split: {by: none, test: 0.2}\nevaluation: {cross_validation: {}}",
         "default.yaml data.split.test: `by: none` holds no rows out"),
        ("default.yaml", "entity: borrower_id, timestamp: at, label: bad, positive: 1}\n  features: [history]",
         "label: bad, positive: 1}\n  features: [{source: loans}]\n  split: {by: group}",
         "default.yaml data.split.by: there is nothing to group by"),
        ("default.yaml", "architecture:", "evaluation: {cross_validation: {group: regions}}\narchitecture:",
         "default.yaml evaluation.cross_validation.group: the source `loans` has no column `regions`"),
        ("default.yaml", "architecture:", "evaluation: {metrics: [ks, ks]}\narchitecture:",
         "default.yaml evaluation.metrics[1]: `ks` is named twice"),
        ("default.yaml", "architecture:",
         "evaluation: {gates: [{metric: ks, at_least: 0.1, of: live}]}\narchitecture:",
         "default.yaml evaluation.gates[0].of: `of` is for `within`"),
        ("default.yaml", "architecture:", "evaluation: {gates: [{metric: r2, at_least: 0.1}]}\narchitecture:",
         "default.yaml evaluation.gates[0].metric: `r2` does not fit binary_classification"),
        # Scoring
        ("default.yaml", "architecture:",
         'scoring: {schedule: "0 4 * * *", population: {source: loan, entity: borrower_id}}\narchitecture:',
         "default.yaml scoring.population.source: there is no Source `loan`"),
        ("default.yaml", "architecture:",
         'scoring: {schedule: "0 4 * * *", population: {source: loans, entity: borrower_id, where: x}}\narchitecture:',
         "default.yaml scoring.population.where: there is no column `x`"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_problem(small: SmallProject, file: str, old: str, new: str, expected: str | None) -> None:
    small.write("people.yaml", PEOPLE)
    assert small.replace(file, old, new).said() == ([expected] if expected else [])


def test_a_metric_fits_where_training_computes_it() -> None:
    fitting = {(metric, task) for task, metrics in METRICS.items() for metric in metrics}
    assert fitting == {(metric, task) for metric, kind in COMPUTED.items() for task in kind.tasks}


def test_features_of_two_sets_may_not_have_one_name(small: SmallProject) -> None:
    (small.root / "again.yaml").write_text(
        (small.root / "history.yaml").read_text().replace("name: history", "name: again")
    )
    small.replace("default.yaml", "[history]", "[history, again]")
    assert small.said() == [
        "default.yaml data.features[1]: "
        "the feature set `again` and the feature set `history` both have a column `total_30d`"
    ]


def test_columns_of_a_query_are_features(small: SmallProject) -> None:
    (small.root / "q.sql.j2").write_text(
        "select borrower_id, 1 as n, 2 as total_30d, 3 as n from {{ source('loans') }}"
    )
    small.replace(
        "history.yaml",
        "aggregations:",
        "query: q.sql.j2\nexpressions:\n  - {name: m, sql: n + total_30d + k}\naggregations:",
    )
    assert small.said() == [
        "history.yaml query: the query returns two columns `n`",
        "history.yaml expressions[0].sql: there is no column `k`",
    ]
    (small.root / "q.sql.j2").write_text("select * from {{ source('loans') }}")
    assert small.said() == []  # what it returns is for the engine to say


def test_a_query_has_an_expectation_s_column(small: SmallProject) -> None:
    (small.root / "q.sql.j2").write_text("select borrower_id, 1 as n from {{ source('loans') }}")
    text = "kind: FeatureSet\nname: q\nentity: borrower_id\nquery: q.sql.j2\n"
    text += "expectations:\n  - {expect: column_values_to_be_unique, column: "
    assert small.write("q.yaml", f"{text}n}}\n").said() == []
    assert small.write("q.yaml", f"{text}k}}\n").said() == [
        "q.yaml expectations[0].column: the feature set has no column `k`"
    ]


def test_a_table_of_another_source_is_joined_on_the_entity(small: SmallProject) -> None:
    small.write("people.yaml", PEOPLE.replace("{age", "{borrower_id: string, age"))
    small.replace("default.yaml", "[history]", "[{source: people}]")
    assert small.said() == []
    small.replace("people.yaml", "borrower_id", "person_id")
    assert small.said() == ["default.yaml data.features[0].source: the source `people` has no column `borrower_id`"]
    small.replace("default.yaml", "entity: borrower_id, ", "")
    assert small.said() == ["default.yaml data.features[0].source: the rows of `people` cannot be found for a label"]


def test_times_are_no_features(small: SmallProject) -> None:
    small.replace("loans.yaml", "loan_id: string", "loan_id: string, born: date")
    small.replace("default.yaml", "[history]", "[{source: loans}]")
    assert small.said() == []
    small.replace("default.yaml", "{source: loans}", "{source: loans, columns: [amount, born]}")
    assert small.said() == ["default.yaml data.features[0].columns[1]: `born` is date, which no model takes"]


def test_every_mistake_of_a_model_is_found_together(small: SmallProject) -> None:
    small.replace("default.yaml", "[history]", "[histori]\n  split: {by: none}")
    small.replace("default.yaml", "label: bad", "label: bat, where: amout > 1")
    small.replace("default.yaml", "architecture: logistic", "architecture: logistics\nevaluation: {metrics: [rmse]}")
    assert small.said() == [
        "default.yaml data.labels.label: the source `loans` has no column `bat`",
        "default.yaml data.labels.where: there is no column `amout`",
        "default.yaml data.features[0]: there is no FeatureSet `histori`",
        "default.yaml data.split.by: without a test, cross-validation alone can judge, and there is none",
        "default.yaml architecture: there is no Architecture `logistics`",
        "default.yaml evaluation.metrics[0]: `rmse` does not fit binary_classification",
    ]
