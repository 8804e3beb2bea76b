"""The app: routes, errors and metrics around a service."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI

from modelyard.asgi.auth.authenticated import Authenticated
from modelyard.asgi.auth.routes import check_routes
from modelyard.asgi.loopback import LoopbackOnly
from modelyard.asgi.measured import Measured
from scoring_service import problems
from scoring_service.access import OPEN_PATHS, ScoringRoute
from scoring_service.routes import router

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from modelyard.asgi.auth.authenticator import Authenticator
    from scoring_service.service import Service

DESCRIPTION = """\
Predictions of the models that are live: for rows of features, or for entities, whose features are looked up in the
newest published partitions. A new version takes over without a request being lost. Errors are problems as of RFC 9457.
"""


def create_app(service: Service, authenticator: Authenticator | None = None) -> FastAPI:
    """The app over a service, which is started and stopped with it.

    Args:
        service: What answers.
        authenticator: Says who calls; without one, the programs of this machine may do everything.

    Raises:
        ModelyardError: Nothing says who may call one of the routes.
    """
    check_routes(ScoringRoute, [router])

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        await asyncio.to_thread(service.stop)

    app = FastAPI(
        title="Modelyard scoring",
        version=version("modelyard"),
        description=DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,  # one path for each thing
        openapi_url=None,  # FastAPI's own routes would stand before the guard; `routes` has them
    )
    app.state.service = service
    app.state.authenticator = authenticator
    app.include_router(router)
    problems.install(app)
    # The last one added stands outermost: what is refused counts too.
    if authenticator is None:
        app.add_middleware(LoopbackOnly)
    else:
        app.add_middleware(Authenticated, authenticator=authenticator, open_paths=OPEN_PATHS)
    app.add_middleware(Measured, meter=service.metrics)
    return app
