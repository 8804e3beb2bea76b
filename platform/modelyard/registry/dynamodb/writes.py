"""Writes with conditions, as DynamoDB wants them written; and items in and out of its notation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelyard.registry.dynamodb.keys import Key

Value = str | int | bool
Item = dict[str, Value]
Notation = dict[str, Any]

PK, SK = "PK", "SK"


@dataclass(frozen=True)
class If:
    """A condition on an attribute of the item that a write is about."""

    name: str
    how: Literal["=", "<", ">=", "absent", "present"]
    value: Value = ""

    def holds(self, item: Mapping[str, Value]) -> bool:
        """Whether an item meets it."""
        found: Any = item.get(self.name)
        match self.how:
            case "absent":
                return found is None
            case "present":
                return found is not None
            case "=":
                return bool(found == self.value)
            case "<":
                return found is not None and found < self.value
            case ">=":
                return found is not None and found >= self.value


ABSENT = If(PK, "absent")
PRESENT = If(PK, "present")


@dataclass(frozen=True)
class Write:
    """One item's part of a transaction."""

    action: Literal["Put", "Update", "Delete", "ConditionCheck"]
    key: Key
    content: Mapping[str, Value] = field(default_factory=dict)
    """What a Put writes, or an Update sets."""
    add: Mapping[str, int] = field(default_factory=dict)
    """What an Update adds to numbers."""
    when: tuple[If, ...] = ()
    """What the caller expects."""
    stale: str = ""
    """What to say where that is not so."""
    own: tuple[If, ...] = ()
    """What the store read itself, just before: where that has moved, it reads again and writes again."""

    def request(self, table: str) -> Notation:
        """The write, in DynamoDB's notation."""
        names: dict[str, str] = {}
        values: Notation = {}
        body: Notation = {"TableName": table}
        if self.action == "Put":
            body["Item"] = {**key_notation(self.key), **notation(self.content)}
        else:
            body["Key"] = key_notation(self.key)
        if self.action == "Update":
            body["UpdateExpression"] = self._changes(names, values)
        if conditions := (*self.when, *self.own):
            body["ConditionExpression"] = " AND ".join(_condition(one, names, values) for one in conditions)
            body["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if names:
            body["ExpressionAttributeNames"] = names
        if values:
            body["ExpressionAttributeValues"] = values
        return {self.action: body}

    def _changes(self, names: dict[str, str], values: Notation) -> str:
        sets = [f"{_name(name, names)} = {_value(value, values)}" for name, value in self.content.items()]
        adds = [f"{_name(name, names)} {_value(value, values)}" for name, value in self.add.items()]
        parts = (("SET", sets), ("ADD", adds))
        return " ".join(f"{word} {', '.join(these)}" for word, these in parts if these)


def put(key: Key, content: Mapping[str, Value] | None = None) -> Write:
    """Write an item, whatever is there."""
    return Write("Put", key, content or {})


def delete(key: Key) -> Write:
    """Remove an item, if it is there."""
    return Write("Delete", key)


def _condition(condition: If, names: dict[str, str], values: Notation) -> str:
    name = _name(condition.name, names)
    match condition.how:
        case "absent":
            return f"attribute_not_exists({name})"
        case "present":
            return f"attribute_exists({name})"
        case how:
            return f"{name} {how} {_value(condition.value, values)}"


def _name(name: str, names: dict[str, str]) -> str:
    # Always by a placeholder: many plain words, such as `state`, are reserved.
    names[f"#{name}"] = name
    return f"#{name}"


def _value(value: Value, values: Notation) -> str:
    placeholder = f":v{len(values)}"
    values[placeholder] = _attribute(value)
    return placeholder


def key_notation(key: Key) -> Notation:
    """A key, in DynamoDB's notation."""
    return {PK: {"S": key[0]}, SK: {"S": key[1]}}


def notation(item: Mapping[str, Value]) -> Notation:
    """An item, in DynamoDB's notation."""
    return {name: _attribute(value) for name, value in item.items()}


def _attribute(value: Value) -> Notation:
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def item_of(found: Notation) -> Item:
    """An item, out of DynamoDB's notation."""
    return {name: _plain(value) for name, value in found.items()}


def _plain(value: Notation) -> Value:
    ((kind, content),) = value.items()
    plain: Value = int(content) if kind == "N" else content
    return plain
