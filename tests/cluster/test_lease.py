"""Who leads, with a real API server and clocks that tests set."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from modelyard.training.launchers.kubernetes.api import in_namespace
from modelyard.training.launchers.kubernetes.lease import DURATION, RENEW, Lease, NotLeading

if TYPE_CHECKING:
    from tests.cluster.world import World

pytestmark = pytest.mark.cluster


class Seconds:
    """A clock."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Two:
    """Two who want the same Lease, each with a clock of his own."""

    def __init__(self, world: World) -> None:
        self.world, self.name = world, f"lease-{uuid4().hex[:8]}"
        self.clocks = Seconds(), Seconds()
        self.first, self.second = (
            Lease(world.cluster, world.namespace, self.name, who, clock=clock)
            for who, clock in zip(("first", "second"), self.clocks, strict=True)
        )

    def holder(self) -> str:
        found = self.world.object("leases", self.name)
        return "" if found is None else str(found["spec"].get("holderIdentity"))


@pytest.fixture
def two(world: World) -> Two:
    return Two(world)


def test_one_leads_and_the_other_waits(two: Two) -> None:
    with pytest.raises(NotLeading):
        two.first.check()
    assert two.first.hold()
    assert not two.second.hold()
    two.first.check()
    assert (two.first.held, two.second.held, two.first.epoch, two.holder()) == (True, False, 1, "first")
    assert two.first.hold()
    assert two.first.epoch == 1, "a renewal is no new time"


def test_who_does_not_renew_stops_before_another_begins(two: Two) -> None:
    assert two.first.hold()
    assert not two.second.hold()
    two.clocks[0].now += RENEW
    with pytest.raises(NotLeading):
        two.first.check()
    two.clocks[1].now += DURATION
    assert not two.second.hold(), "not before the Lease has run out by its own clock"
    two.clocks[1].now += 0.1
    assert two.second.hold()
    assert two.second.epoch == 2
    assert not two.first.hold()
    assert two.holder() == "second"


def test_who_was_away_but_not_replaced_goes_on(two: Two) -> None:
    assert two.first.hold()
    two.clocks[0].now += 100
    assert not two.first.held
    assert two.first.hold()
    assert (two.first.held, two.first.epoch) == (True, 1)


def test_a_holder_that_renews_is_never_replaced_whatever_the_clocks_say(two: Two) -> None:
    assert two.first.hold()
    for _ in range(3):
        assert not two.second.hold()
        two.clocks[1].now += 3600
        assert two.first.hold()
    assert not two.second.hold()
    assert two.first.held


def test_a_hand_over_is_immediate(two: Two) -> None:
    assert two.first.hold()
    two.first.give_up()
    with pytest.raises(NotLeading):
        two.first.check()
    two.first.release()
    assert two.second.hold()
    assert (two.second.epoch, two.holder()) == (2, "second")
    two.first.release()
    assert two.holder() == "second", "what is another's stays"


def test_a_lease_that_was_deleted_goes_beyond_the_epochs_of_runs(two: Two) -> None:
    assert two.first.hold()
    path = in_namespace("leases", two.world.namespace, two.name)
    two.world.cluster.delete(path, uid=two.world.uid("leases", two.name))
    assert two.second.hold()
    assert two.second.epoch == 1
    assert two.second.raise_to(7)
    assert two.second.epoch == 8
    assert not two.first.raise_to(9)
    assert not two.first.held
