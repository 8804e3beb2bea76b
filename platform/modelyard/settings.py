"""The environment, read once. Nothing else reads environment variables, but what libraries read by themselves."""

from __future__ import annotations

import getpass
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from modelyard.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

STATE_FOLDER = ".modelyard"

LAUNCHERS = ("local", "kubernetes")

SOURCE_PLACE = r"^(/|s3://[^/,]+)[^,]*$"
"""What says where sources may lie: an absolute folder, or a bucket and a prefix."""

VARIABLES = (
    "MODELYARD_ACTOR",
    "MODELYARD_ALLOW_BUNDLES",
    "MODELYARD_AUTH_FILE",
    "MODELYARD_COMMAND",  # read by dags/
    "MODELYARD_CONTROLLER_FILE",
    "MODELYARD_DATASETS",
    "MODELYARD_ENVIRONMENT",
    "MODELYARD_HOME",
    "MODELYARD_LAUNCHER",
    "MODELYARD_PARALLEL",
    "MODELYARD_PROJECT",  # read by dags/
    "MODELYARD_REGISTRY",
    "MODELYARD_RUN",
    "MODELYARD_RUN_KEY_FILE",
    "MODELYARD_SOURCES",
    "MODELYARD_SPECS",
    "MODELYARD_TOKEN",
    "MODELYARD_TOKEN_FILE",
    "MODELYARD_TRAINER",
    "MODELYARD_TRIES",
)
"""Every environment variable that means something, here or to a part that can't import this."""


@dataclass(frozen=True)
class Settings:
    """Where state lies and how processes reach it."""

    root: Path
    """The project's folder; relative paths of sources start here."""
    home: Path
    """`MODELYARD_HOME`: the folder of registry, artifacts, datasets, runs; `.modelyard` in the project unless said."""
    registry: str
    """`MODELYARD_REGISTRY`: `http://HOST:PORT` of a registry service, or `dynamodb+s3://TABLE/BUCKET/PREFIX` of its
    stores; the home folder's own registry unless said."""
    datasets: str
    """`MODELYARD_DATASETS`: `s3://BUCKET/PREFIX` of feature partitions, training sets and predictions; `datasets` in
    the home folder unless said."""
    launcher: str
    """`MODELYARD_LAUNCHER`: where runs go: `local`, processes of this machine; `kubernetes`, Jobs that the controller
    of a cluster starts."""
    specs: Path
    """`MODELYARD_SPECS`: the folder of DAG specs; `specs` in the home folder unless said."""
    environment: str
    """`MODELYARD_ENVIRONMENT`: which values the project's variables have; `default` unless said."""
    actor: str
    """`MODELYARD_ACTOR`: who is named in the history; the user's login name unless said."""
    allow_bundles: bool
    """`MODELYARD_ALLOW_BUNDLES=1`: whether stored versions may import the project code that they were trained with."""
    parallel: int
    """`MODELYARD_PARALLEL`: how many runs go on at the same time; as many as there are cores unless said."""
    token: str = field(default="", repr=False)
    """`MODELYARD_TOKEN`: the bearer token that services are shown; none unless said."""
    token_file: str = ""
    """`MODELYARD_TOKEN_FILE`: a file that holds the token instead; it is read anew, as clusters renew tokens."""
    auth_file: str = ""
    """`MODELYARD_AUTH_FILE`: the YAML file that says who may call a service; without it, services answer to this
    machine alone."""
    run_key_file: str = ""
    """`MODELYARD_RUN_KEY_FILE`: the file with the key that run tokens are made with; none are unless said."""
    controller_file: str = ""
    """`MODELYARD_CONTROLLER_FILE`: the YAML file that says how the controller makes Jobs of runs."""
    sources: tuple[str, ...] | None = None
    """`MODELYARD_SOURCES`: the absolute folders and `s3://BUCKET/PREFIX`, with commas between them, for sources to lie
    in; anywhere unless said, and in installed packages alone where it is set to nothing."""
    trainer: str = ""
    """`MODELYARD_TRAINER`: the image that a cluster's runs train in, with a digest or a tag that is never moved; a
    registry service tells it to whoever asks for a run."""
    run: str = ""
    """`MODELYARD_RUN`: in a job's pod, the run that it works for."""
    tries: int = 0
    """`MODELYARD_TRIES`: in a job's pod, the try of the run."""

    @property
    def cache(self) -> Path:
        """The folder of what was fetched: versions from the registry, files of datasets and sources from S3."""
        return self.home / "cache"

    @property
    def registry_in_aws(self) -> bool:
        """Whether the registry's stores are reached without a service, in DynamoDB and S3."""
        return self.registry.startswith("dynamodb+s3:")

    @property
    def datasets_in_s3(self) -> bool:
        """Whether datasets lie in S3, where their files have URLs."""
        return self.datasets.startswith("s3:")

    def variables(self) -> dict[str, str]:
        """The variables from which `read_settings` makes these settings again, in another process."""
        said = {
            "MODELYARD_ACTOR": self.actor,
            "MODELYARD_ALLOW_BUNDLES": str(int(self.allow_bundles)),
            "MODELYARD_AUTH_FILE": self.auth_file,
            "MODELYARD_CONTROLLER_FILE": self.controller_file,
            "MODELYARD_DATASETS": self.datasets,
            "MODELYARD_ENVIRONMENT": self.environment,
            "MODELYARD_HOME": str(self.home),
            "MODELYARD_LAUNCHER": self.launcher,
            "MODELYARD_PARALLEL": str(self.parallel),
            "MODELYARD_REGISTRY": self.registry,
            "MODELYARD_RUN": self.run,
            "MODELYARD_RUN_KEY_FILE": self.run_key_file,
            "MODELYARD_SPECS": str(self.specs),
            "MODELYARD_TOKEN": self.token,
            "MODELYARD_TOKEN_FILE": self.token_file,
            "MODELYARD_TRAINER": self.trainer,
            "MODELYARD_TRIES": str(self.tries) if self.tries else "",
        }
        places = {} if self.sources is None else {"MODELYARD_SOURCES": ",".join(self.sources)}
        return {**{name: value for name, value in said.items() if value}, **places}


def read_settings(root: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a project's folder.

    Args:
        root: The folder that holds `modelyard.yaml`.
        environment: The environment variables.

    Raises:
        UsageError: A variable holds what it can't.
    """
    home = Path(environment.get("MODELYARD_HOME") or root / STATE_FOLDER).absolute()
    return Settings(
        root=root.absolute(),
        home=home,
        registry=_address(environment, "MODELYARD_REGISTRY") or home.as_uri(),
        datasets=_address(environment, "MODELYARD_DATASETS") or (home / "datasets").as_uri(),
        launcher=_launcher(environment),
        specs=Path(environment.get("MODELYARD_SPECS") or home / "specs").absolute(),
        environment=environment.get("MODELYARD_ENVIRONMENT", "default"),
        actor=environment.get("MODELYARD_ACTOR") or _login_name(),
        allow_bundles=environment.get("MODELYARD_ALLOW_BUNDLES") == "1",
        parallel=_parallel(environment),
        token=environment.get("MODELYARD_TOKEN", ""),
        token_file=_file(environment, "MODELYARD_TOKEN_FILE"),
        auth_file=environment.get("MODELYARD_AUTH_FILE", ""),
        run_key_file=environment.get("MODELYARD_RUN_KEY_FILE", ""),
        controller_file=environment.get("MODELYARD_CONTROLLER_FILE", ""),
        sources=_sources(environment),
        trainer=environment.get("MODELYARD_TRAINER", ""),
        run=environment.get("MODELYARD_RUN", ""),
        tries=_tries(environment),
    )


def _address(environment: Mapping[str, str], name: str) -> str:
    address = environment.get(name, "")
    try:
        urlsplit(address)
    except ValueError as error:
        reason = f"{name} is `{address}`, which is no address: {error}"
        raise UsageError(reason, "write it as http://127.0.0.1:8700, or leave it unset") from error
    return address


def _file(environment: Mapping[str, str], name: str) -> str:
    """A file's place, which is the same for the processes that are started in other folders."""
    return str(Path(environment[name]).absolute()) if environment.get(name) else ""


def _launcher(environment: Mapping[str, str]) -> str:
    name = environment.get("MODELYARD_LAUNCHER") or LAUNCHERS[0]
    if name not in LAUNCHERS:
        reason = f"MODELYARD_LAUNCHER is `{name}`"
        raise UsageError(reason, f"set it to {' or '.join(LAUNCHERS)}, or leave it unset")
    return name


def _parallel(environment: Mapping[str, str]) -> int:
    text = environment.get("MODELYARD_PARALLEL") or str(os.cpu_count() or 1)
    if not text.isdecimal() or not int(text):
        reason = f"MODELYARD_PARALLEL is `{text}`"
        raise UsageError(reason, "set it to a whole number from 1 on, or leave it unset")
    return int(text)


def _sources(environment: Mapping[str, str]) -> tuple[str, ...] | None:
    if "MODELYARD_SOURCES" not in environment:
        return None
    places = tuple(place for part in environment["MODELYARD_SOURCES"].split(",") if (place := part.strip()))
    for place in places:
        if re.fullmatch(SOURCE_PLACE, place) is None:
            reason = f"MODELYARD_SOURCES names `{place}`"
            raise UsageError(reason, "name absolute folders and s3://BUCKET/PREFIX, with commas between them")
    return places


def _tries(environment: Mapping[str, str]) -> int:
    text = environment.get("MODELYARD_TRIES") or "0"
    if not text.isdecimal():
        reason = f"MODELYARD_TRIES is `{text}`"
        raise UsageError(reason, "it is the controller's to set")
    return int(text)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"  # a container's user id need not have a name
