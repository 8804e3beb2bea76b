"""Approvals: somebody else than its makers says that a version may be live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.errors import Conflict, Forbidden, InvalidData, NotFound
from modelyard.registry.approval import is_one_of, makers, promote_made
from modelyard.registry.checks import check_text
from modelyard.registry.records import Approval, Promotion, VersionState
from modelyard.registry.rules.base import settled
from modelyard.registry.rules.promotions import PromotionRules
from modelyard.registry.rules.versions import VersionRules

if TYPE_CHECKING:
    from modelyard.registry.records import ModelRecord, ModelVersion


class ApprovalRules(PromotionRules, VersionRules):
    """The calls about approvals."""

    def approve(self, model: str, number: int, *, reason: str = "") -> Approval:
        check_text(reason, "the reason")
        version = settled(lambda: self._approve(model, number, reason))
        # A process that dies here leaves a version that is approved and not promoted. Approving again promotes it: the
        # promotion has the key under which the loop would ask for it, so that the two together make one.
        try:
            return Approval(version=version, promotion=self._promote_approved(version))
        except (Conflict, InvalidData, NotFound) as error:
            return Approval(version=version, remark=f"it is not promoted: {error.reason}")

    def _approve(self, model: str, number: int, reason: str) -> ModelVersion:
        version = self.version(model, number)
        if is_one_of(self._actor, makers(version) | self._askers(version)):
            msg = f"`{self._actor}` is among those who made version {number} of `{model}`"
            raise Forbidden(
                msg, "somebody has to approve it who neither registered it, nor asked for it, nor defined it"
            )
        if version.approved_at is not None:
            return version
        if version.state is VersionState.DELETED:
            msg = f"version {number} of `{model}` is {version.state}"
            raise Conflict(msg, "only a version whose bytes are there can be live")
        approved = version.model_copy(update={"approved_by": self._actor, "approved_at": self._clock()})
        told = self._happening(f"model:{model}", "version.approved", {"version": number, "reason": reason})
        self._metadata.approve_version(approved, expected=version.state, happenings=[told])
        return approved

    def _askers(self, version: ModelVersion) -> set[str]:
        """Who asked for a version's run, where the version itself was made before that was written on it."""
        run = None if version.run is None else self._metadata.run(version.run)
        return set() if run is None or run.model != version.model else {run.created_by, *run.authors}

    def _promote_approved(self, version: ModelVersion) -> Promotion | None:
        """Do what the loop left undone when the version was registered, where nothing has changed since."""
        record = self._whole(self._known_model(version.model))
        if version.run is None or record.definition["document"].get("promotion", "auto") != "auto":
            return None
        if known := self._metadata.promotion_key(version.model, version.run):
            return Promotion.model_validate_json(known.answer)
        _check_current(record, version)
        run = self._metadata.run(version.run)
        if run is not None and run.cancel_requested:
            msg = f"run `{run.id}` was cancelled while it registered"
            raise Conflict(msg)
        planned = self._metadata.effective_promotions(version.model, since=self._clock())
        newer = [fact.version for fact in planned if fact.version is not None and fact.version > version.number]
        live = self.live(version.model, self._clock())
        if newer or (live is not None and live.number > version.number):
            msg = f"version {newer[0] if newer else live and live.number}, which is newer, is live or will be"
            raise Conflict(msg)
        return promote_made(self.promote, version.model, version.number, version.run)


def _check_current(record: ModelRecord, version: ModelVersion) -> None:
    if version.state is not VersionState.READY:
        msg = f"it is {version.state}"
        raise Conflict(msg)
    if record.config != version.pins.config:
        msg = "the model's definition has changed since its run was queued"
        raise Conflict(msg)
