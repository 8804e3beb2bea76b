"""`modelyard registry create-table`, on the real DynamoDB Local."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from modelyard.cli.main import run
from modelyard.errors import UsageError
from modelyard.registry.dynamodb import DynamoMetadata
from tests.registry.places import drop_table, dynamodb_client
from tests.servers import address_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.server


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", address_of("TEST_DYNAMODB_URL"))
    name = f"modelyard-test-{uuid4().hex}"
    yield name
    drop_table(name)


def test_a_table_is_made_once(name: str, said: Callable[..., Any]) -> None:
    with pytest.raises(UsageError, match=r"is not there[\s\S]*modelyard registry create-table"):
        DynamoMetadata(name, client=dynamodb_client()).ping()
    assert said("registry", "create-table", name) == {"table": name, "made": True}
    assert said("registry", "create-table", name) == {"table": name, "made": False}
    DynamoMetadata(name, client=dynamodb_client()).ping()


def test_a_table_of_something_else_is_no_registry(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    client = dynamodb_client()
    assert run(["registry", "create-table", name]) == 0
    client.delete_item(TableName=name, Key={"PK": {"S": "meta"}, "SK": {"S": "record"}})
    with pytest.raises(UsageError, match="holds no registry"):
        DynamoMetadata(name, client=client).ping()
    assert run(["registry", "create-table", name]) == 0, "it completes what died in between"
    assert "is there already" in capsys.readouterr().out
    client.put_item(TableName=name, Item={"PK": {"S": "meta"}, "SK": {"S": "record"}, "format": {"N": "2"}})
    with pytest.raises(UsageError, match="format 2"):
        DynamoMetadata(name, client=client).ping()


def test_a_name_that_cannot_be_one_is_told(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["registry", "create-table", name]) == 0
    assert run(["registry", "create-table", "no/name"]) == 64
    assert "no/name" in capsys.readouterr().err
