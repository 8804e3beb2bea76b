"""Where everything lies in the table: the keys of records, of lists, and of the store's own bookkeeping.

Each list is a partition of its own, in the order of its sort keys, so that a page is one query. A list that all teams
write to at once lies in `LIST_SHARDS` partitions and is merged when it is read. Numbers and instants are padded, so
that they sort as text.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

Key = tuple[str, str]
"""A partition key and a sort key."""

CHAINS = 16
"""Chains of events: as many writes of different subjects go on at once without meeting at a head. It never changes for
a table: a subject's events would lie in two chains."""

LIST_SHARDS = 4
"""Partitions of a list that everybody writes to: one takes a thousand small writes a second."""

START, END = " ", "~"
"""Before and after every sort key: those of ours begin with a letter or a digit."""

BEYOND = 2**63 - 1
"""After every number that is a sort key."""

RECORD, HEAD = "record", "head"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHIFT = 10**17  # microseconds: more than there are before 1970, so that no padded instant is negative

META: Key = ("meta", RECORD)


def number_key(number: int) -> str:
    """A number as a sort key."""
    return f"{number:019d}"


def instant_key(instant: datetime) -> str:
    """An instant as the beginning of a sort key."""
    return f"{_SHIFT + (instant - _EPOCH) // timedelta(microseconds=1):018d}"


def shard_of(text: str, shards: int) -> int:
    """The shard of something with a name; the same on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) % shards


def chain_of(subject: str) -> str:
    """The chain that holds a subject's events."""
    return chain_name(shard_of(subject, CHAINS))


def chain_name(number: int) -> str:
    """A chain's name, by its number."""
    return f"{number:02d}"


def chain_head(chain: str) -> Key:
    """Where a chain's end is kept."""
    return (f"chain#{chain}", HEAD)


def links(chain: str) -> str:
    """The partition of a chain's events, by position."""
    return f"events#{chain}"


def history(subject: str) -> str:
    """The partition of the positions of a subject's events."""
    return f"history#{subject}"


def uses(subject: str) -> str:
    """The partition of a subject's dependents, by name."""
    return f"uses#{subject}"


MODELS = "models"
"""The partition of all models' names."""


def model(name: str) -> str:
    """The partition of a model's record and its head: the counter and pointers."""
    return f"model#{name}"


def versions(name: str) -> str:
    """The partition of a model's versions, by number."""
    return f"versions#{name}"


def made_for(name: str, request: str) -> str:
    """The partition of the numbers of the versions that were made for a request."""
    return f"made_for#{name}#{request}"


def claim_key(name: str, key: str) -> Key:
    """What a claim's idempotency key was used for."""
    return (f"claim_key#{name}", key)


def promotion_key(name: str, key: str) -> Key:
    """What a promotion's idempotency key was used for."""
    return (f"promotion_key#{name}", key)


def facts(name: str) -> str:
    """The partition of a model's promotion facts, by sequence."""
    return f"facts#{name}"


def starts(name: str) -> str:
    """The partition of the facts that count, by `live_from`."""
    return f"starts#{name}"


def aged_version(state: str, since: datetime, name: str, number: int) -> Key:
    """A version's place among the PENDING or ARCHIVED ones of all models, by age."""
    place = f"{name}#{number_key(number)}"
    return (aged_versions(state, shard_of(place, LIST_SHARDS)), f"{instant_key(since)}#{place}")


def aged_versions(state: str, shard: int) -> str:
    """A partition of the PENDING or ARCHIVED versions of all models, by age."""
    return f"{state.lower()}#{shard}"


FEATURE_SETS = "feature_sets"
"""The partition of all feature sets' names."""


def feature_set(name: str) -> str:
    """The partition of a feature set's head, and of its versions' digests."""
    return f"feature_set#{name}"


def feature_set_digest(name: str, digest: str) -> Key:
    """The number of the version with a digest."""
    return (feature_set(name), f"digest#{digest}")


def feature_set_versions(name: str) -> str:
    """The partition of a feature set's versions, by number."""
    return f"feature_set_versions#{name}"


def run(run_id: str) -> Key:
    """A run."""
    return (f"run#{run_id}", RECORD)


def run_progress(run_id: str) -> Key:
    """How far a run has come; the item is made with the run."""
    return (f"run#{run_id}", "progress")


def run_shard(kind: str, shard: int) -> str:
    """A partition of all runs (`runs`), of those that are open, or of those that have `finished`."""
    return f"{kind}#{shard}"


def run_place(kind: str, run_id: str, position: str) -> Key:
    """A run's place in a list of all models' runs."""
    return (run_shard(kind, shard_of(run_id, LIST_SHARDS)), position)


def model_runs(name: str) -> str:
    """The partition of a model's runs, by position."""
    return f"model_runs#{name}"
