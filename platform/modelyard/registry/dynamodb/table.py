"""The table: reads and transactions, what is sent again and what is not, and what DynamoDB's errors mean.

Every read is consistent: a write that was acknowledged is seen by whoever reads after it, and decisions hang on what
lists say, too. Every transaction carries a token of its own, so that one whose answer was lost may be sent again: it is
done once. A failed condition of the caller's is told and never tried again; where only the store's own bookkeeping has
moved (the head of a chain, a counter), the store reads it again and writes again, until the deadline.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from modelyard.aws import make_client, meanings
from modelyard.errors import Conflict, InvalidData, ModelyardError, UsageError
from modelyard.registry.dynamodb.keys import END, META, START
from modelyard.registry.dynamodb.writes import PK, SK, item_of, key_notation, notation
from modelyard.registry.metadata import Stale
from modelyard.retries import DEADLINE, Passing, retried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from modelyard.registry.dynamodb.keys import Key
    from modelyard.registry.dynamodb.writes import Item, Notation, Value, Write

T = TypeVar("T")

FORMAT = 1
"""The number of the table's arrangement: which keys there are, and what they mean."""

_MOST_READ = 100  # items of one BatchGetItem, as DynamoDB has it
_MOST_WRITTEN = 25  # items of one BatchWriteItem

_CONDITION = "ConditionalCheckFailed"
_WAITING = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
_TOO_LARGE = "size"


class Table:
    """A DynamoDB table.

    Args:
        name: Its name.
        client: A client of `dynamodb`; many threads share it.
        deadline: Seconds until a call that keeps failing in passing is given up.
    """

    def __init__(self, name: str, *, client: Any = None, deadline: float = DEADLINE) -> None:
        self.name = name
        self.client = client or make_client("dynamodb")
        self.deadline = deadline
        self._known = False

    # Reading ---------------------------------------------------------------------------------------------------

    def get(self, key: Key) -> Item | None:
        """An item."""
        self.check()
        answer = self._read("GetItem", self.client.get_item, Key=key_notation(key), TableName=self.name)
        return item_of(answer["Item"]) if "Item" in answer else None

    def get_many(self, keys: Sequence[Key]) -> list[Item | None]:
        """Items, in the order of their keys."""
        self.check()
        found: dict[Key, Item] = {}
        wanted = iter(dict.fromkeys(keys))
        while some := list(islice(wanted, _MOST_READ)):
            for item in retried(self._reading_some(some), deadline=self.deadline):
                found[str(item[PK]), str(item[SK])] = item
        return [found.get(key) for key in keys]

    def _reading_some(self, keys: Sequence[Key]) -> Callable[[], list[Item]]:
        """A call that reads the keys that are left, and fails in passing as long as some are."""
        left = [key_notation(key) for key in keys]
        found: list[Item] = []

        def read() -> list[Item]:
            nonlocal left
            while left:
                answer = self._batch_get(left)
                got = answer["Responses"].get(self.name, [])
                found.extend(map(item_of, got))
                left = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
                if left and not got:  # a large answer comes in parts; one with nothing in it was throttled
                    msg = f"table `{self.name}` reads fewer items than were asked for"
                    raise Passing(msg, "try again")
            return found

        return read

    def _batch_get(self, keys: Sequence[Notation]) -> Notation:
        request = {self.name: {"Keys": keys, "ConsistentRead": True}}
        return self._sent("BatchGetItem", lambda: self.client.batch_get_item(RequestItems=request))

    def query(
        self, partition: str, *, low: str = START, high: str = END, newest: bool = False, chunk: int = 100
    ) -> Iterator[Item]:
        """The items of a partition within [low, high], in order.

        Args:
            partition: The partition key.
            low: The first sort key.
            high: The last sort key.
            newest: Whether to begin with the last one.
            chunk: How many to read at a time.
        """
        self.check()
        low = low or START  # DynamoDB knows no empty key
        request: Notation = {
            "TableName": self.name,
            "KeyConditionExpression": f"{PK} = :p AND {SK} BETWEEN :low AND :high",
            "ExpressionAttributeValues": notation({":p": partition, ":low": low, ":high": high}),
            "ScanIndexForward": not newest,
            "Limit": chunk,
        }
        while low <= high:
            answer = self._read("Query", self.client.query, **request)
            yield from map(item_of, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _read(self, what: str, call: Callable[..., Notation], **request: Any) -> Notation:
        return retried(lambda: self._sent(what, lambda: call(ConsistentRead=True, **request)), deadline=self.deadline)

    # Writing ---------------------------------------------------------------------------------------------------

    def transact(self, prepare: Callable[[], Sequence[Write]]) -> None:
        """Do writes, all of them or none; durable when the call returns.

        Args:
            prepare: Reads what the store's own conditions hang on, and makes the writes. Called again where that moved.

        Raises:
            Stale: What the caller expects is not so.
            Unavailable: Others were quicker, or DynamoDB did not answer, until the deadline.
        """
        self.check()
        sent: tuple[Sequence[Write], str] | None = None

        def attempt() -> None:
            nonlocal sent
            # What is sent again is the very same transaction with the very same token: it may have been done.
            sent = sent or (prepare(), str(uuid4()))
            try:
                self._transact(*sent)
            except _Moved:
                sent = None
                raise

        retried(attempt, deadline=self.deadline)

    def _transact(self, writes: Sequence[Write], token: str) -> None:
        items = [write.request(self.name) for write in writes]

        def call() -> None:
            try:
                self.client.transact_write_items(TransactItems=items, ClientRequestToken=token)
            except self.client.exceptions.TransactionCanceledException as error:
                raise self._cancelled(writes, error.response.get("CancellationReasons", []), error) from error

        self._sent("TransactWriteItems", call)

    def _cancelled(self, writes: Sequence[Write], reasons: Sequence[Notation], error: Exception) -> Exception:
        failed = [
            (write, item_of(reason.get("Item", {})))
            for write, reason in zip(writes, reasons, strict=False)
            if reason.get("Code") == _CONDITION
        ]
        for write, item in failed:
            if not all(condition.holds(item) for condition in write.when):
                return Stale(write.stale)
        codes = {str(reason.get("Code")) for reason in reasons}
        if failed or codes & _WAITING:
            return _Moved(f"table `{self.name}`: others write to the same items", "try again")
        said = "; ".join(str(reason["Message"]) for reason in reasons if reason.get("Message"))
        return self._refused(said or str(error))

    def update(self, write: Write) -> Item:
        """Change one item, and see it as it is then. Sent again, it is done again: for counters that may have gaps.

        Raises:
            Stale: What the caller expects is not so.
        """
        self.check()
        request = write.request(self.name)["Update"]

        def call() -> Notation:
            try:
                answer: Notation = self.client.update_item(ReturnValues="ALL_NEW", **request)
            except self.client.exceptions.ConditionalCheckFailedException as error:
                raise Stale(write.stale) from error
            return answer

        return item_of(retried(lambda: self._sent("UpdateItem", call), deadline=self.deadline)["Attributes"])

    def put_many(self, items: Iterable[tuple[Key, Mapping[str, Value]]]) -> None:
        """Write items, each for itself: a process that dies in between leaves some of them."""
        self.check()
        waiting = iter([{"PutRequest": {"Item": {**key_notation(key), **notation(item)}}} for key, item in items])
        while some := list(islice(waiting, _MOST_WRITTEN)):
            retried(self._writing_some(some), deadline=self.deadline)

    def _writing_some(self, left: list[Notation]) -> Callable[[], None]:
        def write() -> None:
            nonlocal left
            request = {self.name: left}
            answer = self._sent("BatchWriteItem", lambda: self.client.batch_write_item(RequestItems=request))
            left = answer.get("UnprocessedItems", {}).get(self.name, [])
            if left:
                msg = f"table `{self.name}` takes fewer items than were sent"
                raise Passing(msg, "try again")

        return write

    def scan(self) -> Iterator[Item]:
        """Every item, in no order."""
        self.check()
        request: Notation = {"TableName": self.name}
        while True:
            answer = self._read("Scan", self.client.scan, **request)
            yield from map(item_of, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def begin_import(self, mark: str, is_empty: Callable[[], bool]) -> None:
        """Mark the table as half filled: until `end_import` it is no registry.

        Args:
            mark: What is imported; the same again goes on.
            is_empty: Whether it holds nothing yet.

        Raises:
            Conflict: It holds something else already.
        """
        found = self._read("GetItem", self.client.get_item, Key=key_notation(META), TableName=self.name).get("Item")
        if found is not None and item_of(found).get("importing") == mark:
            self._known = True
            return
        self.check()
        if not is_empty():
            msg = f"table `{self.name}` is not empty"
            raise Conflict(msg, "import into a new one")
        self.put_many([(META, {"format": FORMAT, "importing": mark})])

    def end_import(self) -> None:
        """Say that everything is there."""
        self.put_many([(META, {"format": FORMAT})])

    # The table itself ------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Make sure, once, that the table is there and arranged as this code knows it.

        Raises:
            UsageError: It is not there, is no registry, or was made by a newer Modelyard.
        """
        if self._known:
            return
        found = self._read("GetItem", self.client.get_item, Key=key_notation(META), TableName=self.name).get("Item")
        if found is None:
            raise self._absent(there=True)
        if mark := item_of(found).get("importing"):
            msg = f"table `{self.name}` holds half of an import: {mark}"
            raise UsageError(msg, "run the same `modelyard registry import` again: it goes on where it ended")
        made = item_of(found)["format"]
        if made != FORMAT:
            msg = f"table `{self.name}` has format {made}, and this Modelyard knows {FORMAT}"
            raise UsageError(msg, "use the version of Modelyard that made it, or a newer one")
        self._known = True

    def ping(self) -> None:
        """Answer, if the table can."""
        self.check()
        self._read("GetItem", self.client.get_item, Key=key_notation(META), TableName=self.name)

    def _sent(self, what: str, call: Callable[[], T]) -> T:
        try:
            with meanings(f"{what} at table `{self.name}`"):
                return self._told_if_absent(call)
        except self.client.exceptions.ClientError as error:  # none that meanings knows: the request itself was wrong
            raise self._refused(str(error)) from error

    def _told_if_absent(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except self.client.exceptions.ResourceNotFoundException as error:
            raise self._absent(there=False) from error

    def _refused(self, said: str) -> ModelyardError:
        if _TOO_LARGE in said:
            return InvalidData(
                f"a record is too large for table `{self.name}`: {said}", "describe less in one document"
            )
        return ModelyardError(f"table `{self.name}` refused a request: {said}")

    def _absent(self, *, there: bool) -> UsageError:
        how = "holds no registry" if there else "is not there"
        hint = f"make it: modelyard registry create-table {self.name}; or look at the region and the endpoint"
        return UsageError(f"table `{self.name}` {how}", hint)


class _Moved(Passing):
    """Others were quicker: nothing was written, and what was read for it does not hold any more."""
