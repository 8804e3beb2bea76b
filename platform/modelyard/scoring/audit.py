"""What must hold of a partition of predictions before anybody sees it: checked on the file itself, by the engine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from modelyard.errors import InvalidData
from modelyard.features.engine import FileRows, PartitionRows
from modelyard.features.quoting import identifier, identifiers
from modelyard.scoring.predictions import PREDICTION, PROBABILITY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from modelyard.features.engine import Engine, Session
    from modelyard.training.storage.manifest import ModelManifest

_ROWS = "predictions"


@dataclass(frozen=True)
class Audit:
    """What was found of a partition that passed."""

    rows: int
    mean: float | None
    """The mean prediction; none where classes were predicted, or nobody."""
    least: float | None
    greatest: float | None

    def content(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def audit_predictions(
    file: Path, model: ModelManifest, entity: Sequence[str], population: int, engine: Engine
) -> Audit:
    """Check a staged file: everybody is in it, once, with a prediction that can be one.

    Args:
        file: The file.
        model: What predicted.
        entity: The entity's columns.
        population: How many were to be scored.
        engine: What reads the file.

    Raises:
        InvalidData: It is not so.
    """
    numbers = _numbers(model)
    with engine.session({_ROWS: PartitionRows((FileRows((str(file),)),))}) as session:
        found = session.fetch(_summary(model, numbers)).to_pylist()[0]
        if found["rows"] != population:
            _fail(f"{found['rows']:,} rows were written for a population of {population:,}")
        if found["impossible"]:
            _fail(f"{found['impossible']:,} predictions are missing, or can't be: {', '.join(numbers)}")
        _check_entities(session, entity)
    return Audit(found["rows"], found["mean"], found["least"], found["greatest"])


def _numbers(model: ModelManifest) -> list[str]:
    """The columns that hold numbers."""
    multiclass = model.task == "multiclass_classification"
    return [PROBABILITY + name for name in model.classes] if multiclass else [PREDICTION]


def _summary(model: ModelManifest, numbers: Sequence[str]) -> str:
    names = [identifier(name) for name in numbers]
    possible = "isfinite({0})" if model.task == "regression" else "{0} BETWEEN 0 AND 1"
    sound = " AND ".join([f"{identifier(PREDICTION)} IS NOT NULL", *(possible.format(name) for name in names)])
    column = names[0] if numbers == [PREDICTION] else "NULL::DOUBLE"
    columns = (
        "count(*) AS rows",
        f"count(*) FILTER (NOT coalesce({sound}, FALSE)) AS impossible",
        *(
            f"{function}({column}) AS {name}"
            for function, name in (("avg", "mean"), ("min", "least"), ("max", "greatest"))
        ),
    )
    return f"SELECT {', '.join(columns)} FROM {_ROWS}"  # noqa: S608 - names are quoted


def _check_entities(session: Session, entity: Sequence[str]) -> None:
    names = identifiers(entity)
    missing = " OR ".join(f"{identifier(name)} IS NULL" for name in entity)
    several = f"SELECT {names} FROM {_ROWS} GROUP BY ALL HAVING count(*) > 1 OR {missing} ORDER BY ALL LIMIT 1"  # noqa: S608 - quoted
    for row in session.fetch(several).to_pylist():
        who = ", ".join(f"{name} {value!r}" for name, value in row.items())
        _fail(f"{who} is missing or has several rows")


def _fail(what: str) -> None:
    reason = f"the predictions do not pass their audit, and are not published: {what}"
    raise InvalidData(reason, "what was published before is as it was")
