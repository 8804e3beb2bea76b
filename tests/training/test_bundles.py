"""Bundles, identities, requests: what pins a run."""

from __future__ import annotations

import io
import sys
import zipfile
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.config.bundles import MAX_BYTES, bundle_digest, pack, unpack
from modelyard.errors import IntegrityError, InvalidData
from modelyard.registry.records import FeatureSetPin
from modelyard.training import identity
from modelyard.training.bundles import bundled_classes, import_bundle, keep_bundles
from modelyard.training.requests import make_spec
from tests.registries import open_registry
from tests.training import yard

if TYPE_CHECKING:
    from pathlib import Path

FILES = {"__init__.py": b"from .a.b import C\n", "a/b.py": b"import math\nclass C:\n    ONE = 1\n"}


def test_a_bundle_is_packed_to_the_same_bytes_and_comes_back() -> None:
    packed = pack(dict(reversed(FILES.items())))
    assert packed == pack(FILES)
    assert unpack(packed, bundle_digest(FILES)) == FILES


def zipped(name: str, content: bytes = b"", mode: int = 0o100644) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no readable zip"),
        (pack(FILES)[:-30], "no readable zip"),
        (zipped("../up.py"), "not a plain Python file"),
        (zipped("/etc/up.py"), "not a plain Python file"),
        (zipped("a/../up.py"), "not a plain Python file"),
        (zipped("a\\up.py"), "not a plain Python file"),
        (zipped("a.so"), "not a plain Python file"),
        (zipped(".hidden.py"), "not a plain Python file"),
        (zipped("link.py", b"/etc/passwd", 0o120777), "not a plain Python file"),
        (zipped("bomb.py", b"#" * (MAX_BYTES + 1)), "more than 500 files or 5 MiB"),
        (zipped("other.py", b"pass"), "not the one that was pinned"),
    ],
)
def test_what_is_no_bundle_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(IntegrityError, match=reason):
        unpack(content, bundle_digest(FILES))


def test_flipped_bytes_of_a_bundle_are_noticed() -> None:
    packed = pack(FILES)
    for position in range(len(packed)):
        changed = bytearray(packed)
        changed[position] ^= 0x55
        try:
            assert unpack(bytes(changed), bundle_digest(FILES)) == FILES
        except IntegrityError:
            continue


def test_two_states_of_a_module_live_side_by_side() -> None:
    packages = []
    for one in (b"1", b"2"):
        files = {**FILES, "a/b.py": b"class C:\n    ONE = " + one + b"\n"}
        packages.append(import_bundle(pack(files), bundle_digest(files)))
        assert import_bundle(b"not looked at again", bundle_digest(files)) == packages[-1]
    assert [sys.modules[package].C.ONE for package in packages] == [1, 2]
    assert bundled_classes(packages[0]) == [f"{packages[0]}.a.b.C"]
    assert sys.modules[f"{packages[0]}.a"].__doc__ is None
    assert not sys.modules[f"{packages[0]}.a.b"].__spec__.has_location  # type: ignore[union-attr]  # it has a spec


def project(root: Path) -> str:
    (root / "own" / "a").mkdir(parents=True)
    for name, content in FILES.items():
        (root / "own" / name).write_bytes(content)
    return bundle_digest(FILES)


def test_a_run_keeps_its_modules_as_they_were(tmp_path: Path) -> None:
    pinned = project(tmp_path)
    registry = open_registry(tmp_path / "home")
    keep_bundles(registry, tmp_path, {"./own": pinned})
    assert unpack(registry.read_bundle(pinned), pinned) == FILES
    (tmp_path / "own" / "__init__.py").write_text("changed = True\n")
    keep_bundles(registry, tmp_path, {"./own": pinned})
    assert unpack(registry.read_bundle(pinned), pinned) == FILES
    with pytest.raises(InvalidData, match=r"`./own` has changed since the model was applied"):
        keep_bundles(open_registry(tmp_path / "elsewhere"), tmp_path, {"./own": pinned})


def test_identities_say_what_a_run_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    before = identity.this_platform()
    assert before == identity.this_platform()
    assert before.code({}) != before.code({"./own": "1"})
    identity._environment_digest.cache_clear()
    monkeypatch.setattr(identity.metadata, "distributions", lambda: iter([]))  # type: ignore[attr-defined]  # the module's own import
    assert identity.this_platform().environment != before.environment
    assert identity.this_platform().code({}) == before.code({})
    identity._environment_digest.cache_clear()
    assert {"python", "numpy", "scikit-learn", "skops"} <= set(identity.library_versions())


@pytest.mark.parametrize(
    ("now", "day", "as_of", "to"),
    [
        # 22:30 UTC is the next day in Nairobi, three hours ahead.
        (datetime(2026, 7, 1, 22, 30, tzinfo=UTC), None, datetime(2026, 7, 1, 21, tzinfo=UTC), date(2026, 7, 2)),
        (datetime(2026, 7, 1, 20, 30, tzinfo=UTC), None, datetime(2026, 6, 30, 21, tzinfo=UTC), date(2026, 7, 1)),
        (datetime(2026, 7, 1, tzinfo=UTC), date(2026, 2, 1), datetime(2026, 1, 31, 21, tzinfo=UTC), date(2026, 2, 1)),
    ],
)
def test_a_run_is_as_of_a_days_start_in_the_models_timezone(now: Any, day: Any, as_of: Any, to: Any) -> None:
    made = yard.definition(timezone="Africa/Nairobi")
    asked = make_spec(made, (), day=day, now=now)
    assert (asked.as_of, asked.to) == (as_of, to)
    fixed = yard.definition(timezone="Africa/Nairobi", data={"to": "2026-01-15"})
    assert make_spec(fixed, (), day=day, now=now).to == date(2026, 1, 15)


def test_a_run_is_as_of_the_first_instant_of_a_day_whose_midnight_is_skipped() -> None:
    made = yard.definition(timezone="America/Toronto")  # its clocks went from 23:30 to 0:30
    assert make_spec(made, (), day=date(1919, 3, 31)).as_of == datetime(1919, 3, 31, 4, 30, tzinfo=UTC)


def test_a_run_is_not_as_of_a_day_to_come() -> None:
    made, now = yard.definition(timezone="Africa/Nairobi"), datetime(2026, 7, 1, 20, 30, tzinfo=UTC)
    with pytest.raises(InvalidData, match="as of 2026-07-02: that day has not begun") as caught:
        make_spec(made, (), day=date(2026, 7, 2), now=now)
    assert caught.value.hint == "2026-07-01 is the last day there is"
    assert make_spec(made, (), day=date(2026, 7, 1), now=now).to == date(2026, 7, 1)


def test_what_decides_the_outcome_decides_the_request() -> None:
    made, now = yard.definition(), datetime(2026, 7, 1, tzinfo=UTC)
    pin = FeatureSetPin(name="f", version=1, digest="d")
    asked = make_spec(made, (), now=now)
    assert asked.request == make_spec(made, (), now=now).request
    assert asked.request == make_spec(yard.definition(description="Prose.", owner="x"), (), now=now).request
    others = [
        make_spec(made, [pin], now=now),
        make_spec(made, (), now=now, sample=0.5),
        make_spec(made, (), day=date(2026, 6, 1), now=now),
        make_spec(yard.definition(seed=1), (), now=now),
        make_spec(made, (), now=now, platform=identity.image_platform("trainer:1")),
        make_spec(made, (), now=now, platform=identity.image_platform("trainer:2")),
        make_spec(yard.definition(bundles={"./own": "1"}), (), now=now, platform=identity.image_platform("trainer:2")),
    ]
    assert len({asked.request, *(other.request for other in others)}) == 8
