"""Imports what a scoring service that has loaded models has imported, and fails where an image lacks some of it."""

import importlib

LIBRARIES = (
    "lightgbm",
    "pyarrow.compute",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "scipy.optimize",
    "scipy.stats",
    "skops.io",
    "sklearn.calibration",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.gaussian_process",
    "sklearn.impute",
    "sklearn.linear_model",
    "sklearn.naive_bayes",
    "sklearn.neighbors",
    "sklearn.neural_network",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "sklearn.svm",
    "xgboost",
)
OURS = ("modelyard.scoring.live", "modelyard.scoring.loading", "scoring_service.serve", "scoring_service.service")

for name in (*LIBRARIES, *OURS):
    importlib.import_module(name)
for service in ("dynamodb", "s3"):
    importlib.import_module("boto3").client(service, region_name="none")
