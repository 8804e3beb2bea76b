"""Making the table: once, by an operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from modelyard.aws import make_client, meanings
from modelyard.errors import UsageError
from modelyard.registry.dynamodb.keys import META
from modelyard.registry.dynamodb.table import FORMAT
from modelyard.registry.dynamodb.writes import PK, SK, key_notation, notation
from modelyard.retries import Passing, retried

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

PATIENCE = 300.0
"""Seconds until a table that is being made is given up; DynamoDB takes some ten."""


def create_table(name: str, *, client: Any = None) -> bool:
    """Make the table of a registry, if it is not there. Again changes nothing.

    A process that dies in between leaves a table that holds no registry yet; calling again completes it.

    Args:
        name: The table's name.
        client: A client of `dynamodb`.

    Returns:
        Whether it was made.

    Raises:
        UsageError: We may not, or the name can't be one.
        Unavailable: It was not usable in time.
    """
    client = client or make_client("dynamodb")
    try:
        made = retried(lambda: _sent(name, lambda: _create(client, name)))
    except client.exceptions.ClientError as error:
        msg = f"table `{name}` can't be made: {error}"
        raise UsageError(msg, "choose another name") from error
    retried(lambda: _sent(name, lambda: _expect_active(client, name)), deadline=PATIENCE)
    mark = {**key_notation(META), **notation({"format": FORMAT})}
    retried(lambda: _sent(name, lambda: _put_once(client, name, mark)))
    return made


def _sent(name: str, call: Callable[[], T]) -> T:
    with meanings(f"making table `{name}`"):
        return call()


def _create(client: Any, name: str) -> bool:
    try:
        client.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": PK, "KeyType": "HASH"}, {"AttributeName": SK, "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in (PK, SK)],
            BillingMode="PAY_PER_REQUEST",
        )
    except client.exceptions.ResourceInUseException:  # it is there, or another one makes it
        return False
    return True


def _expect_active(client: Any, name: str) -> None:
    state = client.describe_table(TableName=name)["Table"]["TableStatus"]
    if state != "ACTIVE":
        msg = f"table `{name}` is {state}"
        raise Passing(msg, "try again")


def _put_once(client: Any, name: str, mark: dict[str, Any]) -> None:
    try:
        client.put_item(TableName=name, Item=mark, ConditionExpression=f"attribute_not_exists({PK})")
    except client.exceptions.ConditionalCheckFailedException:
        return  # it holds a registry already
