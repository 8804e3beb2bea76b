"""A project and the back-ends of its settings, opened together: what commands and notebooks work with.

Everything is opened when first asked for, so that nobody loads more than he uses.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard import wiring
from modelyard.errors import NotFound
from modelyard.settings import STATE_FOLDER, read_settings

if TYPE_CHECKING:
    from modelyard.config.project import LoadedProject
    from modelyard.datasets.store import DatasetStore
    from modelyard.features.engine import Engine
    from modelyard.registry.registry import Registry
    from modelyard.settings import Settings
    from modelyard.training.identity import Platform
    from modelyard.training.launchers.launcher import Launcher


class Workspace:
    """The settings of a folder, and what they open.

    Args:
        settings: The settings.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def project(self) -> LoadedProject:
        """The project, read and checked.

        Raises:
            InvalidData: A document of it has a problem.
        """
        from modelyard.config.loader import load_project

        return load_project(self.settings.root, self.settings.environment)

    @cached_property
    def registry(self) -> Registry:
        """The registry."""
        return wiring.open_registry(self.settings)

    @cached_property
    def datasets(self) -> DatasetStore:
        """The datasets."""
        return wiring.open_datasets(self.settings)

    @cached_property
    def engine(self) -> Engine:
        """The engine."""
        return wiring.open_engine(self.settings)

    @cached_property
    def launcher(self) -> Launcher:
        """The launcher of this machine."""
        return wiring.open_launcher(self.settings)

    @cached_property
    def platform(self) -> Platform:
        """What runs train on.

        Raises:
            NotFound: Runs are a cluster's, and nothing says which image they train in.
        """
        return wiring.run_platform(self.settings, self.registry)

    @property
    def runs_here(self) -> bool:
        """Whether runs are processes of this machine; else the controller of a cluster runs them."""
        return self.settings.launcher == "local"


def open_workspace(start: Path | None = None, *, needs_project: bool = True) -> Workspace:
    """The workspace of the project that a folder lies in.

    Args:
        start: A folder or file; the current folder unless said.
        needs_project: Whether a project must be there. Without one, commands that only ask a registry still work
            where its state lies: in the folder, or where the settings say.

    Raises:
        NotFound: There is no `modelyard.yaml` in the folder or above it, and no state where there needs to be none.
    """
    from modelyard.config.loader import find_project

    start = (start or Path.cwd()).absolute()
    try:
        root = find_project(start)
    except NotFound as error:
        settings = read_settings(start)
        # A folder that is merely the wrong one must not look like a registry without models.
        state = start / STATE_FOLDER
        if needs_project:
            raise
        if (settings.registry, settings.specs) == (state.as_uri(), state / "specs") and not state.exists():
            hint = f"{error.hint}; or set MODELYARD_HOME or MODELYARD_REGISTRY"
            raise NotFound(error.reason, hint) from error
        return Workspace(settings)
    return Workspace(read_settings(root))
