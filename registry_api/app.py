"""The service: routes, and what stands around them."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import FastAPI

from modelyard.asgi.guard import LoopbackOnly
from modelyard.asgi.measured import Measured
from registry_api.errors import add_error_handlers
from registry_api.limits import BodyLimits
from registry_api.metrics import Metrics
from registry_api.routes import artifacts, bundles, feature_sets, health, history, models, promotions, runs, versions

if TYPE_CHECKING:
    from modelyard.datasets.store import DatasetStore
    from modelyard.registry.local import LocalRegistry

DESCRIPTION = """\
Models, their versions, what is live when, feature sets, runs, and the history of all of it.

Lists come in pages: `next` of a page is the `page` of the following request. Errors are problems as of RFC 9457. Every
write may be sent again: it carries a key, or a condition, or means the same the second time.
"""


def create_app(registry: LocalRegistry, datasets: DatasetStore | None = None) -> FastAPI:
    """The service over a registry.

    Args:
        registry: The registry that is served; it is shared by threads.
        datasets: Where training sets are, whose URLs runs' pods are given.
    """
    app = FastAPI(
        title="Modelyard registry",
        version=version("modelyard"),
        description=DESCRIPTION,
        redirect_slashes=False,  # one path for each thing
    )
    app.state.registry = registry
    app.state.datasets = datasets
    app.state.metrics = Metrics()
    for module in (models, versions, artifacts, promotions, feature_sets, bundles, runs, history, health):
        app.include_router(module.router)
    app.include_router(artifacts.downloads)
    add_error_handlers(app)
    # The last one added stands outermost: what is refused counts too.
    app.add_middleware(BodyLimits)
    app.add_middleware(LoopbackOnly)
    app.add_middleware(Measured, meter=app.state.metrics)
    return app
