"""Who may call which route. A route that is not in the table does not start."""

from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from modelyard.asgi.auth.rules import OPEN, Owned, Rule, Whose, admit, caller_of, check_owner, check_table, readers
from modelyard.errors import ModelyardError

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


class GuardedRoute(APIRoute):
    """A route whose caller is looked at before anything that he sends is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, behind the guard."""
        handler = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            await _guard(request, RULES[f"{request.method} {self.path}"])
            return await handler(request)

        return guarded


async def _guard(request: Request, rule: Rule) -> None:
    if request.app.state.authenticator is None or rule.open:
        return  # without authentication, programs of this machine alone get here
    principal = caller_of(request.scope)
    if not admit(principal, rule, request.path_params):
        service: Service = request.app.state.service
        model = request.path_params["model"]
        check_owner(principal, rule, Owned(f"model `{model[:80]}`", await service.team_of(model), _HINT))


_HINT = "GET /v1/models lists the models"


def sees(request: Request) -> Callable[[str], bool]:
    """Whether whoever calls may know of what a team owns."""
    if request.app.state.authenticator is None:
        return lambda _: True
    return caller_of(request.scope).sees


def check_routes(router: APIRouter) -> None:
    """Make sure that every route is guarded, and has a rule.

    Raises:
        ModelyardError: One is not, or a rule is for no route.
    """
    guarded = [route for route in router.routes if isinstance(route, GuardedRoute)]
    if bare := [str(route) for route in router.routes if not isinstance(route, GuardedRoute)]:
        msg = f"routes that nobody guards: {', '.join(bare)}"
        raise ModelyardError(msg, "give their router `route_class=GuardedRoute`")
    check_table(RULES, (f"{method} {route.path}" for route in guarded for method in route.methods or ()))
