"""Clients of AWS: where they find their region."""

from __future__ import annotations

import pytest

from modelyard.aws import make_client
from modelyard.errors import UsageError


@pytest.fixture(autouse=True)
def _no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_is_said_by_either_variable(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "eu-north-1")
    assert make_client("dynamodb").meta.region_name == "eu-north-1"


def test_without_a_region_nothing_is_guessed() -> None:
    with pytest.raises(UsageError, match="AWS_REGION"):
        make_client("dynamodb")
