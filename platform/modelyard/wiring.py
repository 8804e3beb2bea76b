"""Settings to back-ends: the only place that chooses.

One more back-end is one more branch here, its import inside it, so that nobody loads what he does not use.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from modelyard.errors import NotFound, UsageError
from modelyard.extras import told_what_to_install
from modelyard.filecache import FileCache

if TYPE_CHECKING:
    from modelyard.datasets.store import DatasetStore
    from modelyard.features.engine import Engine
    from modelyard.registry.credential import Credential
    from modelyard.registry.home import RegistryHome
    from modelyard.registry.registry import Registry
    from modelyard.registry.stores import RegistryStores
    from modelyard.settings import Settings
    from modelyard.training.controller.controller import Controller
    from modelyard.training.controller.monitor import Monitor
    from modelyard.training.identity import Platform
    from modelyard.training.launchers.launcher import Launcher


def open_registry(settings: Settings) -> Registry:
    """The registry that the settings name."""
    from modelyard.registry.credential import Credential

    credential = Credential(settings.token, settings.token_file)
    return open_registry_at(settings.registry, actor=settings.actor, credential=credential)


def open_registry_at(address: str, *, actor: str, credential: Credential | None = None) -> Registry:
    """The registry at an address: that of a service (`http:` or `https:`), or one that `registry_stores` knows.

    Args:
        address: The address.
        actor: Who is named in the history, unless a service knows better.
        credential: The token that a service is shown.

    Raises:
        UsageError: The address is of another form.
    """
    if urlsplit(address).scheme in ("http", "https"):
        from modelyard.registry.http import HttpRegistry

        return HttpRegistry(address, credential=credential)
    return registry_stores(address).registry(actor)


def registry_stores(address: str) -> RegistryStores:
    """The stores of a registry, for whoever works on them himself.

    Args:
        address: `file:` for a folder of this machine, `dynamodb+s3:` for a table and a bucket.

    Raises:
        UsageError: The address is that of a service, or of another form.
    """
    parts = urlsplit(address)
    if parts.scheme in ("file", "http", "https"):
        return registry_home(address).stores()
    table, bucket, *prefix = (parts.netloc, *parts.path.strip("/").split("/"))
    if parts.scheme == "dynamodb+s3" and table and bucket:
        from modelyard.registry.dynamodb import DynamoMetadata
        from modelyard.registry.s3 import S3Artifacts
        from modelyard.registry.stores import RegistryStores

        return RegistryStores(address, DynamoMetadata(table), S3Artifacts(bucket, "/".join(prefix)))
    reason = f"`{address}` is not the address of a registry"
    raise UsageError(
        reason, "set MODELYARD_REGISTRY to http://HOST:PORT or dynamodb+s3://TABLE/BUCKET, or leave it unset"
    )


def registry_home(address: str) -> RegistryHome:
    """The folder of a registry on this machine: for what is done to its files.

    Raises:
        UsageError: The address is that of a service, or of a table and a bucket.
    """
    parts = urlsplit(address)
    if parts.scheme == "dynamodb+s3":
        reason = f"`{address}` is a table and a bucket: no folder of this machine holds it"
        raise UsageError(reason, "`modelyard registry export` writes all of it into one file, `import` reads that")
    if parts.scheme != "file":
        reason = f"`{address}` is a service: its files lie elsewhere"
        raise UsageError(reason, "do this on the machine that it runs on, with MODELYARD_REGISTRY unset")
    from modelyard.registry.home import RegistryHome

    return RegistryHome(Path(url2pathname(parts.path)))


def open_datasets(settings: Settings) -> DatasetStore:
    """The store of feature partitions, training sets and predictions."""
    parts = urlsplit(settings.datasets)
    if parts.scheme == "file":
        from modelyard.datasets.filesystem import FilesystemDatasets

        return FilesystemDatasets(Path(url2pathname(parts.path)))
    if parts.scheme == "s3" and parts.netloc:
        from modelyard.datasets.s3 import S3Datasets

        scratch = settings.home / "staging"
        return S3Datasets(parts.netloc, parts.path, cache=_file_cache(settings), scratch=scratch)
    reason = f"`{settings.datasets}` is not the address of datasets"
    raise UsageError(reason, "set MODELYARD_DATASETS to s3://BUCKET/PREFIX, or leave it unset")


def _file_cache(settings: Settings) -> FileCache:
    """The files of this machine that were fetched from S3: datasets and sources share their room."""
    return FileCache(settings.cache / "files")


def open_engine(settings: Settings) -> Engine:
    """The engine that computes features."""
    with told_what_to_install("the engine that computes features"):
        from modelyard.features.duckdb import DuckDBEngine
        from modelyard.features.s3_sources import S3Sources
        from modelyard.features.source_places import SourcePlaces

    places = SourcePlaces(settings.sources, never=_own_in_s3(settings))
    remote = S3Sources(_file_cache(settings), places)
    return DuckDBEngine(root=settings.root, scratch=settings.home / "scratch", remote=remote, places=places)


def _own_in_s3(settings: Settings) -> tuple[str, ...]:
    """What of S3 the settings give to the registry and to the datasets."""
    datasets = [settings.datasets] if settings.datasets_in_s3 else []
    return (*datasets, *([f"s3:/{urlsplit(settings.registry).path}"] if settings.registry_in_aws else []))


def open_launcher(settings: Settings) -> Launcher:
    """Where processes of this machine go: trials everywhere, and runs where there is no cluster for them."""
    from modelyard.training.launchers.local import LocalLauncher

    return LocalLauncher(settings.home / "jobs")


def run_platform(settings: Settings, registry: Registry) -> Platform:
    """What runs train on: this machine, or the image of a cluster's pods.

    Args:
        settings: The settings.
        registry: The registry, whose service knows the image.

    Raises:
        NotFound: Runs are a cluster's, and nothing says which image they train in.
    """
    from modelyard.training.identity import image_platform, this_platform

    if settings.launcher == "local":
        return this_platform()
    from modelyard.registry.http import HttpRegistry

    image = registry.trainer().image if isinstance(registry, HttpRegistry) else settings.trainer
    if not image:
        reason = "nothing says which image runs train in"
        raise NotFound(reason, "set MODELYARD_TRAINER to the image of training pods")
    return image_platform(image)


def open_controller(settings: Settings, monitor: Monitor) -> Controller:
    """The controller of the cluster that this process finds itself in, or that a kubeconfig names.

    Args:
        settings: The settings, with the operator's profile and the key of run tokens.
        monitor: What operators see of it.

    Raises:
        UsageError: The profile or the key can't be read, or there is no cluster.
    """
    import socket
    from uuid import uuid4

    from modelyard.features.source_places import check_apart
    from modelyard.run_tokens import mint, read_run_key
    from modelyard.training.controller.controller import Controller, Parts, limits_of
    from modelyard.training.launchers.kubernetes.api import (
        LEASE_DEADLINE,
        LEASE_TIMEOUT,
        Cluster,
        load_client,
        own_namespace,
    )
    from modelyard.training.launchers.kubernetes.launcher import KubernetesLauncher
    from modelyard.training.launchers.kubernetes.lease import Lease
    from modelyard.training.launchers.kubernetes.profile import read_profile

    for variable, named in (
        ("MODELYARD_CONTROLLER_FILE", settings.controller_file),
        ("MODELYARD_RUN_KEY_FILE", settings.run_key_file),
    ):
        if not named:
            reason = f"the controller needs {variable}"
            raise UsageError(reason, "docs/operators-runs.md says what the file holds")
    profile = read_profile(Path(settings.controller_file))
    check_apart(profile.sources, _own_in_s3(settings))
    key = read_run_key(settings.run_key_file)
    client = load_client()
    lease = Lease(
        Cluster(client, timeout=LEASE_TIMEOUT, deadline=LEASE_DEADLINE),
        profile.lease_namespace or own_namespace() or profile.namespace,
        f"modelyard-controller-{profile.installation}",
        f"{socket.gethostname()}-{uuid4().hex[:8]}",
    )
    launcher = KubernetesLauncher(Cluster(client), profile, lambda run, tries: mint(run, tries, key), guard=lease.check)
    registry, datasets = open_registry(settings), open_datasets(settings)
    return Controller(Parts(registry, launcher, datasets, settings, limits_of(profile)), lease, monitor)
