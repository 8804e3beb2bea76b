"""`modelyard serve`: the services. One more service is one more command here."""

from typing import Annotated

import typer

from modelyard.cli.output import note
from modelyard.extras import told_what_to_install

app = typer.Typer()
Linger = Annotated[
    float,
    typer.Option(min=0, help="Seconds for which requests are still taken after a signal to end."),
]
_serve = typer.Typer(help="Run a service until it is told to end.", no_args_is_help=True)
app.add_typer(_serve, name="serve")


@_serve.callback()
def _group() -> None:
    """Run a service until it is told to end."""


@_serve.command("registry")
def registry(
    host: Annotated[
        str,
        typer.Option(help="The address to listen on; one of this machine alone, unless MODELYARD_AUTH_FILE is set."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 for a free one.")] = 8700,
    linger: Linger = 0,
) -> None:
    """Serve a registry over HTTP; /docs describes it."""
    from modelyard.run_tokens import read_run_key
    from modelyard.wiring import registry_stores
    from modelyard.workspace import open_workspace

    with told_what_to_install("`modelyard serve`"):
        from modelyard.asgi.auth.authenticator import open_authenticator
        from registry_api.access import find_run
        from registry_api.serve import serve
    workspace = open_workspace(needs_project=False)
    settings = workspace.settings
    stores = registry_stores(settings.registry)
    # Only an object store has URLs for the pods of runs.
    datasets = workspace.datasets if settings.datasets_in_s3 else None
    served = stores.registry(settings.actor)
    serve(
        served,
        host,
        port,
        tell=lambda url: note(f"The registry of {stores.address} is at {url}"),
        datasets=datasets,
        linger=linger,
        authenticator=open_authenticator(
            settings.auth_file, run_key_file=settings.run_key_file, find_run=find_run(served)
        ),
        trainer=settings.trainer,
        run_key=read_run_key(settings.run_key_file) if settings.run_key_file else b"",
    )


@_serve.command("scoring")
def scoring(
    host: Annotated[
        str,
        typer.Option(help="The address to listen on; one of this machine alone, unless MODELYARD_AUTH_FILE is set."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 for a free one.")] = 8800,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Requests that are worked on at the same time; as many as cores unless said."),
    ] = None,
    refresh: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks at what is live.")] = 1,
    linger: Linger = 0,
) -> None:
    """Serve predictions of the live models over HTTP; /docs describes it."""
    import os

    from modelyard.workspace import open_workspace

    with told_what_to_install("`modelyard serve`"):
        from modelyard.asgi.auth.authenticator import open_authenticator
        from scoring_service.serve import serve
        from scoring_service.service import Limits, Service
    workspace = open_workspace(needs_project=False)
    settings = workspace.settings
    limits = Limits(threads=threads or os.cpu_count() or 1, refresh_seconds=refresh)
    service = Service(
        workspace.registry,
        workspace.datasets,
        settings.cache,
        allow_bundles=settings.allow_bundles,
        limits=limits,
    )
    serve(
        service,
        host,
        port,
        tell=lambda url: note(f"The live models of {settings.registry} are scored at {url}"),
        linger=linger,
        authenticator=open_authenticator(settings.auth_file),
    )
