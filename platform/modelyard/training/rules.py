"""Models that people write down: rules, in order, of which the first that holds decides.

They have scikit-learn's interface, so that they are trained, judged, stored and served as any other model. Their
parameters are JSON; fitting learns nothing but the classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from modelyard.errors import InvalidData
from modelyard.training.expressions import holds, parse_condition

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    import pandas as pd


class RuleClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A classifier of written rules.

    Args:
        rules: Each `{when: CONDITION, then: OUTCOME}`; see `modelyard.training.expressions` for conditions.
        otherwise: The outcome where no rule holds.
        class_names: The classes' names in the order of their codes; filled in by the platform.

    An outcome is a class, by name or by code, or in binary classification the probability of the event.
    """

    def __init__(
        self, rules: Sequence[Mapping[str, Any]], otherwise: Any, class_names: Sequence[str] | None = None
    ) -> None:
        self.rules = rules
        self.otherwise = otherwise
        self.class_names = class_names

    def fit(self, X: pd.DataFrame, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> RuleClassifier:  # noqa: ARG002 - the signature is scikit-learn's
        """Learn the classes, and check the rules on the frame.

        Raises:
            InvalidData: A rule is wrong.
        """
        self.classes_ = np.unique(np.asarray(y))
        self.n_features_in_ = X.shape[1]
        self.predict_proba(X.head(1))
        return self

    def predict_proba(self, X: pd.DataFrame) -> npt.NDArray[np.float64]:
        """The probability of each class, for each row."""
        check_is_fitted(self, "classes_")
        outcomes = np.array([self._probabilities(outcome) for outcome in _outcomes(self.rules, self.otherwise)])
        probabilities: npt.NDArray[np.float64] = outcomes[_decide(self.rules, X)]
        return probabilities

    def predict(self, X: pd.DataFrame) -> npt.NDArray[Any]:
        """The most probable class, for each row."""
        classes: npt.NDArray[Any] = self.classes_[np.argmax(self.predict_proba(X), axis=1)]
        return classes

    def _probabilities(self, outcome: Any) -> npt.NDArray[np.float64]:
        is_probability = isinstance(outcome, float) and len(self.classes_) == 2 and 0 <= outcome <= 1  # noqa: PLR2004 - binary
        if is_probability:
            return np.array([1 - outcome, outcome])
        codes = self.classes_.tolist() if self.class_names is None else list(range(len(self.class_names)))
        by_name = dict(zip(map(str, self.class_names or codes), codes, strict=True))
        if str(outcome) not in by_name and outcome not in codes:
            reason = f"a rule's outcome `{outcome}` is no class"
            raise InvalidData(reason, f"the classes are {', '.join(f'`{name}`' for name in by_name)}")
        # A class that no row was fitted on has no column: a rule that names it is then sure of none.
        return np.asarray(self.classes_ == by_name.get(str(outcome), outcome), dtype=float)


class RuleRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A regressor of written rules.

    Args:
        rules: Each `{when: CONDITION, then: NUMBER}`.
        otherwise: The number where no rule holds.
    """

    def __init__(self, rules: Sequence[Mapping[str, Any]], otherwise: float) -> None:
        self.rules = rules
        self.otherwise = otherwise

    def fit(self, X: pd.DataFrame, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> RuleRegressor:  # noqa: ARG002 - the signature is scikit-learn's
        """Check the rules on the frame.

        Raises:
            InvalidData: A rule is wrong.
        """
        self.n_features_in_ = X.shape[1]
        self.predict(X.head(1))
        return self

    def predict(self, X: pd.DataFrame) -> npt.NDArray[np.float64]:
        """The number that the first holding rule says, for each row."""
        try:
            numbers = np.array([float(outcome) for outcome in _outcomes(self.rules, self.otherwise)])
        except (TypeError, ValueError) as error:
            reason = f"a rule's outcome is no number: {error}"
            raise InvalidData(reason) from error
        decided: npt.NDArray[np.float64] = numbers[_decide(self.rules, X)]
        return decided


def _outcomes(rules: Sequence[Mapping[str, Any]], otherwise: Any) -> list[Any]:
    for index, rule in enumerate(rules):
        if set(rule) != {"when", "then"} or not isinstance(rule["when"], str):
            reason = f"rules[{index}] is not {{when: CONDITION, then: OUTCOME}}"
            raise InvalidData(reason, "for example {when: petal_length < 2.5, then: setosa}")
        parse_condition(rule["when"])
    return [*(rule["then"] for rule in rules), otherwise]


def _decide(rules: Sequence[Mapping[str, Any]], frame: pd.DataFrame) -> npt.NDArray[np.intp]:
    """For each row, the number of the first rule that holds; the number of rules where none does."""
    if not hasattr(frame, "columns"):
        reason = "rules need columns with names"
        raise InvalidData(reason, "no step before them may turn the columns into a plain matrix")
    conditions = [holds(rule["when"], frame) for rule in rules]
    first: npt.NDArray[np.intp] = np.argmax([*conditions, np.ones(len(frame), dtype=bool)], axis=0)
    return first
