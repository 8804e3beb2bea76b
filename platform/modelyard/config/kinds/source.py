"""Source: where rows come from, and what they must look like."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from modelyard.config.kinds.base import EXPECTATION, Argument, Column, Document, Many, Owner, Settings

ColumnType = Literal["string", "integer", "double", "boolean", "timestamp", "date"]

PACKAGE = "package:"
"""How a path begins that lies in an installed Python package: `package:sklearn/datasets/data/iris.csv`."""

S3 = "s3://"
"""How a path begins that lies in a bucket: `s3://bucket/transactions/*.parquet`."""


class Csv(Settings):
    """How a CSV file is laid out."""

    skip: int = Field(default=0, ge=0)
    """Lines to leave out at the start."""
    names: Many[Column] = Field(default=(), examples=[["borrower_id", "amount"]])
    """What the file's columns are called, in order, where no line of it says so."""
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    """What separates values."""


class Expectation(Settings):
    """One thing that must hold of the rows, checked by Great Expectations."""

    expect: str = Field(pattern=EXPECTATION, examples=["column_values_to_not_be_null"])
    """The expectation's name, in snake case and without its leading `expect_`."""
    column: Column | None = None
    """The column that it is about."""
    with_: dict[str, Argument] = Field(default={}, alias="with", examples=[{"min_value": 0}])
    """Its other arguments, as Great Expectations names them."""
    severity: Literal["critical", "warning", "info"] = "critical"
    """critical stops the work; warning and info are reported."""


class Source(Document):
    """Where rows come from, and what they must look like."""

    kind: Literal["Source"]
    """The kind of document."""
    owner: Owner | None = None
    """The team that owns it; the project's default owner unless said."""
    format: Literal["parquet", "csv"]
    """How the files are written."""
    path: str = Field(
        min_length=1,
        examples=[
            "${data}/transactions/*.parquet",
            "s3://company-data/transactions/*.parquet",
            "package:sklearn/datasets/data/iris.csv",
        ],
    )
    """A file or a glob, relative to the project's folder; `s3://` names objects of a bucket, and `package:` a file in
    an installed Python package."""
    csv: Csv | None = None
    """How the file is laid out, where the format is csv."""
    columns: dict[Column, ColumnType] = Field(min_length=1)
    """Every column that may be used, with its type; columns not named here do not exist for Modelyard."""
    timestamp: Column | None = None
    """The column that says when a row's event happened."""
    available: Column | None = None
    """The column that says when the row became known; its timestamp unless said."""
    expectations: Many[Expectation] = ()
    """What must hold of the rows."""

    @property
    def in_project(self) -> bool:
        """Whether its path starts at the project's folder, which is on somebody's own machine."""
        return not self.path.startswith((PACKAGE, S3, "/"))
