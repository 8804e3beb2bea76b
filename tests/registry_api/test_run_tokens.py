"""A training process with the token of its run: all that it needs works, and ends with the run."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from modelyard.asgi.auth.authenticator import Authenticator
from modelyard.errors import Forbidden, InvalidData, NotFound, Unauthenticated, Unavailable
from modelyard.jobs.build import build_in_pod
from modelyard.registry.credential import Credential
from modelyard.registry.http import HttpRegistry
from modelyard.registry.records import RunProgress, RunState
from modelyard.registry.transfer import register_version
from modelyard.run_tokens import mint
from modelyard.settings import read_settings
from registry_api.access import find_run
from tests.principals import KEY, OTHER, write_auth_file
from tests.registries import NOON, open_registry, serving
from tests.registry.making import BODY, apply, begin, claim_of, claim_of_run, feature_set, register, run_of, write_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from modelyard.registry.local import LocalRegistry

RUNS = (run_of(), run_of(attempt=2), run_of("fr"))
RUN, SIBLING, STRANGE = (run.id for run in RUNS)


@pytest.fixture
def local(tmp_path: Path) -> LocalRegistry:
    """Two models of two teams, each with a live version, and runs at their first try."""
    registry = open_registry(tmp_path / "home", actor="amina")
    for name, team in (("ke", "credit-ke"), ("fr", OTHER)):
        apply(registry, name, owner=team)
        register(registry, tmp_path, "before", name)
        registry.rollback(name, to=1)
    for run in RUNS:
        begin(registry, run)
    return registry


@pytest.fixture
def pod(local: LocalRegistry, tmp_path: Path) -> Iterator[HttpRegistry]:
    """The registry as the run's process sees it."""
    file = write_auth_file(tmp_path)
    authenticator = Authenticator(file, run_key_file=str(file.with_name("run-key")), find_run=find_run(local))
    with serving(local, authenticator=authenticator) as running:
        registry = HttpRegistry(running.url, deadline=1, credential=Credential(mint(RUN, 1, KEY)))
        yield registry
        registry.close()


def test_a_run_does_its_work(pod: HttpRegistry, local: LocalRegistry, tmp_path: Path) -> None:
    assert pod.run(RUN).id == RUN
    pod.report_progress(RunProgress(run=RUN, tries=1, part=0.5, doing="fitting"))
    pod.write_run_log(RUN, io.BytesIO(b"fitting\n"))
    live = pod.live("ke", local.promotions("ke")[0].live_from)
    assert live is not None
    assert b"".join(pod.read_artifact("ke", live.number, "model.json")) == BODY
    claim = claim_of_run(RUNS[0])
    version = register_version(pod, claim, write_files(tmp_path / "made"))
    assert (version.created_by, version.authors) == (f"run:{RUN}", ("amina",))
    assert pod.find_version("ke", claim.request) == version
    assert local.latest("ke") == version
    progress = local.run_progress(RUN)
    assert progress is not None
    assert progress.doing == "fitting"


def test_a_run_builds_its_training_set(pod: HttpRegistry, local: LocalRegistry, tmp_path: Path) -> None:
    local.register_feature_set(feature_set(), project="lender", lineage={})
    assert pod.feature_set("history") == pod.feature_set("history", 1) == local.feature_set("history", 1)
    settings = replace(read_settings(tmp_path, {}), run=RUN)
    with pytest.raises(InvalidData, match=r"no file data/loans\.csv"):
        build_in_pod(settings, pod)  # what it is to build is read, and its sources are not here
    local.update_run(local.run(RUN).model_copy(update={"state": RunState.CANCELLED}))
    with pytest.raises(Unavailable, match=f"run `{RUN}` has ended"):
        build_in_pod(settings, pod)


REFUSED: dict[str, tuple[type[Exception], Callable[[HttpRegistry], object]]] = {
    "promoting": (Forbidden, lambda pod: pod.promote("ke", 1)),
    "rolling back": (Forbidden, lambda pod: pod.rollback("ke")),
    "approving": (Forbidden, lambda pod: pod.approve("ke", 1)),
    "archiving a version": (Forbidden, lambda pod: pod.archive_version("ke", 1)),
    "archiving a model": (Forbidden, lambda pod: pod.archive_model("ke")),
    "applying": (Forbidden, apply),
    "queueing": (Forbidden, lambda pod: pod.queue_run(run_of(attempt=3))),
    "ending itself": (Forbidden, lambda pod: pod.update_run(run_of())),
    "cancelling itself": (Forbidden, lambda pod: pod.cancel_run(RUN)),
    "listing models": (Forbidden, lambda pod: pod.models()),
    "listing runs": (Forbidden, lambda pod: pod.runs()),
    "reading what happened": (Forbidden, lambda pod: pod.changes()),
    "listing feature sets": (Forbidden, lambda pod: pod.feature_sets()),
    "changing a feature set": (
        Forbidden,
        lambda pod: pod.register_feature_set(feature_set(), project="lender", lineage={}),
    ),
    "reading its model": (Forbidden, lambda pod: pod.model("ke")),
    "reading a run of its model": (NotFound, lambda pod: pod.run(SIBLING)),
    "reading another team's run": (NotFound, lambda pod: pod.run(STRANGE)),
    "speaking for another run": (NotFound, lambda pod: pod.report_progress(RunProgress(run=SIBLING, tries=1))),
    "writing another run's log": (NotFound, lambda pod: pod.write_run_log(SIBLING, io.BytesIO(b"x"))),
    "another team's version": (NotFound, lambda pod: pod.version("fr", 1)),
    "another team's file": (NotFound, lambda pod: b"".join(pod.read_artifact("fr", 1, "model.json"))),
    "what is live of another team": (NotFound, lambda pod: pod.live("fr", NOON)),
    "claiming for another run": (NotFound, lambda pod: pod.claim(claim_of().model_copy(update={"run": SIBLING}))),
    "claiming for no run": (NotFound, lambda pod: pod.claim(claim_of())),
    "claiming for another model": (NotFound, lambda pod: pod.claim(claim_of(model="fr"))),
    "completing what it did not claim": (NotFound, lambda pod: pod.complete("ke", 1)),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_run_does_nothing_else(pod: HttpRegistry, what: str) -> None:
    kind, attempt = REFUSED[what]
    with pytest.raises(kind):
        attempt(pod)


@pytest.mark.parametrize("change", [{"state": RunState.FAILED}, {"state": RunState.QUEUED}, {"tries": 2}])
def test_a_token_ends_with_its_try(pod: HttpRegistry, local: LocalRegistry, change: dict[str, object]) -> None:
    assert pod.run(RUN).tries == 1
    tried_again = change.get("state") is RunState.QUEUED
    local.update_run(local.run(RUN).model_copy(update=change))
    if tried_again:
        local.update_run(local.run(RUN).model_copy(update={"state": RunState.TRAINING, "tries": 2}))
    with pytest.raises(Unauthenticated, match="has ended"):
        pod.run(RUN)
