"""What following a registry finds, on every registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.errors import Conflict, CursorLost, InvalidData
from modelyard.registry import changes
from modelyard.registry.changes import read_changes
from modelyard.registry.cursors import Mark, read_cursor, write_cursor
from tests.registry.making import all_changes, apply, feature_set, run_of

if TYPE_CHECKING:
    from modelyard.registry.records import Event
    from modelyard.registry.registry import Registry


def followed(registry: Registry, after: str | None, limit: int) -> tuple[list[Event], str]:
    """What happened after a position, in pages of so many events; and the position after them."""
    events: list[Event] = []
    page = registry.changes(after=after, limit=limit)
    while page.items:
        assert len(page.items) <= limit
        events += page.items
        page = registry.changes(after=page.next, limit=limit)
    return events, page.next


def test_a_reading_goes_on_where_the_one_before_ended(registry: Registry) -> None:
    nothing = read_changes(registry, None)
    assert (nothing.models, nothing.anew) == (frozenset(), True)
    apply(registry)
    first = read_changes(registry, nothing.cursor)
    assert (first.models, first.anew) == (frozenset({"ke"}), False)
    again = read_changes(registry, first.cursor)
    assert (again.models, again.anew) == (frozenset(), False)


def test_the_models_that_something_happened_to_are_found(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST", 2)  # several pages, even of few changes
    for name in ("gh", "ke", "ug"):
        apply(registry, name)
    registry.register_feature_set(feature_set(), project="lender", lineage={})
    registry.queue_run(run_of())
    first = read_changes(registry, None)
    assert (sorted(first.models), first.anew) == (["gh", "ke", "ug"], True)
    apply(registry, "ke", seed=1)
    second = read_changes(registry, first.cursor)
    assert (sorted(second.models), second.anew) == (["ke"], False)


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_tell_everything_once_and_of_each_subject_in_order(registry: Registry, limit: int) -> None:
    models = [f"model_{number}" for number in range(7)]
    for seed in range(2):
        for name in models:
            apply(registry, name, seed=seed)
    events, end = followed(registry, None, limit)
    assert len({(event.subject, event.sequence) for event in events}) == len(events) == 14
    for name in models:
        assert [event.type for event in events if event.subject == f"model:{name}"] == [
            "model.created",
            "model.revised",
        ]
    apply(registry, "model_3", seed=9)
    later, _ = followed(registry, end, limit)
    assert [(event.subject, event.type) for event in later] == [("model:model_3", "model.revised")]


def test_each_event_carries_its_hash(registry: Registry) -> None:
    for seed in range(3):
        apply(registry, seed=seed)
    hashes = [event.hash for event in all_changes(registry)]
    assert {len(one) for one in hashes} == {64}
    assert len(set(hashes)) == 3
    assert [event.hash for event in registry.history("model:ke").items] == hashes[::-1]


def test_changes_that_are_not_there_any_more_begin_anew(registry: Registry) -> None:
    apply(registry)
    first = registry.changes()
    apply(registry, seed=1)
    end = registry.changes().next
    for gone in (lost_in(end, beyond=True), lost_in(end, beyond=False), write_cursor([Mark()] * 3)):
        with pytest.raises(CursorLost, match="restored, or moved"):
            registry.changes(after=gone)
        found = read_changes(registry, gone)
        assert (found.models, found.anew) == (frozenset({"ke"}), True)
        assert found.cursor == end
    assert read_changes(registry, first.next).anew is False
    assert issubclass(CursorLost, Conflict)


def lost_in(token: str, *, beyond: bool) -> str:
    """A token that tells of an event that is not there: of a later one, or of another one at that place."""
    marks = [mark if not mark.position else _other(mark, beyond=beyond) for mark in marks_of(token)]
    return write_cursor(marks)


def _other(mark: Mark, *, beyond: bool) -> Mark:
    return Mark(mark.position + 1, mark.digits) if beyond else Mark(mark.position, "0" * len(mark.digits))


def marks_of(token: str) -> list[Mark]:
    for chains in range(1, 100):
        try:
            return read_cursor(token, chains)
        except CursorLost:
            continue
    raise AssertionError(token)


@pytest.mark.parametrize("token", ["", "0", "x", "W10", "W1sxXV0", "W1stMSwiYSJdXQ", "W1sxLCIiXV0", "e30", "W" * 9000])
def test_what_is_no_token_is_refused(registry: Registry, token: str) -> None:
    with pytest.raises(InvalidData, match="no token of the change cursor"):
        registry.changes(after=token)
