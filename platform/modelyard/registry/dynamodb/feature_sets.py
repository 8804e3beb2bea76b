"""Feature sets and their versions.

`moves` in a feature set's head goes up with every change of it: of two who change what both have read, one is refused.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from modelyard.registry.dynamodb import keys
from modelyard.registry.dynamodb.base import Tables, record_of, stored
from modelyard.registry.dynamodb.writes import ABSENT, PRESENT, SK, If, Write, put
from modelyard.registry.metadata import Stale
from modelyard.registry.pages import make_page, read_token
from modelyard.registry.records import FeatureSetVersion, Page

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from modelyard.registry.chains import Happening
    from modelyard.registry.dynamodb.writes import Item


class FeatureSetTables(Tables):
    """The access patterns of feature sets."""

    def feature_set(self, name: str, number: int | None = None) -> FeatureSetVersion | None:
        if number is None:
            return self._current((name,))[0]
        return record_of(FeatureSetVersion, self._table.get(_version_key(name, number)))

    def feature_set_for_digest(self, name: str, digest: str) -> FeatureSetVersion | None:
        item = self._table.get(keys.feature_set_digest(name, digest))
        return None if item is None else self.feature_set(name, int(item["number"]))

    def feature_sets(self, *, page: str | None, limit: int) -> Page[FeatureSetVersion]:
        return self._looked_up(self._keys_page(keys.FEATURE_SETS, page, limit), self._current)

    def _current(self, names: tuple[str, ...]) -> list[FeatureSetVersion | None]:
        heads = self._table.get_many([_head_key(name) for name in names])
        current = [
            _version_key(name, int(head["current"]))
            for name, head in zip(names, heads, strict=True)
            if head is not None
        ]
        found = {name: item for (name, _), item in zip(current, self._table.get_many(current), strict=True)}
        return [record_of(FeatureSetVersion, found.get(keys.feature_set_versions(name))) for name in names]

    def feature_set_versions(self, name: str, *, page: str | None, limit: int) -> Page[FeatureSetVersion]:
        low = keys.number_key(read_token(page, 0) + 1)
        found = list(islice(self._table.query(keys.feature_set_versions(name), low=low, chunk=limit + 1), limit + 1))
        records = [record for item in found if (record := record_of(FeatureSetVersion, item)) is not None]
        return make_page(records, limit, [int(item[SK]) for item in found])

    def add_feature_set(
        self,
        name: str,
        digest: str,
        make: Callable[[int], FeatureSetVersion],
        *,
        expected: FeatureSetVersion | None,
        uses: Collection[str],
        tell: Callable[[FeatureSetVersion], Happening],
    ) -> FeatureSetVersion:
        subject, made = f"feature_set:{name}", make(1)

        def prepare() -> list[Write]:
            nonlocal made
            head = self._expected_head(name, expected)
            made = make(1 if head is None else int(head["counter"]) + 1)
            number: Item = {"number": made.number}
            stale = f"a version of feature set `{name}` with this digest is there already"
            return [
                _moved(name, head, counter=made.number, current=made.number),
                Write("Put", keys.feature_set_digest(name, digest), number, when=(ABSENT,), stale=stale),
                put(_version_key(name, made.number), stored(made)),
                put((keys.FEATURE_SETS, name)),
                *self._depend(subject, uses),
                *self._told([tell(made)]),
            ]

        with self._in_turn([subject]):
            self._table.transact(prepare)
        return made

    def put_feature_set(
        self,
        version: FeatureSetVersion,
        *,
        expected: FeatureSetVersion | None,
        uses: Collection[str],
        happenings: Sequence[Happening],
    ) -> None:
        stale = f"version {version.number} of feature set `{version.name}` is gone"
        key = _version_key(version.name, version.number)
        revised = Write("Update", key, stored(version), when=(PRESENT,), stale=stale)
        depend = self._depend(f"feature_set:{version.name}", uses)

        def prepare() -> list[Write]:
            head = self._expected_head(version.name, expected)
            return [revised, _moved(version.name, head, current=version.number), *depend]

        self._write(prepare, happenings)

    def _expected_head(self, name: str, expected: FeatureSetVersion | None) -> Item | None:
        """A feature set's head, where the version that was registered last is as its caller read it.

        Raises:
            Stale: It is another one, or it was changed.
        """
        head = self._table.get(_head_key(name))  # before the version: what changes that changes the head as well
        last = None if head is None else self.feature_set(name, int(head["current"]))
        if last != expected:
            msg = f"feature set `{name}` was changed meanwhile"
            raise Stale(msg)
        return head


def loaded(version: FeatureSetVersion) -> list[Write]:
    """The items of a version that comes from elsewhere."""
    number: Item = {"number": version.number}
    place = _version_key(version.name, version.number)
    return [put(place, stored(version)), put(keys.feature_set_digest(version.name, version.digest), number)]


def loaded_head(name: str, counter: int, current: int) -> list[Write]:
    """The items of a feature set that comes from elsewhere, but for its versions."""
    head = _moved(name, None, counter=counter, current=current)
    return [head, put((keys.FEATURE_SETS, name))]


def _moved(name: str, head: Item | None, **content: int) -> Write:
    """The change of a feature set's head, if it is as it was read."""
    if head is None:
        return Write("Put", _head_key(name), {**content, "moves": 1}, own=(ABSENT,))
    return Write("Update", _head_key(name), content, add={"moves": 1}, own=(If("moves", "=", head["moves"]),))


def _head_key(name: str) -> keys.Key:
    return (keys.feature_set(name), keys.HEAD)


def _version_key(name: str, number: int) -> keys.Key:
    return (keys.feature_set_versions(name), keys.number_key(number))
