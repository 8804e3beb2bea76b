"""Which extra brings which library, so that what a small installation lacks is told in words.

The core reads a project and speaks with a registry. What only engines, training or services need is imported where it
is used, and a door that meets a library that is not there says what to install. One more library is one more entry in
`EXTRAS`, and one in pyproject.toml.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from modelyard.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterator

EXTRAS: dict[str, tuple[str, ...]] = {
    "datasets": ("pyarrow", "numpy"),
    "features": ("duckdb",),
    "sklearn": ("sklearn", "skops", "pandas", "scipy", "joblib"),
    "lightgbm": ("lightgbm",),
    "xgboost": ("xgboost",),
    "expectations": ("great_expectations",),
    "serving": ("fastapi", "starlette", "uvicorn", "orjson", "prometheus_client", "jwt", "cryptography"),
    "aws": ("boto3", "botocore"),
    "kubernetes": ("kubernetes",),
}
"""Each extra with the libraries that it brings; the first one stands for all of them."""


def extra_of(error: ModuleNotFoundError) -> str | None:
    """The extra that brings the module that was not found; none where that is a mistake of our own.

    Args:
        error: What an import raised.
    """
    library = (error.name or "").partition(".")[0]
    return next((extra for extra, libraries in EXTRAS.items() if library in libraries), None)


@contextmanager
def told_what_to_install(needed_for: str) -> Iterator[None]:
    """Say what to install, where a library is not there.

    Args:
        needed_for: What is done inside of the context, as the subject of a sentence.

    Raises:
        MissingExtra: An extra brings the library that was not found.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        extra = extra_of(error)
        if extra is None:
            raise
        raise MissingExtra(extra, needed_for) from error
