"""Who may call which route. A route that is not in the table does not start.

Roles and teams are told in `modelyard.asgi.auth`. What a body names instead of the path is looked at by the registry's
rules, which act for the caller: he makes models, feature sets and runs for his own teams only.
"""

from collections.abc import Callable, Mapping
from functools import cache

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from modelyard.asgi.auth.principal import Principal
from modelyard.asgi.auth.routes import GuardedRoute
from modelyard.asgi.auth.rules import (
    OPEN,
    Owned,
    Rule,
    RunMay,
    Whose,
    approvers,
    authors,
    caller_of,
    operators,
    readers,
)
from modelyard.asgi.auth.runs import RunFacts
from modelyard.errors import NotFound
from modelyard.registry.local import LocalRegistry
from modelyard.registry.run_spec import bundles_of

MODEL = "/v1/models/{model}"
VERSION = f"{MODEL}/versions/{{number}}"
FILE = f"{VERSION}/artifacts/{{path:path}}"
FEATURE_SET = "/v1/feature-sets/{name}"
RUN = "/v1/runs/{run_id}"

RULES: Mapping[str, Rule] = {
    "GET /health": OPEN,
    "GET /ready": OPEN,
    "GET /metrics": OPEN,
    "GET /docs": readers(),
    "GET /openapi.json": readers(),
    "GET /v1/models": readers(),
    f"GET {MODEL}": readers(Whose.MODEL),
    f"PUT {MODEL}": authors(Whose.MODEL, makes=True),
    f"POST {MODEL}/archive": authors(Whose.MODEL),
    f"GET {MODEL}/runs": readers(Whose.MODEL),
    f"POST {MODEL}/versions": authors(Whose.MODEL, RunMay.OWN_MODEL),
    f"PUT {FILE}": authors(Whose.MODEL, RunMay.OWN_MODEL),
    f"POST {VERSION}/complete": authors(Whose.MODEL, RunMay.OWN_MODEL),
    f"GET {MODEL}/versions": readers(Whose.MODEL),
    f"GET {VERSION}": readers(Whose.MODEL, RunMay.OWN_MODEL),
    f"GET {FILE}": readers(Whose.MODEL, RunMay.OWN_MODEL),
    f"HEAD {FILE}": readers(Whose.MODEL, RunMay.OWN_MODEL),
    f"GET {VERSION}/downloads/{{path:path}}": readers(Whose.MODEL, RunMay.OWN_MODEL),
    f"GET {MODEL}/latest": readers(Whose.MODEL),
    f"GET {MODEL}/made-for": readers(Whose.MODEL, RunMay.OWN_MODEL),
    f"GET {VERSION}/lineage": readers(Whose.MODEL),
    f"POST {VERSION}/archive": approvers(Whose.MODEL),
    f"POST {VERSION}/approve": approvers(Whose.MODEL),
    f"POST {MODEL}/promotions": approvers(Whose.MODEL),
    f"POST {MODEL}/rollback": approvers(Whose.MODEL),
    f"GET {MODEL}/promotions": readers(Whose.MODEL),
    f"GET {MODEL}/live": readers(Whose.MODEL, RunMay.OWN_MODEL),
    "GET /v1/feature-sets": readers(),
    f"GET {FEATURE_SET}": readers(run=RunMay.SHARED),
    f"GET {FEATURE_SET}/defined-as": readers(run=RunMay.SHARED),
    f"GET {FEATURE_SET}/versions/{{number}}": readers(run=RunMay.SHARED),
    f"PUT {FEATURE_SET}": authors(),
    f"POST {FEATURE_SET}/archive": authors(Whose.FEATURE_SET),
    "PUT /v1/bundles/{digest}": authors(),
    "GET /v1/bundles/{digest}": readers(run=RunMay.OWN_BUNDLE),
    "POST /v1/runs": authors(),
    "GET /v1/runs": readers(),
    "GET /v1/open-runs": readers(),
    f"GET {RUN}": readers(Whose.RUN, RunMay.OWN_RUN),
    f"PUT {RUN}": operators(Whose.RUN),
    f"POST {RUN}/cancel": authors(Whose.RUN),
    f"GET {RUN}/task": operators(Whose.RUN, RunMay.OWN_RUN),
    f"PUT {RUN}/progress": operators(Whose.RUN, RunMay.OWN_RUN),
    f"GET {RUN}/progress": readers(Whose.RUN),
    "GET /v1/trainer": readers(),
    f"PUT {RUN}/log": operators(Whose.RUN, RunMay.OWN_RUN),
    f"GET {RUN}/log": readers(Whose.RUN),
    "GET /v1/history/{subject}": readers(Whose.SUBJECT),
    "GET /v1/changes": readers(),
    "GET /v1/dependents/{subject}": readers(),
    "GET /v1/affected/{subject}": readers(),
}
"""For each route, who may call it."""

OPEN_PATHS = frozenset(route.partition(" ")[2] for route, rule in RULES.items() if rule.open)

_HINTS = {"model": "`modelyard models` lists them", "run": "`modelyard runs` lists them"}


class RegistryRoute(GuardedRoute):
    """A guarded route of the registry."""

    rules = RULES

    @staticmethod
    async def owned(request: Request, rule: Rule) -> Owned:
        """What a request's path names, and whose it is."""
        registry: LocalRegistry = request.app.state.registry
        return await run_in_threadpool(_owned, registry, rule, request.path_params[rule.whose.value])


def _owned(registry: LocalRegistry, rule: Rule, named: str) -> Owned:
    """What a path names."""
    kind, name = {
        Whose.MODEL: ("model", named),
        Whose.FEATURE_SET: ("feature_set", named),
        Whose.RUN: ("run", named),
    }.get(rule.whose) or (named.partition(":")[0], named.partition(":")[2])
    return Owned(
        what=f"{kind.replace('_', ' ')} `{name}`",
        team=registry.team_of(f"{kind}:{name}"),
        hint=_HINTS.get(kind, ""),
        shared=kind not in ("model", "run"),
    )


def caller(request: Request) -> Principal | None:
    """Who calls; None where the service asks nobody."""
    return None if request.app.state.authenticator is None else caller_of(request.scope)


async def registry_of(request: Request) -> LocalRegistry:
    """The registry that the app serves, acting for whoever calls."""
    registry: LocalRegistry = request.app.state.registry
    principal = caller(request)
    if principal is None:
        return registry
    return registry.acting_as(
        principal.name,
        operator=principal.is_operator,
        teams=None if principal.is_operator else principal.teams,
        run=None if principal.run is None else principal.run.id,
    )


def shown_to(registry: LocalRegistry, sees: Callable[[str], bool]) -> Callable[[str], bool]:
    """Whether a caller may know of a subject: feature sets and sources are shared, and the rest is its team's.

    Args:
        registry: Says whose things are.
        sees: Whether the caller may know of what a team owns.
    """

    @cache
    def shown(subject: str) -> bool:
        # Whoever may see what is nobody's may see everything, and nothing has to be looked up.
        if sees("") or not subject.startswith(("model:", "run:")):
            return True
        team = registry.team_of(subject)
        return team is not None and sees(team)

    return shown


def find_run(registry: LocalRegistry) -> Callable[[str], RunFacts | None]:
    """What the authenticator asks of runs."""

    def find(run_id: str) -> RunFacts | None:
        try:
            run = registry.run(run_id)
        except NotFound:
            return None
        return RunFacts(run.model, run.team, run.tries, run.state.terminal, bundles_of(run.spec))

    return find
