"""The operator's profile: where Jobs go, as whom, how many at once. A data scientist's YAML says none of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError
from yaml import YAMLError

from modelyard.config.kinds.base import Argument, Duration, Many, Owner, Settings, Size
from modelyard.config.kinds.model import Resources
from modelyard.errors import UsageError
from modelyard.settings import SOURCE_PLACE

if TYPE_CHECKING:
    from pathlib import Path

DNS_LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"

Label = Annotated[str, Field(pattern=DNS_LABEL)]


class Pods(Settings):
    """The pods of one kind of job."""

    image: str = Field(min_length=1)
    """The image, with Modelyard's trainer in it."""
    image_pull_policy: str = Field(default="IfNotPresent", pattern="^(IfNotPresent|Always|Never)$")
    """When the image is pulled."""
    service_account: Label
    """The service account that the pods run as; its token is not mounted."""
    env: Many[dict[str, Argument]] = ()
    """More variables, as Kubernetes writes them: name and value, or name and valueFrom."""
    env_from: Many[dict[str, Argument]] = ()
    """ConfigMaps and Secrets whose entries become variables, as Kubernetes writes them."""
    node_selector: dict[str, str] = {}
    """The labels of nodes that the pods may go to."""
    tolerations: Many[dict[str, Argument]] = ()
    """The taints that they tolerate, as Kubernetes writes them."""
    priority_class: str = ""
    """Their priority class."""


class BuildResources(Resources):
    """What a pod that builds a training set may use."""

    memory: Size = "2Gi"
    """Memory; DuckDB holds 1 GiB of it at most, and spills what is more."""


class BuildPods(Pods):
    """The pods that build training sets."""

    resources: BuildResources = BuildResources()
    """What each may use: runs that ask for different resources share what it builds."""


class Team(Settings):
    """What is other for one team's jobs."""

    jobs: int | None = Field(default=None, ge=1)
    """How many go on at the same time; `jobs_per_team` unless said."""
    namespace: Label | None = None
    """Where they go; `namespace` unless said."""
    queue: str | None = None
    """Their local queue of Kueue; `queue` unless said."""
    priority_class: str | None = None
    """Their priority class; that of their kind unless said."""


class Profile(Settings):
    """How runs become Jobs."""

    installation: Label = "modelyard"
    """Tells the Jobs of this installation from those of others in the same namespaces."""
    namespace: Label
    """The namespace of the Jobs."""
    lease_namespace: Label | None = None
    """Where the controller's Lease is; in its own namespace unless said."""
    registry: str = Field(min_length=1)
    """The registry's address as training pods see it."""
    training: Pods
    """The pods that train: without any cloud credentials."""
    build: BuildPods
    """The pods that build training sets: with the platform's identity."""
    sources: Many[Annotated[str, Field(pattern=SOURCE_PLACE)]] = ()
    """Where the sources may lie that they read, as absolute folders and `s3://BUCKET/PREFIX`; in packages of the image
    alone unless said."""
    jobs: int = Field(default=10, ge=1)
    """How many jobs go on at the same time."""
    jobs_per_team: int | None = Field(default=None, ge=1)
    """How many of one team go on at the same time; without bound of its own unless said."""
    teams: dict[Owner, Team] = {}
    """What is other for some teams."""
    queue: str = ""
    """The local queue of Kueue that Jobs are put into; none unless said."""
    image_pull_secrets: Many[str] = ()
    """The Secrets with which images are pulled."""
    gpu: str = "nvidia.com/gpu"
    """What the cluster calls the GPUs that `resources.gpu` asks for."""
    user: int = Field(default=10001, ge=1)
    """The user and group that pods run as."""
    scratch: Size = "4Gi"
    """The most that a pod may write to its scratch folders, each."""
    unschedulable: Duration = timedelta(minutes=15)
    """How long a pod may wait for a node before its run fails."""
    image_pull: Duration = timedelta(seconds=60)
    """How long an image may fail to be pulled, or a container to be made, before the run fails."""
    grace: Duration = timedelta(seconds=10)
    """How long a pod that is to end may take for it."""
    keep: Duration = timedelta(minutes=10)
    """How long an ended Job stays after its outcome was recorded, for people who look at the cluster."""
    log: Size = "1Mi"
    """How much of a run's log is kept: its end."""

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Every namespace that Jobs go to, the usual one first."""
        others = {team.namespace for team in self.teams.values() if team.namespace}
        return (self.namespace, *sorted(others - {self.namespace}))

    def team(self, name: str) -> Team:
        """What holds for a team."""
        return self.teams.get(name, Team())


def read_profile(file: Path) -> Profile:
    """The profile that a YAML file holds.

    Args:
        file: The file that `MODELYARD_CONTROLLER_FILE` names.

    Raises:
        UsageError: It can't be read, or is none.
    """
    import yaml

    try:
        content: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        return Profile.model_validate(content)
    except OSError as error:
        reason = f"the controller's file `{file}` can't be read: {error.strerror}"
        raise UsageError(reason, "set MODELYARD_CONTROLLER_FILE") from error
    except (YAMLError, UnicodeDecodeError) as error:
        reason = f"the controller's file `{file}` is no YAML: {error}"
        raise UsageError(reason) from error
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, problem['loc'])) or 'the file'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
        reason = f"the controller's file `{file}`: {'; '.join(lines)}"
        raise UsageError(reason, "docs/operators-runs.md lists what it holds") from error
