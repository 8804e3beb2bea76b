"""Runs: queued, changed under the condition of their sequence, cancelled; and their logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from modelyard.canonical import digest
from modelyard.config.definitions import ModelDefinition, kept_definition, readings
from modelyard.errors import Conflict, IntegrityError, InvalidData, NotFound
from modelyard.files import CHUNK
from modelyard.registry.approval import with_names
from modelyard.registry.artifacts import RUNS
from modelyard.registry.checks import (
    GREATEST_COUNT,
    GREATEST_EPOCH,
    check_count,
    check_digest,
    check_kept_instant,
    check_metrics,
    check_name,
    check_number,
    check_remarks,
    check_run_id,
    check_text,
)
from modelyard.registry.records import Page, Run, RunState
from modelyard.registry.rules.base import Rules, read_content, settled
from modelyard.registry.run_spec import RunSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelyard.registry.chains import Happening
    from modelyard.registry.records import ModelRecord, RunProgress

_FIXED = ("model", "project", "team", "request", "attempt", "spec", "created_at", "created_by", "authors")
"""What of a run never changes."""


class RunRules(Rules):
    """The calls about runs."""

    def queue_run(self, run: Run) -> Run:
        return settled(lambda: self._queue(run))

    def _queue(self, run: Run) -> Run:
        model = self._known_model(run.model)
        self._check_team(model.team, f"a run of `{model.name}`")
        existing = self._recorded(run)
        if existing is not None:
            return self._whole_run(existing)
        queued = self._new_run(run, self._usable_model(model.name), self._definition_of(model))
        self._metadata.add_run(queued, happenings=[self._queued(queued)])
        return self._whole_run(queued)

    def _recorded(self, run: Run) -> Run | None:
        """What is recorded of a run, if it is there already."""
        existing = self._metadata.run(check_run_id(run.id))
        if existing is not None and (existing.model, existing.request) != (run.model, run.request):
            msg = f"`{run.id}` is the run of another request"
            raise Conflict(msg, "ask for another attempt")
        return existing

    def _definition_of(self, model: ModelRecord) -> ModelDefinition:
        """A model's definition, as it was applied last."""
        return kept_definition(ModelDefinition, self._whole(model).definition, f"model `{model.name}`")

    def _new_run(self, run: Run, model: ModelRecord, applied: ModelDefinition) -> Run:
        """A run as it is recorded: of what was sent, what it asks for, and nothing of what may become of it.

        Args:
            run: The run as it was sent.
            model: Its model.
            applied: The model's definition.
        """
        check_count(run.attempt, "a run's attempt", 1, GREATEST_COUNT)
        spec = read_content(RunSpec, run.spec, f"the specification of run `{run.id}`")
        self._check_spec(run, spec, applied)
        return Run(
            id=run.id,
            model=model.name,
            project=model.project,
            team=model.team,
            request=run.request,
            attempt=run.attempt,
            spec=self._documents.shelve(run.spec),
            state=RunState.QUEUED,
            created_at=self._clock(),
            created_by=self._actor,
            authors=with_names(model.authors, [self._actor]),
        )

    def _check_spec(self, run: Run, spec: RunSpec, applied: ModelDefinition) -> None:
        """Make sure that a run is called what it asks for, and that it asks for what is recorded."""
        named = (spec.definition.name, spec.request, spec.run_id(run.attempt))
        if (run.model, run.request, run.id) != named:
            msg = f"run `{run.id}` asks for {spec.run_id(run.attempt)}: model, request and id follow from what it asks"
            raise InvalidData(msg, "use the registry's version of Modelyard")
        # What it makes may read from where the run says, long after that was applied.
        if _decisive(spec.definition) != _decisive(applied):
            msg = f"run `{run.id}` is of a definition of `{run.model}` that is not the one applied"
            raise Conflict(msg, "plan again, then apply")
        if spec.as_of > self._clock():
            # Equal requests share one training set: what is known by then would never be looked at.
            msg = f"run `{run.id}` is of what is known as of {spec.as_of.isoformat()}, which is still to come"
            raise InvalidData(msg, "ask for a day that has begun by the registry's clock")
        if sorted((pin.name, pin.digest) for pin in spec.feature_sets) != sorted(_sets(spec.definition).items()):
            # A version scores with the feature sets that it pins, and with no others.
            msg = f"run `{run.id}` does not pin each feature set of its definition, once and as it is defined there"
            raise InvalidData(msg, "use the registry's version of Modelyard")
        for pin in spec.feature_sets:
            check_number(pin.version, f"feature set `{check_name(pin.name, 'feature set')}`")
            known = self._metadata.feature_set(pin.name, pin.version)
            if known is None or known.digest != pin.digest:
                msg = f"run `{run.id}` names version {pin.version} of feature set `{pin.name}`, which is not there so"
                raise Conflict(msg, "plan again, then apply")

    def _queued(self, run: Run) -> Happening:
        details = {"model": run.model, "request": run.request, "attempt": run.attempt}
        return self._happening(f"run:{run.id}", "run.queued", details)

    def run(self, run_id: str) -> Run:
        return self._whole_run(self._known_run(run_id))

    def runs(self, *, model: str | None = None, page: str | None = None, limit: int = 100) -> Page[Run]:
        if model is None:
            return self._whole_runs(lambda most: self._metadata.runs(page=page, limit=most), limit)
        name = check_name(model)
        found = self._whole_runs(lambda most: self._metadata.model_runs(name, page=page, limit=most), limit)
        if not found.items:
            self._known_model(model)
        return found

    def open_runs(self, *, page: str | None = None, limit: int = 100) -> Page[Run]:
        return self._whole_runs(lambda most: self._metadata.open_runs(page=page, limit=most), limit)

    def _whole_runs(self, read: Callable[[int], Page[Run]], limit: int) -> Page[Run]:
        return self._whole_page(read, limit, self._whole_run, "spec")

    def _whole_run(self, run: Run) -> Run:
        """A run with its specification; where that is lost or damaged, with what points to it.

        The loop ends such a run in words, and goes on with the others.
        """
        try:
            return self._whole(run, "spec")
        except (IntegrityError, NotFound):
            return run

    def update_run(self, run: Run) -> Run:
        _check_run(run)
        current = self._known_run(run.id)
        spec = current.spec if run.spec == current.spec else self._documents.shelve(run.spec)
        changes: dict[str, object] = {"spec": spec, "sequence": run.sequence + 1}
        if run.state.terminal and run.finished_at is None:
            changes["finished_at"] = current.finished_at or self._clock()
        kept = run.model_copy(update=changes)
        if current == kept:
            return self._whole_run(current)  # the reply was lost, and this is the same again
        if changed := [name for name in _FIXED if getattr(current, name) != getattr(kept, name)]:
            msg = f"run `{run.id}`: {', '.join(changed)} never changes"
            raise InvalidData(msg)
        if current.sequence != run.sequence or current.state.terminal:
            msg = f"run `{run.id}` is {current.state} at sequence {current.sequence}, and {run.sequence} was expected"
            raise Conflict(msg, "read it again")
        if run.epoch < current.epoch:
            msg = f"run `{run.id}` belongs to a controller of epoch {current.epoch}, and this is one of {run.epoch}"
            raise Conflict(msg, "stop: another one leads")
        return self._replace(current, kept)

    def _replace(self, current: Run, changed: Run) -> Run:
        happenings = [self._moved(changed)] if changed.state is not current.state else []
        self._metadata.replace_run(changed, happenings=happenings)
        return self._whole_run(changed)

    def _moved(self, run: Run) -> Happening:
        details = {"model": run.model, "reason": run.reason, "version": run.version}
        said = {name: value for name, value in details.items() if value not in (None, "")}
        return self._happening(f"run:{run.id}", f"run.{run.state.lower()}", said)

    def cancel_run(self, run_id: str) -> Run:
        return settled(lambda: self._cancel(run_id))

    def _cancel(self, run_id: str) -> Run:
        current = self._known_run(run_id)
        if current.state.terminal or current.cancel_requested:
            return self._whole_run(current)
        changes: dict[str, object] = {"sequence": current.sequence + 1, "cancel_requested": True}
        if current.state is RunState.QUEUED:
            reason = "cancelled before it started"
            changes |= {"state": RunState.CANCELLED, "reason": reason, "finished_at": self._clock()}
        return self._replace(current, current.model_copy(update=changes))

    def report_progress(self, progress: RunProgress) -> RunProgress:
        _check_progress(progress)
        run = self._known_run(progress.run)
        if run.state.terminal or run.tries != progress.tries:
            msg = f"run `{run.id}` is {run.state} at try {run.tries}, and this is try {progress.tries}"
            raise Conflict(msg, "stop: nobody waits for it any more")
        kept = progress.model_copy(update={"at": self._clock()})
        self._metadata.put_run_progress(kept)
        return kept

    def run_progress(self, run_id: str) -> RunProgress | None:
        self._known_run(run_id)
        return self._metadata.run_progress(run_id)

    def write_run_log(self, run_id: str, log: BinaryIO) -> None:
        self._known_run(run_id)
        with self._artifacts.writing(_log_key(run_id)) as writer:
            while chunk := log.read(CHUNK):
                writer.write(chunk)

    def read_run_log(self, run_id: str) -> Iterator[bytes]:
        self._known_run(run_id)
        try:
            return self._artifacts.read(_log_key(run_id))
        except NotFound as error:
            msg = f"run `{run_id}` has no log yet"
            raise NotFound(msg) from error


def _decisive(definition: ModelDefinition) -> tuple[Any, ...]:
    """What of a definition decides what a run makes."""
    return digest(definition.training), definition.timezone, readings(definition.sources), _sets(definition)


def _sets(definition: ModelDefinition) -> dict[str, str]:
    """The digests of a definition's feature sets, by name."""
    return {name: one.digest for name, one in definition.feature_sets.items()}


def _log_key(run_id: str) -> str:
    return f"{RUNS}/{run_id}/log"


def _check_progress(progress: RunProgress) -> None:
    check_text(progress.doing, "what is being done")
    check_metrics(progress.metrics)
    if progress.outcome is not None:
        check_text(progress.outcome.reason, "the outcome's reason")
        if progress.outcome.version is not None:
            check_count(progress.outcome.version, "the outcome's version", 1)
        check_metrics(progress.outcome.metrics)


def _check_run(run: Run) -> None:
    check_run_id(run.id)
    check_name(run.model)
    check_digest(run.request, "the request")
    check_metrics(run.metrics)
    check_remarks(run.remarks)
    check_count(run.attempt, "attempt", 1, GREATEST_COUNT)
    check_count(run.tries, "tries", most=GREATEST_COUNT)
    check_count(run.epoch, "epoch", most=GREATEST_EPOCH)
    check_count(run.sequence, "sequence", 1)
    if run.version is not None:
        check_count(run.version, "version", 1)
    for what in ("project", "team", "created_by", "reason"):
        check_text(getattr(run, what), what)
    for what in ("created_at", "not_before", "started_at", "finished_at"):
        if getattr(run, what) is not None:
            check_kept_instant(getattr(run, what), what)
