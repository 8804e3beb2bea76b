"""A registry moves from one store to another, and answers every question as before."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from modelyard.config.bundles import bundle_digest, pack
from modelyard.errors import Conflict, IntegrityError, InvalidData, UsageError
from modelyard.registry.audit import verify
from modelyard.registry.entries import entry
from modelyard.registry.export import MANIFEST, RECORDS, export_registry, import_registry
from modelyard.registry.integrity import damages
from modelyard.registry.pages import every
from modelyard.registry.records import Run, RunProgress, RunState
from modelyard.registry.s3 import S3Artifacts
from modelyard.registry.stores import RegistryStores
from modelyard.registry.sweep import Sweep
from tests.buckets import new_bucket
from tests.registries import NOON, Clock
from tests.registry.making import DAY, apply, claim_of, definition, feature_set, flip_byte, register, run_of, spec_of
from tests.registry.places import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelyard.registry.local import LocalRegistry

BUNDLE = {"woe.py": "".join(f"W{number} = {number**3}\n" for number in range(100)).encode()}


def on_disk(folder: Path) -> RegistryStores:
    place = Place(folder)
    return RegistryStores(str(folder), place.metadata(), place.artifacts())


@pytest.fixture
def laptop(tmp_path: Path) -> RegistryStores:
    return on_disk(tmp_path / "laptop")


@pytest.fixture(params=["disk", pytest.param("company", marks=pytest.mark.server)])
def elsewhere(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RegistryStores]:
    """An empty registry: on a disk, or in DynamoDB and S3."""
    if request.param == "disk":
        yield on_disk(tmp_path / "elsewhere")
        return
    table = request.getfixturevalue("table")
    for bucket in new_bucket(monkeypatch):
        yield RegistryStores("company", Place(tmp_path, table).metadata(), S3Artifacts(bucket, "registry"))


def registry_in(stores: RegistryStores, clock: Clock | None = None) -> LocalRegistry:
    from modelyard.registry.local import LocalRegistry

    return LocalRegistry(stores.metadata, stores.artifacts, actor="amina", clock=clock or Clock())


def wide() -> dict[str, Any]:
    """A definition that lies in a document of its own."""
    made = definition("ke")
    made["sources"]["loans"]["columns"].update({f"column_{'x' * 80}_{number}": "double" for number in range(1000)})
    return made


def asked(attempt: int = 1) -> Run:
    """A run of that definition."""
    return run_of(attempt=attempt, spec=spec_of(wide()))


def live_through(stores: RegistryStores, folder: Path) -> LocalRegistry:
    """A registry to which everything has happened that can happen."""
    clock = Clock()
    registry = registry_in(stores, clock)
    registry.apply_model(wide(), project="lender", expected_revision=0, run=asked())
    apply(registry, "gh", feature_sets={"history": feature_set()})
    apply(registry, "gone")
    for window in ("7d", "30d", "7d"):
        registry.register_feature_set(feature_set(window=window), project="lender", lineage={"a": ("loans.id",)})
    registry.keep_bundle(bundle_digest(BUNDLE), pack(BUNDLE))
    for number in range(4):
        register(registry, folder, f"key {number}", request="b" * 64, sets=number)
        clock.pass_(hours=1)
    registry.promote("ke", 1, live_from=clock.now, key="first")
    registry.promote("ke", 2, live_from=clock.now + DAY)
    registry.promote("ke", 3, live_from=clock.now + 5 * DAY)
    clock.pass_(days=2)
    registry.rollback("ke", key="back", reason="Scores drifted.")
    registry.archive_version("ke", 4)
    registry.archive_version("ke", 3)
    run = registry.update_run(registry.run(asked().id).model_copy(update={"state": RunState.TRAINING, "tries": 1}))
    registry.report_progress(RunProgress(run=run.id, tries=1, part=0.5, doing="fitting", at=clock.now))
    registry.write_run_log(run.id, io.BytesIO(b"fitting\n"))
    registry.queue_run(asked(2))
    registry.cancel_run(asked(2).id)
    registry.claim(claim_of("dropped"))
    clock.pass_(days=2)
    Sweep(stores.metadata, stores.artifacts, now=clock.now, actor="sweep", dry_run=False).run()
    registry.claim(claim_of("pending"))
    registry.archive_model("gone", reason="Never used.")
    return registry


def state(registry: LocalRegistry) -> dict[str, Any]:
    """The answer of every access pattern, but for events' places in the change cursor."""
    models = list(every(lambda page: registry.models(page=page, limit=2)))
    sets = [one.name for one in every(lambda page: registry.feature_sets(page=page, limit=1))]
    runs = list(every(lambda page: registry.runs(page=page, limit=1)))
    subjects = [f"model:{one.name}" for one in models] + [f"feature_set:{name}" for name in sets]
    subjects += [f"run:{run.id}" for run in runs]
    answers: dict[str, Any] = {"models": models, "runs": runs, "open": registry.open_runs().items}
    for one in models:
        name = one.name
        versions = list(every(lambda page, name=name: registry.versions(name, page=page, limit=2)))  # type: ignore[misc]
        answers[name] = (
            versions,
            registry.promotions(name),
            [registry.live(name, NOON + timedelta(hours=hours)) for hours in range(0, 300, 7)],
            registry.runs(model=name).items,
            registry.find_version(name, "b" * 64),
            [
                b"".join(registry.read_artifact(name, version.number, artifact.path))
                for version in versions
                for artifact in version.artifacts
            ],
        )
    for name in sets:
        answers[name] = [registry.feature_set(name), registry.feature_set(name, 1)]
    for subject in ("source:loans", "source:transactions", "feature_set:history"):
        answers[subject] = registry.dependents(subject).items
    for subject in subjects:
        history = every(lambda page, subject=subject: registry.history(subject, page=page, limit=2))  # type: ignore[misc]
        answers[f"history of {subject}"] = [event.model_copy(update={"sequence": 0, "hash": ""}) for event in history]
    answers["log"] = b"".join(registry.read_run_log(asked().id))
    answers["progress"] = registry.run_progress(asked().id)
    answers["bundle"] = registry.read_bundle(bundle_digest(BUNDLE))
    answers["latest"] = registry.latest("ke")
    return answers


def act(registry: LocalRegistry) -> list[Any]:
    """What keys, counters and heads decide, from here on."""
    return [
        registry.claim(claim_of("pending")).version,
        registry.claim(claim_of("key 0", request="b" * 64)).version,
        registry.promote("ke", 1, live_from=NOON + timedelta(hours=4), key="first"),
        registry.rollback("ke", key="back", reason="Scores drifted."),
        registry.claim(claim_of("next")).version.number,
        registry.promote("ke", 2, live_from=NOON + 90 * DAY).sequence,
        registry.register_feature_set(feature_set(window="90d"), project="lender", lineage={}).number,
        registry.queue_run(asked(3)).id,
        [run.id for run in registry.runs().items],
    ]


def test_a_registry_moves_and_answers_as_before(
    laptop: RegistryStores, elsewhere: RegistryStores, tmp_path: Path
) -> None:
    before = live_through(laptop, tmp_path)
    assert len(before.model("ke").definition["sources"]["loans"]["columns"]) > 1000
    made = export_registry(laptop, tmp_path / "first.zip")
    assert import_registry(elsewhere, tmp_path / "first.zip") == made
    moved = registry_in(elsewhere)
    assert state(moved) == state(before)
    assert list(damages(elsewhere.metadata, elsewhere.artifacts)) == []
    assert all(chain.breach is None for chain in verify(elsewhere.metadata))
    assert elsewhere.metadata.pending_versions(NOON + 99 * DAY, page=None, limit=9).items != ()
    # And back.
    export_registry(elsewhere, tmp_path / "second.zip")
    home = on_disk(tmp_path / "home again")
    import_registry(home, tmp_path / "second.zip")
    back = registry_in(home)
    assert state(back) == state(before)
    later = Clock(NOON + 30 * DAY)
    assert act(registry_in(elsewhere, later)) == act(registry_in(home, later)) == act(registry_in(laptop, later))
    assert sorted(old.kind for old in sweep(elsewhere, later)) == sorted(old.kind for old in sweep(laptop, later))


def sweep(stores: RegistryStores, clock: Clock) -> list[Any]:
    return Sweep(stores.metadata, stores.artifacts, now=clock.pass_(days=100), actor="sweep").run()


def test_a_registry_that_is_not_empty_is_left_alone(
    laptop: RegistryStores, elsewhere: RegistryStores, tmp_path: Path
) -> None:
    apply(registry_in(laptop))
    export_registry(laptop, tmp_path / "export.zip")
    apply(registry_in(elsewhere), "other")
    with pytest.raises(Conflict, match="is not empty"):
        import_registry(elsewhere, tmp_path / "export.zip")
    assert [model.name for model in registry_in(elsewhere).models().items] == ["other"]
    with pytest.raises(Conflict, match="there already"):
        export_registry(laptop, tmp_path / "export.zip")


def test_an_empty_registry_moves_too(laptop: RegistryStores, elsewhere: RegistryStores, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no registry"):
        export_registry(laptop, tmp_path / "export.zip")
    registry_in(laptop).models()
    export_registry(laptop, tmp_path / "export.zip")
    import_registry(elsewhere, tmp_path / "export.zip")
    assert registry_in(elsewhere).models().items == ()


@pytest.mark.parametrize("what", ["a file", "the records", "the manifest", "the form", "half", "no zip", "nothing"])
def test_a_damaged_export_is_not_imported(laptop: RegistryStores, tmp_path: Path, what: str) -> None:
    live_through(laptop, tmp_path)
    good, bad = tmp_path / "good.zip", tmp_path / "bad.zip"
    export_registry(laptop, good)
    content = good.read_bytes()
    if what in ("half", "no zip"):
        bad.write_bytes(content[: len(content) // 2] if what == "half" else b"no zip")
    elif what != "nothing":
        with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w") as target:
            for member in source.infolist():
                target.writestr(member.filename, damaged(what, member.filename, source.read(member)))
    empty = on_disk(tmp_path / "empty")
    with pytest.raises((IntegrityError, InvalidData, UsageError)):
        import_registry(empty, bad)
    assert registry_in(empty).models().items == ()
    import_registry(empty, good)
    assert [model.name for model in registry_in(empty).models().items] == ["gh", "gone", "ke"]


def damaged(what: str, name: str, content: bytes) -> bytes:
    if what == "a file" and name.endswith("model.json"):
        return content.replace(b"0.25", b"0.75")
    if what == "the records" and name == RECORDS:
        return content.replace(b"credit-ke", b"credit-gh")
    if what == "the manifest" and name == MANIFEST:
        return b"{}"
    if what == "the form" and name == MANIFEST:
        return json.dumps({**json.loads(content), "format": 2}).encode()
    return content


def test_a_damaged_registry_is_not_exported(laptop: RegistryStores, tmp_path: Path) -> None:
    registry = live_through(laptop, tmp_path)
    stored = tmp_path / "laptop" / "artifacts" / registry.version("ke", 1).location / "model.json"
    stored.chmod(0o600)
    stored.write_bytes(b"{}")
    with pytest.raises(IntegrityError, match="was recorded"):
        export_registry(laptop, tmp_path / "export.zip")
    stored.unlink()
    with pytest.raises(IntegrityError, match="is missing"):
        export_registry(laptop, tmp_path / "export.zip")
    assert not (tmp_path / "export.zip").exists()


def test_a_damaged_bundle_is_found_and_not_exported(laptop: RegistryStores, tmp_path: Path) -> None:
    live_through(laptop, tmp_path)
    key = f"bundles/{bundle_digest(BUNDLE)}.zip"
    flip_byte(tmp_path / "laptop" / "artifacts" / key)
    (found,) = damages(laptop.metadata, laptop.artifacts)
    assert found.startswith(f"`{key}` is damaged")
    with pytest.raises(IntegrityError, match="is damaged"):
        export_registry(laptop, tmp_path / "export.zip")


IMPORTER = """
# Forks an import for each number read: it dies, as if by kill -9, at its Nth step.
import os, sqlite3, sys
from pathlib import Path
import modelyard.files
import modelyard.s3
from modelyard.registry.dynamodb.table import Table
from modelyard.registry.export import import_registry
from modelyard.registry.s3 import S3Artifacts
from modelyard.registry.stores import RegistryStores
from tests.registry.places import Place

folder, table, bucket, source = Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4])
steps = when = 0

def stepping(function):
    def both(*arguments, **options):
        global steps
        steps += 1
        if steps == when:
            os._exit(137)
        return function(*arguments, **options)
    return both

Table.put_many = stepping(Table.put_many)
modelyard.s3.Bucket.put = stepping(modelyard.s3.Bucket.put)
os.replace = stepping(os.replace)
for line in sys.stdin:
    when = int(line)
    child = os.fork()
    if child == 0:
        place = Place(folder, table)
        artifacts = S3Artifacts(bucket, "registry") if bucket else place.artifacts()
        import_registry(RegistryStores("there", place.metadata(), artifacts), source)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("where", ["disk", pytest.param("company", marks=pytest.mark.server)])
def test_an_import_that_died_goes_on(
    laptop: RegistryStores,
    tmp_path: Path,
    where: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = state(live_through(laptop, tmp_path))
    export_registry(laptop, tmp_path / "export.zip")
    table, buckets = "", iter([""])
    if where == "company":
        table, buckets = request.getfixturevalue("table"), new_bucket(monkeypatch)
    for bucket in buckets:
        place = Place(tmp_path / "there", table)
        command = [sys.executable, "-c", IMPORTER, str(place.home), table, bucket, str(tmp_path / "export.zip")]
        root = Path(__file__).parents[2]
        step, code = 0, 137
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root, env=os.environ.copy()
        ) as importer:
            assert importer.stdin
            assert importer.stdout
            while code == 137:
                step += 1
                importer.stdin.write(f"{step}\n")
                importer.stdin.flush()
                code = int(importer.stdout.readline())
                if code == 137:
                    with closing(place.metadata()) as half:
                        assert_not_seen(half)
        assert code == 0
        assert step > 3
        artifacts = S3Artifacts(bucket, "registry") if bucket else place.artifacts()
        with closing(RegistryStores("there", place.metadata(), artifacts)) as whole:
            assert state(registry_in(whole)) == before


def assert_not_seen(half: Any) -> None:
    try:
        assert half.models(page=None, limit=1).items == ()
    except UsageError as error:
        assert "half of an import" in error.reason  # noqa: PT017 - one of two answers that are right


@pytest.mark.server
def test_half_of_an_import_is_no_registry_and_takes_no_other_import(
    laptop: RegistryStores, tmp_path: Path, table: str
) -> None:
    apply(registry_in(laptop))
    export_registry(laptop, tmp_path / "export.zip")
    there = Place(tmp_path / "there", table)
    half = there.metadata()
    with pytest.raises(ZeroDivisionError):
        half.load((entry("dependency", "a", 1 // 0) for _ in range(1)), mark="another one")
    for use in (
        lambda: import_registry(RegistryStores("", there.metadata(), there.artifacts()), tmp_path / "export.zip"),
        lambda: there.metadata().ping(),
        lambda: registry_in(RegistryStores("", there.metadata(), there.artifacts())).models(),
    ):
        with pytest.raises(UsageError, match="half of an import"):
            use()
