"""Routes whose caller is looked at before anything that he sends is read: how a service of FastAPI asks its rules."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, ClassVar

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from modelyard.asgi.auth.rules import Owned, Rule, admit, caller_of, check_owner, check_table
from modelyard.errors import ModelyardError


class GuardedRoute(APIRoute, ABC):
    """A guarded route; each service says in a class of its own what its rules are, and whose things are."""

    rules: ClassVar[Mapping[str, Rule]]
    """For each route, as `METHOD /path/{template}`, who may call it."""

    @staticmethod
    @abstractmethod
    async def owned(request: Request, rule: Rule) -> Owned:
        """What a request's path names, and whose it is."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, behind the guard."""
        handler = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            await self._guard(request, self.rules[f"{request.method} {self.path}"])
            return await handler(request)

        return guarded

    async def _guard(self, request: Request, rule: Rule) -> None:
        if request.app.state.authenticator is None or rule.open:
            return  # without authentication, programs of this machine alone get here
        principal = caller_of(request.scope)
        if not admit(principal, rule, request.path_params):
            check_owner(principal, rule, await self.owned(request, rule))


def check_routes(kind: type[GuardedRoute], routers: Iterable[APIRouter]) -> None:
    """Make sure that every route of a service is guarded, and has a rule.

    Args:
        kind: The service's guarded routes.
        routers: All of its routes.

    Raises:
        ModelyardError: One is not, or a rule is for no route.
    """
    routes = [route for router in routers for route in router.routes]
    if bare := [str(route) for route in routes if not isinstance(route, kind)]:
        msg = f"routes that nobody guards: {', '.join(bare)}"
        raise ModelyardError(msg, f"give their router `route_class={kind.__name__}`")
    guarded = [route for route in routes if isinstance(route, kind)]
    check_table(kind.rules, (f"{method} {route.path}" for route in guarded for method in route.methods or ()))


def sight_of(request: Request) -> Callable[[str], bool]:
    """Whether whoever calls may know of what a team owns."""
    if request.app.state.authenticator is None:
        return lambda _: True
    return caller_of(request.scope).sees
