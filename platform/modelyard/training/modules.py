"""The modules whose classes a pipeline may name, and the types that a stored pipeline of theirs may hold.

One more module is one more entry in `MODULES`. A type belongs on a list only if rebuilding it from a
file can do no harm: no code runs, and what native code trusts is checked in `storage/structure.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelyard.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class AllowedModule:
    """A module whose classes pipelines may name."""

    prefix: str
    """The module; its submodules come with it."""
    extra: str | None = None
    """The extra that installs it."""
    trusted: tuple[str, ...] = ()
    """The types that a stored pipeline may hold, besides scikit-learn's public estimators and plain values."""
    plain_names: bool = False
    """Whether it refuses columns whose names hold special characters."""
    keywords: Callable[[], frozenset[str]] = frozenset
    """Arguments that its classes take without naming them."""

    def missing(self) -> MissingExtra:
        """The error for an installation without the module."""
        return MissingExtra(self.extra or self.prefix, f"`{self.prefix}`")


def _within(module: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{module}.{name}" for name in names)


def _lightgbm_keywords() -> frozenset[str]:
    from lightgbm.basic import _ConfigAliases  # there is no public list

    return frozenset(_ConfigAliases.get(*_ConfigAliases._get_all_param_aliases()))


KERNELS = (
    "CompoundKernel", "ConstantKernel", "DotProduct", "ExpSineSquared", "Exponentiation", "Hyperparameter", "Matern",
    "PairwiseKernel", "Product", "RBF", "RationalQuadratic", "Sum", "WhiteKernel",
)  # fmt: skip

SKLEARN = AllowedModule(
    "sklearn",
    extra="sklearn",
    trusted=(
        *_within("collections", "OrderedDict"),
        *_within("functools", "partial"),  # of functions that are listed, too
        *_within("numpy", "dtype", "mean"),
        *_within("scipy.interpolate._bsplines", "BSpline"),
        *_within("scipy._lib.array_api_compat.numpy._aliases", "asarray"),  # how a BSpline makes its arrays
        *_within("sklearn._loss.loss", "HalfTweedieLoss", "HalfTweedieLossIdentity"),
        *_within("sklearn.calibration", "_CalibratedClassifier", "_SigmoidCalibration", "_TemperatureScaling"),
        *_within("sklearn.ensemble._hist_gradient_boosting.predictor", "TreePredictor"),
        *_within("sklearn.feature_selection._univariate_selection", "chi2", "f_classif", "f_oneway", "f_regression"),
        *_within("sklearn.gaussian_process._gpc", "_BinaryGaussianProcessClassifierLaplace"),
        *_within("sklearn.gaussian_process.kernels", *KERNELS),
        *_within("sklearn.metrics._classification", "balanced_accuracy_score"),
        *_within("sklearn.metrics._scorer", "_CurveScorer", "_Scorer"),
        *_within("sklearn.model_selection._split", "KFold", "StratifiedKFold"),
        *_within("sklearn.multiclass", "_ConstantPredictor"),
        *_within("sklearn.neural_network._stochastic_optimizers", "AdamOptimizer", "SGDOptimizer"),
        *_within("sklearn.tree._tree", "Tree"),
        *_within("sklearn.utils._bunch", "Bunch"),
        *_within("sklearn.utils._metadata_requests", "MetadataRequest", "MethodMetadataRequest"),
        *_within("sklearn.utils.validation", "check_array"),
    ),
)

LIGHTGBM = AllowedModule(
    "lightgbm",
    extra="lightgbm",
    trusted=(
        *_within("lightgbm.sklearn", "LGBMClassifier", "LGBMRegressor"),
        *_within("modelyard.training.storage.boosters", "StoredBooster"),
    ),
    plain_names=True,
    keywords=_lightgbm_keywords,
)

XGBOOST_KEYWORDS = frozenset({
    "aft_loss_distribution", "aft_loss_distribution_scale", "eta", "huber_slope", "lambda", "max_cached_hist_node",
    "normalize_type", "one_drop", "process_type", "quantile_alpha", "rate_drop", "refresh_leaf", "sample_type",
    "skip_drop", "top_k", "feature_selector", "tweedie_variance_power", "updater", "verbose",
})  # fmt: skip

XGBOOST = AllowedModule(
    "xgboost",
    extra="xgboost",
    trusted=(
        *_within("xgboost.sklearn", "XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor"),
        *_within("modelyard.training.storage.boosters", "StoredBooster"),
    ),
    plain_names=True,
    keywords=lambda: XGBOOST_KEYWORDS,
)

OWN = AllowedModule(
    "modelyard.training.rules",
    extra="sklearn",
    trusted=_within("modelyard.training.rules", "RuleClassifier", "RuleRegressor"),
)

NAMES = AllowedModule(
    "modelyard.training.names",
    extra="sklearn",
    trusted=_within("modelyard.training.names", "PlainNames"),
)

MODULES = {module.prefix: module for module in (SKLEARN, LIGHTGBM, XGBOOST, OWN, NAMES)}
"""The allow-list."""


def allowed_module(dotted: str) -> AllowedModule | None:
    """The allowed module that a dotted name lies in."""
    parts = dotted.split(".")
    prefixes = (".".join(parts[:length]) for length in range(1, len(parts) + 1))
    return next((MODULES[prefix] for prefix in prefixes if prefix in MODULES), None)
