"""Retention: what goes, what stays, and that a dry run touches nothing."""

from __future__ import annotations

import io
import os
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from modelyard.config.bundles import bundle_digest, pack
from modelyard.errors import NotFound
from modelyard.registry.integrity import kept_documents
from modelyard.registry.metadata import Stale
from modelyard.registry.records import RunState, VersionState
from modelyard.registry.sweep import Retention, Sweep
from modelyard.registry.transfer import register_version
from tests.registries import NOON
from tests.registry.making import (
    apply,
    begin,
    claim_of,
    claim_of_run,
    definition,
    register,
    run_of,
    spec_of,
    write_files,
)
from tests.registry.places import Place

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry
    from modelyard.registry.metadata import MetadataStore
    from modelyard.registry.sweep import Removal
    from tests.registries import Clock

LONG = timedelta(days=100)


def sweep(place: Place, now: datetime, *, dry_run: bool = False) -> list[Removal]:
    with closing(place.metadata()) as metadata:
        return Sweep(metadata, place.artifacts(), now=now, actor="sweep", dry_run=dry_run).run()


def state(place: Place) -> dict[str, int]:
    """Every file, and the database's records as they are."""
    return {str(path): path.stat().st_size for path in (place.home / "artifacts").rglob("*") if path.is_file()}


def age(place: Place, to: datetime) -> None:
    """Make every file as old as the test's clock has it."""
    for path in (place.home / "artifacts").rglob("*"):
        os.utime(path, (to.timestamp(), to.timestamp()))


def test_where_nothing_is_old_nothing_goes(local: LocalRegistry, place: Place, tmp_path: Path, clock: Clock) -> None:
    apply(local)
    register(local, tmp_path)
    local.claim(claim_of("pending"))
    local.archive_version("ke", 1)
    local.queue_run(run_of())
    local.cancel_run(run_of().id)
    assert sweep(place, clock.now) == []
    assert sweep(Place(place.home / "nowhere"), clock.now) == []


def test_an_old_claim_goes_with_its_files(local: LocalRegistry, place: Place, tmp_path: Path, clock: Clock) -> None:
    apply(local)
    claimed = local.claim(claim_of("one"))
    with local.receiving("ke", 1, "model.json", claimed.version.location.rpartition("-")[2]) as writer:
        writer.write(write_files(tmp_path).joinpath("model.json").read_bytes())
    later = clock.pass_(days=1, seconds=1)
    before = state(place)
    would = sweep(place, later, dry_run=True)
    assert state(place) == before
    assert [(removal.kind, removal.size) for removal in would] == [("claim", 25)]
    assert sweep(place, later) == would
    assert state(place) == {}
    with pytest.raises(NotFound, match="claim it again"):
        local.complete("ke", 1)
    assert local.claim(claim_of("one")).version.number == 2
    assert sweep(place, clock.now) == []


def test_the_files_of_an_old_archived_version_go_and_its_record_stays(
    local: LocalRegistry, place: Place, tmp_path: Path, clock: Clock
) -> None:
    apply(local)
    for number in range(3):
        register(local, tmp_path, f"key {number}")
    local.archive_version("ke", 2)
    clock.pass_(days=89)
    assert sweep(place, clock.now) == []
    clock.pass_(days=2)
    assert [removal.name for removal in sweep(place, clock.now)] == ["version 2 of ke, archived"]
    deleted = local.version("ke", 2)
    assert deleted.state is VersionState.DELETED
    assert [version.number for version in local.versions("ke").items] == [3, 2, 1]
    with pytest.raises(NotFound, match="retention"):
        local.read_artifact("ke", 2, "model.json")
    with pytest.raises(NotFound, match="retention"):
        local.download_artifact("ke", 2, "model.json", tmp_path / "x")
    assert local.claim(claim_of("key 1")).version == deleted
    assert local.archive_version("ke", 2) == deleted
    assert local.history("model:ke").items[0].type == "version.deleted"
    assert sweep(place, clock.now) == []


def test_live_planned_previous_and_latest_stay(
    local: LocalRegistry, place: Place, tmp_path: Path, clock: Clock
) -> None:
    apply(local)
    for number in range(6):
        register(local, tmp_path, f"key {number}")
    for number in (1, 2, 3):
        local.promote("ke", number, live_from=clock.now)
        clock.pass_(days=1)
    for number in (1, 2, 5):
        local.archive_version("ke", number)
    local.promote("ke", 4, live_from=clock.now + 2 * LONG)
    clock.pass_(days=100)
    removed = [removal.name for removal in sweep(place, clock.now)]
    assert removed == ["version 1 of ke, archived", "version 5 of ke, archived"]
    states = {version.number: version.state for version in local.versions("ke").items}
    assert states[2] is VersionState.ARCHIVED, "a rollback leads there"
    assert states[3] is states[4] is states[6] is VersionState.READY
    assert local.rollback("ke").version == 2


def test_a_version_that_came_back_meanwhile_stays(
    local: LocalRegistry, place: Place, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(local)
    register(local, tmp_path)
    local.archive_version("ke", 1)
    clock.pass_(days=100)
    store = type(local._metadata)
    real = store.retire_version

    def retire(self: MetadataStore, *arguments: object, **options: object) -> None:
        local.promote("ke", 1)  # just before the sweep's own write
        real(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "retire_version", retire)
    assert sweep(place, clock.now) == []
    assert local.version("ke", 1).state is VersionState.READY
    assert b"".join(local.read_artifact("ke", 1, "model.json"))


def test_an_old_run_goes_with_its_log(local: LocalRegistry, place: Place, tmp_path: Path, clock: Clock) -> None:
    apply(local)
    failed, made, open_ = (begin(local, run_of(attempt=number)).id for number in (1, 2, 3))
    register_version(local, claim_of_run(local.run(made)), write_files(tmp_path))
    for run_id in (failed, made, open_):
        local.write_run_log(run_id, io.BytesIO(b"log"))
    local.update_run(local.run(failed).model_copy(update={"state": RunState.FAILED}))
    local.update_run(local.run(made).model_copy(update={"state": RunState.SUCCEEDED, "version": 1}))
    clock.pass_(days=91)
    assert [(removal.name, removal.size) for removal in sweep(place, clock.now)] == [(f"run {failed}, failed", 3)]
    assert [run.id for run in local.runs().items] == [open_, made]
    assert b"".join(local.read_run_log(made)) == b"log"
    assert {path.parent.name for path in (place.home / "artifacts" / "runs").rglob("log")} == {made, open_}


@pytest.mark.parametrize("state", [RunState.CANCELLED, RunState.FAILED])
def test_a_run_stays_while_its_version_does_however_it_ended(
    local: LocalRegistry, place: Place, tmp_path: Path, clock: Clock, state: RunState
) -> None:
    apply(local)
    run = begin(local, run_of())
    register_version(local, claim_of_run(run), write_files(tmp_path / "made"))
    register(local, tmp_path)
    local.update_run(run.model_copy(update={"state": state}))
    clock.pass_(days=91)
    assert sweep(place, clock.now) == []
    local.archive_version("ke", 1)
    clock.pass_(days=91)
    names = ["version 1 of ke, archived", f"run {run.id}, {state.lower()}"]
    assert [removal.name for removal in sweep(place, clock.now)] == names


def test_files_that_nothing_refers_to_go_when_they_are_old(
    local: LocalRegistry, place: Place, tmp_path: Path, clock: Clock
) -> None:
    apply(local)
    version = register(local, tmp_path)
    local.queue_run(run_of())
    local.write_run_log(run_of().id, io.BytesIO(b"log"))
    large = definition("large")
    large["sources"]["loans"]["columns"].update({f"column_{'x' * 80}_{number}": "double" for number in range(1000)})
    local.apply_model(large, project="lender", expected_revision=0)
    kept = set(state(place))
    artifacts = place.home / "artifacts"
    strays = {
        f"{version.location}/.abc.part": b"torn",
        f"{version.location}/other.json": b"never claimed",
        f"models/credit-ke/ke/1-{'0' * 32}/model.json": b"another try of version 1",
        f"models/credit-ke/ke/99-{'0' * 32}/model.json": b"a version that never was",
        "models/lost.json": b"?",
        f"runs/{run_of(attempt=2).id}/log": b"a run that never was",
        f"runs/{run_of().id}/.x.part": b"torn",
        f"documents/{'0' * 64}": b"nobody points here",
    }
    write_files(artifacts, strays)
    assert sweep(place, clock.now) == [], "they may be on their way"
    age(place, clock.now)
    later = clock.pass_(days=2)
    would = sweep(place, later, dry_run=True)
    assert {removal.name: removal.size for removal in would} == {key: len(body) for key, body in strays.items()}
    assert sweep(place, later) == would
    assert set(state(place)) == kept
    assert local.model("large").definition == large


def test_a_document_that_is_named_again_while_it_is_swept_stays(
    local: LocalRegistry, place: Place, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = definition()
    large["sources"]["loans"]["columns"].update({f"column_{'x' * 80}_{number}": "double" for number in range(1000)})
    local.apply_model(large, project="lender", expected_revision=0)
    apply(local)
    age(place, clock.now)

    def named_again(metadata: MetadataStore) -> set[str]:
        named = kept_documents(metadata)
        local.apply_model(large, project="lender", expected_revision=2)
        return named

    monkeypatch.setattr("modelyard.registry.sweep.kept_documents", named_again)
    assert sweep(place, clock.pass_(days=2)) == []
    assert local.model("ke").definition == large


def test_documents_of_older_versions_stay(local: LocalRegistry, place: Place, clock: Clock) -> None:
    from tests.registry.making import feature_set

    for window in ("7d", "30d"):
        wide = feature_set(window=window)
        columns = {f"column_{'x' * 80}_{number}": "double" for number in range(1000)}
        wide["sources"]["transactions"]["columns"].update(columns)
        local.register_feature_set(wide, project="lender", lineage={})
    local.archive_feature_set("history")
    age(place, clock.now)
    assert sweep(place, clock.pass_(days=200)) == []
    assert len(local.feature_set("history", 1).definition["sources"]["transactions"]["columns"]) > 1000


def test_retention_can_be_set(local: LocalRegistry, place: Place, clock: Clock) -> None:
    apply(local)
    local.claim(claim_of())
    metadata, artifacts = place.metadata(), place.artifacts()
    now = clock.pass_(minutes=2)
    short = Retention(claims=timedelta(minutes=1))
    assert [one.kind for one in Sweep(metadata, artifacts, now=now, actor="x", retention=short).run()] == ["claim"]
    with pytest.raises(Stale):
        metadata.drop_claim(local.claim(claim_of()).version.model_copy(update={"number": 9}))
    metadata.close()


def test_a_sweep_that_died_is_finished_by_the_next(local: LocalRegistry, place: Place, tmp_path: Path) -> None:
    apply(local)
    register(local, tmp_path)
    local.archive_version("ke", 1)
    metadata = place.metadata()
    deleted = local.version("ke", 1).model_copy(update={"state": VersionState.DELETED})
    metadata.retire_version(deleted, expected=VersionState.ARCHIVED, promotions=0, happenings=[])
    metadata.close()
    age(place, NOON)
    assert [removal.kind for removal in sweep(place, NOON + timedelta(days=2))] == ["file"]
    assert state(place) == {}
    assert place.registry().version("ke", 1).state is VersionState.DELETED


def test_bundles_stay_while_a_model_or_a_run_names_them(
    local: LocalRegistry, place: Place, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelyard.registry.documents.LARGEST_INLINE", 10)  # definitions lie in documents
    bundles = [{"own.py": f"NUMBER = {number}\n".encode()} for number in range(3)]
    digests = [bundle_digest(files) for files in bundles]
    for digest, files in zip(digests, bundles, strict=True):
        local.keep_bundle(digest, pack(files))
    was, now = ({**definition(), "bundles": {"./own": digest}} for digest in digests[:2])
    local.apply_model(was, project="lender", expected_revision=0, run=run_of(spec=spec_of(was)))
    local.apply_model(now, project="lender", expected_revision=1)
    later = clock.pass_(days=2)
    age(place, later - timedelta(days=2))
    gone = [removal.name for removal in sweep(place, later) if removal.name.startswith("bundles/")]
    assert gone == [f"bundles/{digests[2]}.zip"]
    assert local.read_bundle(digests[0]) == pack(bundles[0])
    assert local.read_bundle(digests[1]) == pack(bundles[1])
    with pytest.raises(NotFound):
        local.read_bundle(digests[2])
