"""The reconcile loop: what should run, as the registry says, and what does, as the launcher says, brought together.

A step reads both lists, and moves each open run by at most one state. It may die between any two calls: every
change of a run is written first, conditioned on what was read, and what follows from it (a job, a promotion, a log) has
a name or a key of its own, so that the next step does it again without doing it twice. Two loops at once are two
loops that lose some races.

What is wrong with one run, its data or its job ends that run, and no step: others' runs go on. A step ends early only
where nothing could be done for anybody, as the registry, a store or the launcher does not answer.
"""

from __future__ import annotations

import time
from math import ceil
from typing import TYPE_CHECKING

import structlog

from modelyard.errors import Conflict, IntegrityError, InvalidData, ModelyardError, NotFound, Unavailable
from modelyard.features.training_set import remarks_on
from modelyard.registry.checks import LONGEST_REMARK, MOST_REMARKS
from modelyard.registry.pages import every
from modelyard.registry.records import RunState
from modelyard.registry.run_spec import cores_of, read_run_spec
from modelyard.training.board import BUILD_CORES, Board, Limits, make_board
from modelyard.training.job import read_outcome
from modelyard.training.job_maker import JobMaker, check_reach
from modelyard.training.job_names import build_prefix, is_build, training_job
from modelyard.training.launchers.launcher import Job, JobState, NoRoom
from modelyard.training.logs import LogKeeper
from modelyard.training.moves import Moves
from modelyard.training.tasks import training_set

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from modelyard.datasets.store import DatasetStore, Manifest
    from modelyard.registry.records import Outcome, Run
    from modelyard.registry.registry import Registry
    from modelyard.registry.run_spec import RunSpec
    from modelyard.settings import Settings
    from modelyard.training.launchers.launcher import JobSpec, Launcher

INTERVAL = 0.1
"""Seconds between steps: what a run waits at most, and more than a step takes."""
PATIENCE = 60.0
"""Seconds for which a registry or a store may not answer before the loop gives up; runs go on without it."""
PAGE = 100
"""Open runs that are read at a time, at most."""
LOOKUPS = 100
"""Runs that are looked up one by one in a step, where others may have ended them."""
OWN_TROUBLE = (InvalidData, IntegrityError, NotFound)
"""What is wrong with one run or one job, for good, and says nothing of others."""

_log = structlog.get_logger()


class Reconciler:
    """Moves runs from QUEUED to their end.

    Args:
        registry: Where runs are recorded.
        launcher: Where their jobs run.
        datasets: Where training sets are.
        settings: What jobs need to know, and how many cores they may take together.
        moves: How runs are moved; with this machine's clock unless said.
        limits: How much goes on at the same time; as many cores of this machine as the settings say, unless said.

    Raises:
        UsageError: Jobs are processes of this machine, and would not reach the registry.
    """

    def __init__(
        self,
        registry: Registry,
        launcher: Launcher,
        datasets: DatasetStore,
        settings: Settings,
        *,
        moves: Moves | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._registry = registry
        self._launcher = launcher
        self._datasets = datasets
        self._limits = limits or Limits(settings.parallel)
        if not self._limits.in_pods:
            check_reach(settings)
        # Pods ask the registry for their task, and tell it their outcome.
        self._maker = JobMaker(settings, datasets, in_pods=self._limits.in_pods)
        self.logs = LogKeeper(registry, launcher)
        self._moves = moves or Moves(registry)
        self._cores: dict[str, float] = {}
        self.epoch = self._moves.epoch
        self.running: Mapping[str, str] = {}
        """The jobs that ran at the last step, and the run that asked for each of them, where the launcher knows."""

    def step(self) -> dict[str, Run]:
        """Move every open run that can move.

        Meets no more runs than it has to: once the cores are taken and every job's run was met, those that wait
        behind are left alone. So a run costs the same, however many are queued.

        Returns:
            The open runs that were met, by id, as they are after the step: some have ended.

        Raises:
            Unavailable: The registry or the datasets do not answer; nothing is lost.
        """
        board = make_board(self._launcher.list(), self._limits, self._cores_of)
        running = [job for job in board.jobs.values() if job.state is JobState.RUNNING and not job.ends]
        self.running = {job.name: job.run for job in running if job.run}
        seen: dict[str, Run] = {}
        met_all = True
        # As many as have jobs, as there is room for, and the one that finds none: usually no more are met.
        likely = min(PAGE, len(board.jobs) + ceil(max(0, board.limits.total - board.used)) + 1)
        for run in every(lambda page: self._registry.open_runs(page=page, limit=PAGE if page else likely)):
            if board.is_full and not board.unmet:
                met_all = False
                break
            board.unmet.discard(training_job(run))
            seen[run.id] = run if self._must_wait(run, board) else self._advance(run, board)
        for name in board.unneeded(met_all=met_all):
            self._discard(name)
        self.logs.forget(self.running)
        return seen

    def run_until_done(self, ids: Collection[str], tell: Callable[[Run], None] | None = None) -> dict[str, Run]:
        """Step until some runs have ended.

        Args:
            ids: The runs.
            tell: Told of each of them whenever it changed.

        Returns:
            The runs, ended.

        Raises:
            Unavailable: The registry or the datasets have not answered for a minute.
            NotFound: There is no such run.
        """
        ended: dict[str, Run] = {}
        known: dict[str, int] = {}
        answered = time.monotonic()
        while len(ended) < len(set(ids)):
            try:
                waiting = [run_id for run_id in ids if run_id not in ended]
                for run in self._look(waiting):
                    if tell is not None and known.get(run.id) != run.sequence:
                        tell(run)
                    known[run.id] = run.sequence
                    if run.state.terminal:
                        ended[run.id] = run
                answered = time.monotonic()
            except Unavailable:
                if time.monotonic() - answered > PATIENCE:
                    raise
            if len(ended) < len(set(ids)):
                time.sleep(INTERVAL)
        return ended

    def _look(self, waiting: Collection[str]) -> Iterator[Run]:
        """One step, and what became of some runs."""
        seen = self.step()
        yield from (seen[run_id] for run_id in waiting if run_id in seen)
        unseen = [run_id for run_id in waiting if run_id not in seen]
        yield from (self._registry.run(run_id) for run_id in unseen[:LOOKUPS])

    def _discard(self, name: str) -> None:
        """End and forget a job that no open run needs; one that can't be is tried again at the next step."""
        try:
            self._launcher.cancel(name)
            self._launcher.remove(name)
        except OWN_TROUBLE as error:
            _log.warning("reconcile.left", job=name, reason=error.reason)

    def _cores_of(self, run_id: str) -> float:
        if run_id not in self._cores:
            try:
                self._cores[run_id] = cores_of(self._registry.run(run_id).spec)
            except OWN_TROUBLE:
                return 1.0  # a job of another registry's run, or of a damaged one, takes cores, too
        return self._cores[run_id]

    def _must_wait(self, run: Run, board: Board) -> bool:
        """Whether a queued run stays as it is; found out without a look at what it asks for."""
        if run.state is not RunState.QUEUED or run.cancel_requested:
            return False
        return board.is_full_for(run.team) or (run.not_before is not None and self._moves.clock() < run.not_before)

    def _advance(self, run: Run, board: Board) -> Run:
        try:
            return self._moved(run, board)
        except (Conflict, NotFound):
            # Somebody else moved it, or swept it, since it was read, so which jobs it needs is not known here.
            board.needed.update(board.jobs)
            return run

    def _moved(self, run: Run, board: Board) -> Run:
        moves = {
            RunState.QUEUED: self._advance_queued,
            RunState.BUILDING: self._advance_building,
            RunState.TRAINING: self._advance_training,
        }
        try:
            return moves[run.state](run, read_run_spec(run), board)
        except OWN_TROUBLE as error:
            return self._moves.fail(run, str(error), permanent=True)
        except (ModelyardError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - what one run asks for must not stop the others
            _log.exception("a run broke the loop", run=run.id)
            reason = f"it broke the loop ({type(error).__name__}); the log of whoever runs it says where"
            return self._moves.fail(run, reason, permanent=True)

    def _advance_queued(self, run: Run, spec: RunSpec, board: Board) -> Run:
        if run.cancel_requested:
            return self._moves.end(run, RunState.CANCELLED, "cancelled before it started")
        tries = run.tries + 1
        built = training_set(self._datasets, spec)
        if built is not None:
            return self._train(run, spec, built, board, tries=tries)
        shared = board.building(spec)
        if shared is not None:
            board.needed.add(shared.name)
            return self._moves.enter(run, RunState.BUILDING, tries=tries)
        if not board.take(BUILD_CORES, run.team):
            return self._moves.wait(run, board.refusal(run.team))
        entered = self._moves.enter(run, RunState.BUILDING, tries=tries)
        return self._submit(self._maker.build(f"{build_prefix(spec)}{tries}", spec, entered), entered, board)

    def _advance_building(self, run: Run, spec: RunSpec, board: Board) -> Run:
        job = board.building(spec) or board.jobs.get(f"{build_prefix(spec)}{run.tries}")
        if job is not None:
            board.unmet.discard(job.name)
        if run.cancel_requested:
            return self._moves.end(run, RunState.CANCELLED, "cancelled while its training set was built")
        built = training_set(self._datasets, spec)
        if built is not None:
            board.release(job)
            return self._train(run, spec, built, board, tries=run.tries)
        if job is None:
            if not board.take(BUILD_CORES, run.team) or not self._is_current(run):
                return run
            return self._submit(self._maker.build(f"{build_prefix(spec)}{run.tries}", spec, run), run, board)
        if job.state is JobState.RUNNING:
            board.needed.add(job.name)
            return self._moves.say(run, job.reason)
        return self._failed(run, job, self._outcome(run, job))

    def _advance_training(self, run: Run, spec: RunSpec, board: Board) -> Run:
        job = board.jobs.get(training_job(run))
        if job is None:
            return self._resume(run, spec, board)
        if job.state is JobState.RUNNING:
            board.needed.add(job.name)
            if run.cancel_requested and not job.ends:
                self._launcher.cancel(job.name)
            return self._moves.say(run, job.reason)
        outcome = self._outcome(run, job)
        if outcome is None or not outcome.ok:
            return self._failed(run, job, outcome)
        self.logs.keep(run.id, job.name, last=True)
        return self._moves.succeed(run, spec, outcome)

    def _train(self, run: Run, spec: RunSpec, built: Manifest, board: Board, *, tries: int) -> Run:
        tried = run.model_copy(update={"tries": tries})
        job = self._maker.training(training_job(tried), run.id, spec, built, of=tried)
        if not board.take(cores_of(run.spec), run.team):
            return self._moves.wait(run, board.refusal(run.team))
        entered = self._moves.enter(_with_remarks(run, built), RunState.TRAINING, tries=tries)
        return self._submit(job, entered, board)

    def _resume(self, run: Run, spec: RunSpec, board: Board) -> Run:
        """Submit the job of a run that has none: whoever moved the run died before he submitted it."""
        if run.cancel_requested:
            return self._moves.end(run, RunState.CANCELLED, "cancelled")
        built = training_set(self._datasets, spec)
        if built is None:
            return self._moves.fail(run, "its training set is gone", permanent=False)
        if not board.take(cores_of(run.spec), run.team) or not self._is_current(run):
            return run
        return self._submit(self._maker.training(training_job(run), run.id, spec, built, of=run), run, board)

    def _is_current(self, run: Run) -> bool:
        """Whether a run is still as it was read: else its job may have ended, and gone, since jobs were listed."""
        return self._registry.run(run.id).sequence == run.sequence

    def _submit(self, job: JobSpec, run: Run, board: Board) -> Run:
        """Submit a run's job. If this process dies before it, the next step finds a run without a job."""
        board.needed.add(job.name)
        try:
            self._launcher.submit(job)
        except NoRoom as error:
            return self._moves.say(run, f"waits for {error.reason}")
        except InvalidData as error:
            return self._moves.fail(run, str(error), permanent=True)
        board.jobs.setdefault(job.name, Job(job.name, JobState.RUNNING, team=job.team, run=job.run))
        return run

    def _outcome(self, run: Run, job: Job) -> Outcome | None:
        """How a job ended, as it told the registry, else as it left it behind."""
        told = self._registry.run_progress(run.id) if self._maker.in_pods and not is_build(job.name) else None
        if told is not None and told.tries == run.tries and told.outcome is not None:
            return told.outcome
        return read_outcome(job.outcome)

    def _failed(self, run: Run, job: Job, outcome: Outcome | None) -> Run:
        self.logs.keep(run.id, job.name, last=True)
        if run.cancel_requested:
            return self._moves.end(run, RunState.CANCELLED, "cancelled")
        reason = (outcome.reason if outcome else job.reason) or "the job ended, and did not do its work"
        if job.lost and outcome is None:
            return self._moves.interrupt(run, reason)
        # What ended a build that another run asked for may lie in what that run says: this one tries by itself.
        others = is_build(job.name) and job.run not in ("", run.id)
        permanent = not others and (job.permanent or (outcome is not None and outcome.permanent))
        return self._moves.fail(run, reason, permanent=permanent, outcome=outcome)


def _with_remarks(run: Run, built: Manifest) -> Run:
    remarks = [remark[:LONGEST_REMARK] for remark in remarks_on(built)]
    if len(remarks) > MOST_REMARKS:
        kept = MOST_REMARKS - 1
        remarks[kept:] = [f"and {len(remarks) - kept} more"]
    return run.model_copy(update={"remarks": tuple(remarks)})
