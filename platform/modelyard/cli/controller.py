"""`modelyard controller`: the process that makes Jobs of runs."""

from typing import Annotated

import typer

from modelyard.cli.output import note
from modelyard.extras import told_what_to_install

app = typer.Typer()


@app.command()
def controller(
    host: Annotated[
        str, typer.Option(help="The address on which /health, /ready and /metrics are answered.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 for a free one.")] = 8900,
) -> None:
    """Make Jobs of a Kubernetes cluster of queued runs, until told to end; any number may run, and one leads."""
    import signal

    from modelyard.settings import read_settings
    from modelyard.wiring import open_controller

    with told_what_to_install("`modelyard controller`"):
        from pathlib import Path

        from modelyard.training.controller.monitor import Monitor, answering

        monitor = Monitor()
        running = open_controller(read_settings(Path.cwd()), monitor)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: running.stop())
    with answering(monitor, host, port) as listening:
        note(f"The controller runs; http://{host}:{listening} answers /health, /ready and /metrics.")
        running.run()
