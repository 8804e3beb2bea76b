"""The service: routes, and what stands around them."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI

from modelyard.asgi.auth.authenticated import Authenticated
from modelyard.asgi.auth.routes import check_routes
from modelyard.asgi.loopback import LoopbackOnly
from modelyard.asgi.measured import Measured
from registry_api.access import OPEN_PATHS, RegistryRoute
from registry_api.errors import add_error_handlers
from registry_api.limits import BodyLimits
from registry_api.metrics import Metrics
from registry_api.page_tokens import PageTokens
from registry_api.routes import (
    artifacts,
    bundles,
    description,
    feature_sets,
    health,
    history,
    models,
    promotions,
    runs,
    versions,
)

if TYPE_CHECKING:
    from modelyard.asgi.auth.authenticator import Authenticator
    from modelyard.datasets.store import DatasetStore
    from modelyard.registry.local import LocalRegistry

DESCRIPTION = """\
Models, their versions, what is live when, feature sets, runs, and the history of all of it.

Lists come in pages: `next` of a page is the `page` of the following request. Errors are problems as of RFC 9457. Every
write may be sent again: it carries a key, or a condition, or means the same the second time.
"""


MODULES = (models, versions, artifacts, promotions, feature_sets, bundles, runs, history, health, description)


def create_app(
    registry: LocalRegistry,
    datasets: DatasetStore | None = None,
    authenticator: Authenticator | None = None,
    *,
    trainer: str = "",
    run_key: bytes = b"",
) -> FastAPI:
    """The service over a registry.

    Args:
        registry: The registry that is served; it is shared by threads.
        datasets: Where training sets are, whose URLs runs' pods are given.
        authenticator: Says who calls; without one, the programs of this machine may do everything.
        trainer: The image that runs train in; nobody is told any unless said.
        run_key: The installation's key; services that have the same one take each other's page tokens.

    Raises:
        ModelyardError: Nothing says who may call one of the routes.
    """
    routers = [*(module.router for module in MODULES), artifacts.downloads]
    check_routes(RegistryRoute, routers)
    app = FastAPI(
        title="Modelyard registry",
        version=version("modelyard"),
        description=DESCRIPTION,
        redirect_slashes=False,  # one path for each thing
        openapi_url=None,  # FastAPI's own routes would stand before the guard; `description` has them
    )
    app.state.registry = registry
    app.state.datasets = datasets
    app.state.trainer = trainer
    app.state.page_tokens = PageTokens(run_key)
    app.state.metrics = Metrics()
    app.state.authenticator = authenticator
    for router in routers:
        app.include_router(router)
    add_error_handlers(app)
    # The last one added stands outermost: what is refused counts too.
    app.add_middleware(BodyLimits)
    if authenticator is None:
        app.add_middleware(LoopbackOnly)
    else:
        app.add_middleware(Authenticated, authenticator=authenticator, open_paths=OPEN_PATHS)
    app.add_middleware(Measured, meter=app.state.metrics)
    return app
