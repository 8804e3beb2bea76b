"""The app: routes, errors and metrics around a service."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import FastAPI

from scoring_service import problems
from scoring_service.metrics import Measured
from scoring_service.routes import router

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from scoring_service.service import Service


def create_app(service: Service) -> FastAPI:
    """The app over a service, which is started and stopped with it.

    Args:
        service: What answers.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        await asyncio.to_thread(service.stop)

    app = FastAPI(title="Modelyard scoring", lifespan=lifespan, description=__doc__)
    app.state.service = service
    app.include_router(router)
    problems.install(app)
    app.add_middleware(Measured, metrics=service.metrics)
    return app
