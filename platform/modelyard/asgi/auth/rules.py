"""What a route asks of its caller, and whether he meets it.

Each service has one table with a rule for each of its routes. A caller who may not know of a thing gets the answer that
he would get if it did not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from modelyard.asgi.auth.principal import Role
from modelyard.errors import Forbidden, ModelyardError, NotFound, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from modelyard.asgi.auth.principal import OwnRun, Principal

EVERY_ROLE = frozenset(Role)


class Whose(StrEnum):
    """What a route's path names, whose team decides; the value is the path's parameter."""

    NOBODY = ""
    """A list that shows what the caller may see, or a thing that all teams share."""
    MODEL = "model"
    FEATURE_SET = "name"
    RUN = "run_id"
    SUBJECT = "subject"


class RunMay(StrEnum):
    """What the token of a run is good for at a route."""

    NOTHING = "nothing"
    OWN_RUN = "own run"
    OWN_MODEL = "own model"
    """Its run's model; rules of the registry see to it that no version of another run is touched."""
    OWN_BUNDLE = "own bundle"
    SHARED = "shared"
    """What all teams share: the definitions of feature sets."""


@dataclass(frozen=True)
class Rule:
    """Who may call a route."""

    roles: frozenset[Role] = frozenset()
    """Any of these; everybody, known or not, where the rule is open."""
    whose: Whose = Whose.NOBODY
    run: RunMay = RunMay.NOTHING
    makes: bool = False
    """Whether the thing may not be there yet."""
    open: bool = False

    @property
    def changes(self) -> bool:
        """Whether the thing has to be of one of the caller's own teams."""
        return self.roles != EVERY_ROLE


OPEN = Rule(open=True)
"""For machines that ask how the service is, and can't prove who they are."""


def readers(whose: Whose = Whose.NOBODY, run: RunMay = RunMay.NOTHING) -> Rule:
    """Every role, for what it may see."""
    return Rule(EVERY_ROLE, whose, run)


def authors(whose: Whose = Whose.NOBODY, run: RunMay = RunMay.NOTHING, *, makes: bool = False) -> Rule:
    """Authors of the team, and operators."""
    return Rule(frozenset({Role.AUTHOR, Role.OPERATOR}), whose, run, makes)


def approvers(whose: Whose) -> Rule:
    """Approvers of the team, and operators."""
    return Rule(frozenset({Role.APPROVER, Role.OPERATOR}), whose)


def operators(whose: Whose = Whose.NOBODY, run: RunMay = RunMay.NOTHING) -> Rule:
    """Operators alone."""
    return Rule(frozenset({Role.OPERATOR}), whose, run)


@dataclass(frozen=True)
class Owned:
    """What a path names."""

    what: str
    """Such as: model `ke`."""
    team: str | None
    """The team that owns it; None where it does not exist, or is nobody's."""
    hint: str = ""
    shared: bool = False
    """Whether all teams may know of it."""


def admit(principal: Principal, rule: Rule, path: Mapping[str, str]) -> bool:
    """Let a caller pass by what he is, or not; or say that it hangs on whose the thing is.

    Args:
        principal: Who calls.
        rule: What the route asks.
        path: The parameters in its path.

    Returns:
        Whether he passes; else `check_owner` decides.

    Raises:
        Forbidden: He may not do this, whatever the path names.
        NotFound: A run asks for what is not its own.
    """
    if principal.run is not None:
        _permit_run(principal.run, rule, path)
        return True
    if not principal.roles & rule.roles:
        wanted = " or ".join(role for role in Role if role in rule.roles)
        msg = f"`{principal.name}` may not do this: it takes the role {wanted}"
        raise Forbidden(msg, "ask whoever runs the service")
    return rule.whose is Whose.NOBODY or principal.is_operator or (principal.reads_all and not rule.changes)


def check_owner(principal: Principal, rule: Rule, owned: Owned) -> None:
    """Let a caller pass by whose the thing is that he names, or not.

    Args:
        principal: Who calls.
        rule: What the route asks.
        owned: What its path names.

    Raises:
        Forbidden: He may know of it, and not change it.
        NotFound: He may not know of it, or it does not exist.
    """
    if owned.team is None and (rule.makes or owned.shared):
        return
    if owned.team is None or not (owned.shared or principal.sees(owned.team)):
        msg = f"there is no {owned.what}"
        raise NotFound(msg, owned.hint)
    if rule.changes and not principal.acts_for(owned.team):
        msg = f"`{principal.name}` may not change {owned.what}: it belongs to the team `{owned.team}`"
        raise Forbidden(msg, "ask that team, or whoever runs the service")


def _permit_run(own: OwnRun, rule: Rule, path: Mapping[str, str]) -> None:
    if rule.run is RunMay.NOTHING:
        msg = f"the token of run `{own.id}` is not for this"
        raise Forbidden(msg)
    if rule.run is RunMay.SHARED:
        return
    named, mine = {
        RunMay.OWN_RUN: ("run_id", {own.id}),
        RunMay.OWN_MODEL: ("model", {own.model}),
        RunMay.OWN_BUNDLE: ("digest", own.bundles),
    }[rule.run]
    if path[named] not in mine:
        msg = f"there is no {named.removesuffix('_id')} `{path[named][:80]}`"
        raise NotFound(msg)


def check_table(table: Mapping[str, Rule], routes: Iterable[str]) -> None:
    """Make sure that each route has a rule, and each rule a route; a service that fails this does not start.

    Args:
        table: The rules, by `METHOD /path/{template}`.
        routes: The routes in the same form.

    Raises:
        ModelyardError: One is without the other.
    """
    there = set(routes)
    if wrong := sorted(there ^ table.keys()):
        msg = f"a route without a rule, or a rule without a route: {', '.join(wrong)}"
        raise ModelyardError(msg, "say in the service's access.py who may call it")


def caller_of(scope: Mapping[str, Any]) -> Principal:
    """Who calls, as the middleware found.

    Raises:
        Unauthenticated: Nobody asked him.
    """
    principal: Principal | None = scope.get(CALLER)
    if principal is None:
        msg = "it is not known who calls"
        raise Unauthenticated(msg)
    return principal


CALLER = "modelyard.caller"
"""Where a request's scope says who calls."""
