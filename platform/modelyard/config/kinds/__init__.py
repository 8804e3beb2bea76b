"""The kinds of documents, one file each.

One more kind is one more file, and a line in `KINDS`.
"""

from __future__ import annotations

from modelyard.config.kinds.architecture import Architecture, Columns, Step, Use
from modelyard.config.kinds.base import Document, Settings
from modelyard.config.kinds.feature_set import Aggregation, Expression, FeatureSet
from modelyard.config.kinds.model import Model
from modelyard.config.kinds.project import Project
from modelyard.config.kinds.source import Expectation, Source

KINDS: dict[str, type[Document]] = {
    "Project": Project,
    "Source": Source,
    "FeatureSet": FeatureSet,
    "Architecture": Architecture,
    "Model": Model,
}

__all__ = [
    "KINDS",
    "Aggregation",
    "Architecture",
    "Columns",
    "Document",
    "Expectation",
    "Expression",
    "FeatureSet",
    "Model",
    "Project",
    "Settings",
    "Source",
    "Step",
    "Use",
]
