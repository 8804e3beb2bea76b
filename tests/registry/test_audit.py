"""The audit log: whole after every write, and one flipped byte is found where it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.errors import InvalidData
from modelyard.registry.audit import Breach, ChainReport, verify
from modelyard.registry.chains import Head
from tests.registry.making import all_changes, apply, definition, run_of, spec_of
from tests.registry.places import Place, dynamodb_client

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry

MODELS = ("gh", "ke", "ug")


@pytest.fixture(autouse=True)
def _history(local: LocalRegistry) -> None:
    for seed in range(4):
        for name in MODELS:
            apply(local, name, seed=seed)
    local.queue_run(run_of(spec=spec_of(definition(seed=3))))


def reports(place: Place) -> dict[str, ChainReport]:
    with closing(place.metadata()) as metadata:
        return {report.chain: report for report in verify(metadata)}


def breaches(place: Place) -> list[Breach]:
    return [report.breach for report in reports(place).values() if report.breach]


class Log:
    """The stored log, as somebody who can write to the store has it at hand."""

    def __init__(self, place: Place) -> None:
        self._place = place
        with closing(place.metadata()) as metadata:
            self.links = {
                (head.chain, link.position): link
                for head in metadata.chains()
                for link in metadata.links(head.chain, after=0, limit=100)
            }

    def of(self, subject: str, number: int) -> tuple[str, int]:
        """The place of a subject's event, by its number from 0."""
        return [place for place, link in self.links.items() if link.subject == subject][number]

    def write(self, place: tuple[str, int], **content: Any) -> None:
        """Write attributes of a stored event anew."""
        if self._place.table:
            self._update(f"events#{place[0]}", f"{place[1]:019d}", content)
            return
        sets = ", ".join(f"{name} = ?" for name in content)
        self._execute(f"UPDATE link SET {sets} WHERE position = ?", *content.values(), place[1])  # noqa: S608 - the columns are the test's own

    def remove(self, place: tuple[str, int]) -> None:
        if self._place.table:
            key = {"PK": {"S": f"events#{place[0]}"}, "SK": {"S": f"{place[1]:019d}"}}
            dynamodb_client().delete_item(TableName=self._place.table, Key=key)
        else:
            self._execute("DELETE FROM link WHERE position = ?", place[1])

    def write_head(self, chain: str, end: str) -> None:
        if self._place.table:
            self._update(f"chain#{chain}", "head", {"hash": end})
        else:
            self._execute("UPDATE chain SET hash = ?", end)

    def cut(self, chain: str) -> None:
        """Remove the last event of a chain, and let its head tell of the one before."""
        end = max(position for name, position in self.links if name == chain)
        self.remove((chain, end))
        hash_ = self.links[chain, end - 1].hash
        if self._place.table:
            self._update(f"chain#{chain}", "head", {"hash": hash_, "position": end - 1})
        else:
            self._execute("UPDATE chain SET hash = ?, position = ?", hash_, end - 1)

    def _update(self, partition: str, sort: str, content: dict[str, Any]) -> None:
        dynamodb_client().update_item(
            TableName=self._place.table,
            Key={"PK": {"S": partition}, "SK": {"S": sort}},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in content),
            ExpressionAttributeNames={f"#{name}": name for name in content},
            ExpressionAttributeValues={
                f":{name}": {"N": str(value)} if isinstance(value, int) else {"S": value}
                for name, value in content.items()
            },
        )

    def _execute(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self._place.home / "registry.db")) as connection, connection:
            connection.execute(statement, values)


def flipped(text: str, place: int) -> str:
    """A text with one bit of one byte the other way round."""
    content = bytearray(text.encode())
    content[place] ^= 1
    return content.decode()


def test_a_log_is_whole(place: Place, local: LocalRegistry) -> None:
    found = reports(place)
    assert [report.breach for report in found.values()] == [None] * len(found)
    assert sum(report.events for report in found.values()) == len(all_changes(local)) == 4 * len(MODELS) + 1


@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.99])
def test_one_flipped_byte_is_found_where_it_is(place: Place, part: float) -> None:
    log = Log(place)
    where = log.of("model:ke", 2)
    body = log.links[where].body
    log.write(where, body=flipped(body, int(part * len(body))))
    ((chain, report),) = [(chain, report) for chain, report in reports(place).items() if report.breach]
    assert report.breach is not None
    assert (chain, report.breach.position, report.events) == (*where, where[1] - 1)
    assert report.breach.subject in ("model:ke", "model:je") or "ke" not in report.breach.subject


def test_a_flipped_byte_of_a_hash_is_found(place: Place) -> None:
    log = Log(place)
    where = log.of("model:gh", 1)
    log.write(where, hash=flipped(log.links[where].hash, 5))
    (breach,) = breaches(place)
    assert (breach.position, breach.subject) == (where[1], "model:gh")
    assert breach.at is not None


def test_an_event_that_is_gone_is_missed(place: Place) -> None:
    log = Log(place)
    where = log.of("model:ug", 1)
    log.remove(where)
    (breach,) = breaches(place)
    assert (breach.position, "is missing" in breach.problem) == (where[1], True)


def test_the_last_event_of_a_chain_is_missed_as_well(place: Place) -> None:
    log = Log(place)
    chain = log.of("model:ke", 0)[0]
    end = max(position for name, position in log.links if name == chain)
    log.remove((chain, end))
    (breach,) = breaches(place)
    assert (breach.position, "are missing" in breach.problem) == (end, True)


def test_an_event_under_another_name_is_found(place: Place) -> None:
    log = Log(place)
    where = log.of("model:ke", 3)
    log.write(where, subject="model:gh")
    (breach,) = breaches(place)
    assert (breach.position, breach.subject, "filed under `model:gh`" in breach.problem) == (where[1], "model:ke", True)


def test_a_head_that_differs_is_found(place: Place) -> None:
    log = Log(place)
    chain = log.of("model:ke", 0)[0]
    end = max(position for name, position in log.links if name == chain)
    log.write_head(chain, "0" * 64)
    (breach,) = breaches(place)
    assert (breach.position, "head" in breach.problem) == (end, True)


def test_verifying_goes_through_many_pages(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("modelyard.registry.audit._PAGE", 2)
    assert breaches(place) == []
    log = Log(place)
    where = log.of("model:ke", 3)
    log.write(where, body=flipped(log.links[where].body, 20))
    (breach,) = breaches(place)
    assert breach.position == where[1]
    assert breaches(Place(tmp_path / "empty")) == []


def ends(place: Place) -> list[Head]:
    """Where chains end, as a verification finds it."""
    return [Head(report.chain, report.events, report.head) for report in reports(place).values()]


def test_an_end_that_was_cut_off_with_its_head_is_missed_by_who_kept_the_head(
    place: Place, local: LocalRegistry
) -> None:
    log, before = Log(place), ends(place)
    chain, _ = log.of("model:ke", 0)
    log.cut(chain)
    assert breaches(place) == []
    with closing(place.metadata()) as metadata:
        (lost,) = [report.breach for report in verify(metadata, before) if report.breach]
    end = max(position for name, position in log.links if name == chain)
    assert (lost.position, "were there before, and are missing" in lost.problem) == (end, True)
    apply(local, seed=9)  # another event takes the place, and the chain is as long as it was
    with closing(place.metadata()) as metadata:
        (lost,) = [report.breach for report in verify(metadata, before) if report.breach]
    assert (lost.position, lost.problem) == (end, "another event was here before")


def test_a_log_that_went_on_holds_what_it_held(place: Place, local: LocalRegistry) -> None:
    before = ends(place)
    apply(local, seed=9)
    with closing(place.metadata()) as metadata:
        assert not [report for report in verify(metadata, before) if report.breach]
        with pytest.raises(InvalidData, match="no chain elsewhere"):
            list(verify(metadata, [Head("elsewhere", 1, "")]))
