"""What every registry promises of versions and their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from modelyard.errors import Conflict, IntegrityError, InvalidData, NotFound, RefusedContent
from modelyard.registry.records import Artifact, Estimate, FeatureSetPin, RunState, VersionState
from modelyard.registry.transfer import register_version, upload_artifacts
from tests.registry.making import (
    BODY,
    DIGEST,
    FILES,
    apply,
    artifact,
    begin,
    claim_of,
    claim_of_run,
    register,
    run_of,
    write_files,
)

if TYPE_CHECKING:
    from pathlib import Path

    from modelyard.registry.records import Claim
    from modelyard.registry.registry import Registry
    from tests.registries import Clock


@pytest.fixture(autouse=True)
def _model(registry: Registry) -> None:
    apply(registry)


def test_a_version_is_claimed_uploaded_and_completed(registry: Registry, tmp_path: Path, clock: Clock) -> None:
    claim = claim_of()
    claimed = registry.claim(claim)
    assert claimed.version.state is VersionState.PENDING
    assert [target.path for target in claimed.targets] == ["model.json"]
    upload_artifacts(claimed, write_files(tmp_path / "made"))
    version = registry.complete("ke", 1)
    assert version.state is VersionState.READY
    assert (version.number, version.team, version.created_by) == (1, "credit-ke", "amina")
    assert version.created_at == version.ready_at == clock.now
    assert {name: getattr(version, name) for name in type(claim).model_fields} == dict(claim)
    assert registry.version("ke", 1) == registry.latest("ke") == version


def test_a_pending_version_is_seen_by_nobody(registry: Registry) -> None:
    registry.claim(claim_of())
    with pytest.raises(NotFound):
        registry.version("ke", 1)
    with pytest.raises(NotFound):
        registry.latest("ke")
    with pytest.raises(NotFound):
        b"".join(registry.read_artifact("ke", 1, "model.json"))
    assert registry.versions("ke").items == ()
    assert registry.find_version("ke", claim_of().request) is None
    assert registry.model("ke").latest is None
    with pytest.raises(Conflict):
        registry.promote("ke", 1)


def test_the_same_key_gets_the_same_version(registry: Registry, tmp_path: Path) -> None:
    first = registry.claim(claim_of("one"))
    again = registry.claim(claim_of("one"))
    assert again.version == first.version
    assert [target.path for target in again.targets] == [target.path for target in first.targets]
    upload_artifacts(again, write_files(tmp_path))
    ready = registry.complete("ke", 1)
    done = registry.claim(claim_of("one"))
    assert (done.version, done.targets) == (ready, ())
    assert registry.complete("ke", 1) == ready
    assert registry.claim(claim_of("two")).version.number == 2


def test_a_key_is_not_used_for_two_claims(registry: Registry) -> None:
    registry.claim(claim_of("one"))
    with pytest.raises(Conflict, match="another claim"):
        registry.claim(claim_of("one", files={"model.json": b"{}"}))


@pytest.mark.parametrize("count", [-1, 0, 10**30])
def test_a_claim_s_numbers_are_checked(registry: Registry, count: int) -> None:
    claim = claim_of(sets=1)
    pin = claim.pins.feature_sets[0].model_copy(update={"version": count})
    pins = claim.pins.model_copy(update={"feature_sets": (pin,)})
    for changed in ({"attempt": count}, {"pins": pins}):
        with pytest.raises(InvalidData, match="is not within"):
            registry.claim(claim.model_copy(update=changed))


def test_a_run_claims_what_it_was_asked_for(registry: Registry) -> None:
    run = begin(registry, run_of())
    claim = claim_of_run(run)
    pin = FeatureSetPin(name="history", version=1, digest=DIGEST)
    for changed in (
        {"key": "another"},
        {"request": "b" * 64},
        {"attempt": 2},
        {"pins": claim.pins.model_copy(update={"config": "b" * 64})},
        {"pins": claim.pins.model_copy(update={"feature_sets": (pin,)})},
    ):
        with pytest.raises(InvalidData, match="something else"):
            registry.claim(claim.model_copy(update=changed))
    apply(registry, "gh")
    with pytest.raises(InvalidData, match="something else"):
        registry.claim(claim.model_copy(update={"model": "gh"}))
    with pytest.raises(NotFound, match="no run"):
        registry.claim(claim.model_copy(update={"run": "nobody"}))
    assert registry.claim(claim).version.run == run.id


@pytest.mark.parametrize("state", [state for state in RunState if state is not RunState.TRAINING])
def test_a_run_that_does_not_train_registers_nothing(registry: Registry, tmp_path: Path, state: RunState) -> None:
    run = begin(registry, run_of())
    claimed = registry.claim(claim_of_run(run))
    upload_artifacts(claimed, write_files(tmp_path / "made"))
    registry.update_run(run.model_copy(update={"state": state}))
    for ask in (lambda: registry.claim(claim_of_run(run)), lambda: registry.complete("ke", 1)):
        with pytest.raises(Conflict, match=f"is {state}"):
            ask()
    assert registry.versions("ke").items == ()


def test_a_key_belongs_to_its_model(registry: Registry) -> None:
    apply(registry, "gh")
    assert registry.claim(claim_of("one")).version.model == "ke"
    assert registry.claim(claim_of("one", model="gh")).version.model == "gh"


def test_a_missing_file_keeps_the_version_pending(registry: Registry, tmp_path: Path) -> None:
    claimed = registry.claim(claim_of(files={"model.json": BODY, "card.md": b"# Card"}))
    write_files(tmp_path, {"model.json": BODY})
    with pytest.raises(NotFound, match=r"card\.md"):
        upload_artifacts(claimed, tmp_path)
    with pytest.raises(IntegrityError, match="was not uploaded"):
        registry.complete("ke", 1)
    with pytest.raises(NotFound):
        registry.version("ke", 1)
    upload_artifacts(claimed, write_files(tmp_path, {"card.md": b"# Card"}))
    assert registry.complete("ke", 1).state is VersionState.READY


@pytest.mark.parametrize("sent", [BODY[:1], BODY[: len(BODY) // 2], BODY[:-1], BODY + b" ", BODY[:-1] + b"]"])
def test_a_torn_or_other_file_is_refused(registry: Registry, tmp_path: Path, sent: bytes) -> None:
    claimed = registry.claim(claim_of())
    made = write_files(tmp_path, {"model.json": sent})
    with pytest.raises(IntegrityError, match=r"model\.json"):
        _send_and_complete(registry, claimed, made)
    assert registry.versions("ke").items == ()
    upload_artifacts(claimed, write_files(tmp_path))
    assert registry.complete("ke", 1).state is VersionState.READY


def _send_and_complete(registry: Registry, claimed: Claim, folder: Path) -> None:
    # A service refuses the bytes as they come; a folder of this machine is looked at when the version is completed.
    upload_artifacts(claimed, folder)
    registry.complete(claimed.version.model, claimed.version.number)


def test_a_version_without_claim_cannot_be_completed(registry: Registry) -> None:
    with pytest.raises(NotFound, match="claim it again"):
        registry.complete("ke", 7)


def test_versions_come_newest_first_in_pages(registry: Registry, tmp_path: Path) -> None:
    made = [register(registry, tmp_path, f"key {number}") for number in range(5)]
    registry.claim(claim_of("pending"))
    page = registry.versions("ke", limit=2)
    assert [version.number for version in page.items] == [5, 4]
    following = registry.versions("ke", limit=2, page=page.next)
    last = registry.versions("ke", limit=2, page=following.next)
    assert [version.number for version in (*following.items, *last.items)] == [3, 2, 1]
    assert last.next is None
    assert registry.versions("ke").items == tuple(reversed(made))


def test_pages_have_bounds_and_tokens_are_checked(registry: Registry) -> None:
    for limit in (0, -1, 1001):
        with pytest.raises(InvalidData):
            registry.versions("ke", limit=limit)
    for token in ("x", "bm8", "!!!", "IngiIA", "W10", "a" * 2000, "MWU5OTk5"):
        with pytest.raises(InvalidData, match="token"):
            registry.versions("ke", page=token)


def test_a_version_is_found_by_its_request(registry: Registry, tmp_path: Path) -> None:
    register(registry, tmp_path, "one", request="b" * 64)
    newer = register(registry, tmp_path, "two", request="b" * 64)
    register(registry, tmp_path, "three", request="c" * 64)
    assert registry.find_version("ke", "b" * 64) == newer
    archived = registry.archive_version("ke", newer.number)
    assert registry.find_version("ke", "b" * 64) == archived
    assert registry.find_version("ke", "d" * 64) is None


def test_bytes_are_read_whole_and_in_part(registry: Registry, tmp_path: Path) -> None:
    register(registry, tmp_path)
    size = len(BODY)
    for start, end in ((0, None), (0, 1), (3, 9), (size - 1, size), (5, None), (size, None), (2, 2)):
        found = b"".join(registry.read_artifact("ke", 1, "model.json", start=start, end=end))
        assert found == BODY[start:end]
    for start, end in ((-1, None), (0, size + 1), (5, 4), (size + 1, None)):
        with pytest.raises(InvalidData, match="not within"):
            b"".join(registry.read_artifact("ke", 1, "model.json", start=start, end=end))
    with pytest.raises(NotFound, match=r"it has model\.json|no artifact"):
        b"".join(registry.read_artifact("ke", 1, "other.json"))


def test_a_download_is_whole_and_verified(registry: Registry, tmp_path: Path) -> None:
    version = register(registry, tmp_path)
    registry.download_artifact("ke", 1, "model.json", tmp_path / "got" / "model.json")
    assert (tmp_path / "got" / "model.json").read_bytes() == BODY
    stored = tmp_path / "home" / "artifacts" / version.location / "model.json"
    stored.chmod(0o600)
    stored.write_bytes(BODY.replace(b"5", b"6"))
    with pytest.raises(IntegrityError, match="other bytes than were recorded"):
        registry.download_artifact("ke", 1, "model.json", tmp_path / "got" / "again.json")
    assert [path.name for path in (tmp_path / "got").iterdir()] == ["model.json"]


def test_files_may_lie_in_folders(registry: Registry, tmp_path: Path) -> None:
    files = {"model.json": BODY, "golden/rows.json": b"[1]", "golden/more/rows.json": b"[2]", "empty.txt": b""}
    register_version(registry, claim_of(files=files), write_files(tmp_path / "folders", files))
    for path, content in files.items():
        assert b"".join(registry.read_artifact("ke", 1, path)) == content


@pytest.mark.parametrize(
    "path",
    [
        "../model.json", "/model.json", "a/../model.json", "a//model.json", "%2e%2e/model.json", "model.json#x",
        "model.json?x", ".model.json", "a/.b/model.json", "file:model.json", "a b.json", "a\\b.json", "a;rm.json", "",
        "x/" * 8 + "model.json", "é.json", "a\n.json", f"{'x' * 200}.json", "$(id).json",
    ],
)  # fmt: skip
def test_a_path_that_leads_elsewhere_is_refused(registry: Registry, path: str) -> None:
    with pytest.raises(InvalidData):
        registry.claim(claim_of(files={path: BODY}))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"size": -1}, "can't have"),
        ({"size": 10**30}, "can't have"),
        ({"sha256": "A" * 64}, "SHA-256"),
        ({"sha256": "../" * 21 + "a"}, "SHA-256"),
        ({"media_type": "text/html"}, "media type"),
        ({"media_type": "application/x-pickle"}, "media type"),
    ],
)
def test_what_is_claimed_of_a_file_is_checked(registry: Registry, changed: dict[str, object], why: str) -> None:
    claimed = claim_of().model_copy(update={"artifacts": (artifact("model.json", BODY).model_copy(update=changed),)})
    with pytest.raises(InvalidData, match=why):
        registry.claim(claimed)


@pytest.mark.parametrize("path", ["model.pkl", "model.joblib", "model.pt", "model", "model.PKL", "run.sh", "lib.so"])
def test_a_kind_of_file_that_is_not_stored_is_refused(registry: Registry, path: str) -> None:
    with pytest.raises(RefusedContent, match="not stored"):
        registry.claim(claim_of(files={path: BODY}))


def test_a_pickle_by_another_name_is_refused(registry: Registry, tmp_path: Path) -> None:
    pickled = b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00]\x94K\x01a."
    with pytest.raises(RefusedContent, match="refused"):
        register_version(
            registry, claim_of(files={"model.ubj": pickled}), write_files(tmp_path, {"model.ubj": pickled})
        )
    assert registry.versions("ke").items == ()


@pytest.mark.parametrize("paths", [("a.json", "A.json"), ("a.json", "a.json/b.json"), ("a.json", "a.json")])
def test_files_do_not_share_a_path(registry: Registry, paths: tuple[str, ...]) -> None:
    claim = claim_of().model_copy(update={"artifacts": tuple(artifact(path, BODY) for path in paths)})
    with pytest.raises(InvalidData, match="share"):
        registry.claim(claim)


def test_a_version_has_files_and_not_too_many(registry: Registry) -> None:
    for count in (0, 101):
        files = tuple(artifact(f"{number}.json", BODY) for number in range(count))
        with pytest.raises(InvalidData, match="1 to 100"):
            registry.claim(claim_of().model_copy(update={"artifacts": files}))


def test_a_claim_is_small(registry: Registry) -> None:
    with pytest.raises(InvalidData, match="are possible"):
        registry.claim(claim_of(sets=1000))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_metric_that_is_no_number_is_refused(registry: Registry, value: float) -> None:
    claim = claim_of().model_copy(update={"metrics": {"roc_auc": Estimate(value=0.5, low=value)}})
    with pytest.raises(InvalidData):
        registry.claim(claim)


@pytest.mark.parametrize("key", ["", "x" * 201, "a\nb", "\x00"])
def test_a_key_can_be_printed(registry: Registry, key: str) -> None:
    with pytest.raises(InvalidData, match="key"):
        registry.claim(claim_of(key))


@pytest.mark.parametrize("name", ["../ke", "Ke", "", "ke/x", "ke%2f", "k" * 64, "ke?x=1", "ke#", "file:ke", "k\u0435"])
def test_a_name_is_a_name(registry: Registry, name: str) -> None:
    for ask in (
        lambda: registry.claim(claim_of(model=name)),
        lambda: registry.version(name, 1),
        lambda: registry.versions(name),
        lambda: registry.model(name),
        lambda: registry.promotions(name),
        lambda: registry.runs(model=name),
    ):
        with pytest.raises(InvalidData, match="no model's name"):
            ask()


def test_what_is_not_there_is_not_found(registry: Registry) -> None:
    for ask in (
        lambda: registry.claim(claim_of(model="nobody")),
        lambda: registry.versions("nobody"),
        lambda: registry.latest("nobody"),
        lambda: registry.latest("ke"),
        lambda: registry.version("ke", 1),
        lambda: registry.version("ke", 0),
        lambda: registry.version("ke", -1),
        lambda: registry.version("ke", 10**30),
        lambda: registry.archive_version("ke", 3),
        lambda: registry.complete("ke", 10**30),
    ):
        with pytest.raises((NotFound, InvalidData)):
            ask()


def test_archiving_a_version_moves_latest_back(registry: Registry, tmp_path: Path, clock: Clock) -> None:
    for number in range(3):
        register(registry, tmp_path, f"key {number}")
    clock.pass_(hours=1)
    archived = registry.archive_version("ke", 3, reason="worse")
    assert (archived.state, archived.archived_at) == (VersionState.ARCHIVED, clock.now)
    assert registry.archive_version("ke", 3) == archived
    assert registry.latest("ke").number == registry.model("ke").latest == 2
    registry.archive_version("ke", 1)
    assert registry.latest("ke").number == 2
    registry.archive_version("ke", 2)
    with pytest.raises(NotFound, match="READY"):
        registry.latest("ke")
    assert b"".join(registry.read_artifact("ke", 3, "model.json")) == BODY
    assert register(registry, tmp_path, "new").number == 4


def test_an_archived_model_takes_no_versions(registry: Registry, tmp_path: Path) -> None:
    register(registry, tmp_path, "old")
    pending = registry.claim(claim_of("pending"))
    registry.archive_model("ke")
    with pytest.raises(Conflict, match="archived"):
        registry.claim(claim_of("new"))
    assert registry.claim(claim_of("old")).version.state is VersionState.READY
    upload_artifacts(pending, write_files(tmp_path))
    assert registry.complete("ke", 2).state is VersionState.READY


def test_a_larger_file_arrives_whole(registry: Registry, tmp_path: Path) -> None:
    large = b"[" + b"0.123456789, " * 400_000 + b"0]"
    version = register_version(
        registry, claim_of(files={"model.json": large}), write_files(tmp_path / "large", {"model.json": large})
    )
    assert version.artifacts == (
        Artifact(path="model.json", size=len(large), sha256=artifact("model.json", large).sha256),
    )
    assert b"".join(registry.read_artifact("ke", 1, "model.json")) == large
    assert FILES["model.json"] != large
