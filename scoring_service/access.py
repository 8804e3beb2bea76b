"""Who may call which route. A route that is not in the table does not start."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fastapi import Request

from modelyard.asgi.auth.routes import GuardedRoute
from modelyard.asgi.auth.rules import OPEN, Owned, Rule, Whose, readers

if TYPE_CHECKING:
    from scoring_service.service import Service


RULES: Mapping[str, Rule] = {
    "GET /health": OPEN,
    "GET /ready": OPEN,
    "GET /started": OPEN,
    "GET /metrics": OPEN,
    "GET /docs": readers(),
    "GET /openapi.json": readers(),
    "GET /v1/models": readers(),
    "POST /v1/models/{model}/score": readers(Whose.MODEL),
}
"""For each route, who may call it."""

OPEN_PATHS = frozenset(route.partition(" ")[2] for route, rule in RULES.items() if rule.open)


class ScoringRoute(GuardedRoute):
    """A guarded route of the scoring service."""

    rules = RULES

    @staticmethod
    async def owned(request: Request, rule: Rule) -> Owned:  # noqa: ARG004 - models are all that paths name
        """The model that a request's path names, and whose it is."""
        service: Service = request.app.state.service
        model = request.path_params["model"]
        return Owned(f"model `{model[:80]}`", await service.team_of(model), "GET /v1/models lists the models")
