"""What is live: promotion, rollback, and the answer for a date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.canonical import digest
from modelyard.errors import Conflict, NotFound
from modelyard.local_days import next_day_start
from modelyard.registry.approval import check_approved
from modelyard.registry.checks import check_instant, check_kept_instant, check_key, check_name, check_number, check_text
from modelyard.registry.live import check_start, previous_version, superseded
from modelyard.registry.metadata import KeyRecord, Stale
from modelyard.registry.records import Promotion, PromotionKind, VersionState
from modelyard.registry.rules.base import Rules

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from modelyard.registry.records import ModelRecord, ModelVersion


class PromotionRules(Rules):
    """The calls about what is live."""

    def promote(
        self, model: str, number: int, *, live_from: datetime | None = None, reason: str = "", key: str | None = None
    ) -> Promotion:
        check_text(reason, "the reason")
        said = None if live_from is None else check_kept_instant(live_from, "`live_from`")
        asked: list[object] = [PromotionKind.PROMOTE, number, said and said.isoformat(), reason]
        if answer := self._answered(model, key, asked):
            return answer
        record = self._usable_model(model)
        now = self._clock()
        start = next_day_start(now, record.timezone) if said is None else check_start(said, now)
        return self._record(record, self._fact(record, PromotionKind.PROMOTE, number, start, reason), key, asked)

    def rollback(self, model: str, *, to: int | None = None, reason: str = "", key: str | None = None) -> Promotion:
        check_text(reason, "the reason")
        asked: list[object] = [PromotionKind.ROLLBACK, to, reason]
        if answer := self._answered(model, key, asked):
            return answer
        record = self._usable_model(model)
        now = self._clock()
        number = to
        if number is None:
            number = previous_version(self._metadata.effective_promotions(model, until=now))
        if number is None:
            msg = f"nothing was live of `{model}` before"
            raise Conflict(msg, "name the version to roll back to")
        return self._record(record, self._fact(record, PromotionKind.ROLLBACK, number, now, reason), key, asked)

    def _answered(self, model: str, key: str | None, asked: list[object]) -> Promotion | None:
        """The answer that was given to this key before."""
        known = None if key is None else self._metadata.promotion_key(check_name(model), check_key(key))
        if known is None:
            return None
        fact = Promotion.model_validate_json(known.answer)
        if known.fingerprint != digest(asked):
            msg = f"key `{key}` was used for another promotion of `{model}`, of version {fact.version}"
            raise Conflict(msg, "use a key of its own for each promotion")
        return fact

    def _fact(
        self, record: ModelRecord, kind: PromotionKind, number: int, live_from: datetime, reason: str
    ) -> Promotion:
        return Promotion(
            model=record.name,
            sequence=record.promotions + 1,
            kind=kind,
            version=number,
            live_from=live_from,
            recorded_at=self._clock(),
            recorded_by=self._actor,
            reason=reason,
        )

    def _record(self, record: ModelRecord, fact: Promotion, key: str | None, asked: list[object]) -> Promotion:
        planned = self._metadata.effective_promotions(record.name, since=fact.live_from)
        details = {"version": fact.version, "live_from": fact.live_from.isoformat(), "sequence": fact.sequence}
        kind = "model.promoted" if fact.kind is PromotionKind.PROMOTE else "model.rolled_back"
        version = self._promoted(record, fact)
        try:
            self._metadata.add_promotion(
                fact,
                supersedes=superseded(fact.kind, fact.live_from, planned),
                revives=_revived(version),
                key=None if key is None else KeyRecord(key, digest(asked), fact.model_dump_json()),
                happenings=[self._happening(f"model:{record.name}", kind, {**details, "reason": fact.reason})],
            )
        except Stale as stale:
            # Never decided anew by itself: whoever promotes has to see what the other one did. Unless it was the same
            # request, sent twice.
            if answer := self._answered(record.name, key, asked):
                return answer
            msg = f"another promotion of `{record.name}` came first ({stale.reason})"
            raise Conflict(msg, f"look at `modelyard models {record.name}`, then promote again") from stale
        return fact

    def _promoted(self, record: ModelRecord, fact: Promotion) -> ModelVersion:
        """The version that is to be live. An approval is never taken back, so what is found here stays so."""
        number = check_number(fact.version or 0, f"`{record.name}`")
        version = self._metadata.version(record.name, number)
        if version is None:
            msg = f"`{record.name}` has no version {number}"
            raise NotFound(msg, f"`modelyard models {record.name}` lists its versions")
        if version.state not in (VersionState.READY, VersionState.ARCHIVED):
            msg = f"version {number} of `{record.name}` is {version.state}"
            raise Conflict(msg, "only a version whose bytes are there can be live")
        check_approved(record, version)
        return version

    def live(self, model: str, at: datetime) -> ModelVersion | None:
        instant = check_instant(at, "the instant")
        facts = self._metadata.effective_promotions(check_name(model), until=instant, limit=1)
        if not facts:
            self._known_model(model)
            return None
        number = facts[0].version
        return None if number is None else self._metadata.version(model, number)

    def promotions(self, model: str) -> Sequence[Promotion]:
        facts = self._metadata.promotions(check_name(model))
        if not facts:
            self._known_model(model)
        return facts


def _revived(version: ModelVersion) -> ModelVersion | None:
    """A version as it is READY again, where it is ARCHIVED."""
    if version.state is VersionState.READY:
        return None
    return version.model_copy(update={"state": VersionState.READY, "archived_at": None})
