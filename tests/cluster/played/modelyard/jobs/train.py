"""Plays a training job: what it does is the first word of its run's id."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

SECRETS = Path("/var/run/secrets")
API = f"https://{os.environ.get('KUBERNETES_SERVICE_HOST')}:{os.environ.get('KUBERNETES_SERVICE_PORT')}"


def say(**outcome: Any) -> None:
    """Leave an outcome behind, as the real job does."""
    Path("/dev/termination-log").write_text(json.dumps(outcome))


def well() -> None:
    """Do what was asked."""
    say(ok=True)


def late() -> None:
    """Do it after a while, printing."""
    for line in range(20):
        print(f"line {line}", flush=True)
        time.sleep(0.25)
    say(ok=True)


def slow() -> None:
    """Take longer than anybody waits."""
    for line in range(6000):
        print(f"line {line}", flush=True)
        time.sleep(0.1)


def evicted() -> None:
    """Take long at the first try only, so that it can be taken away."""
    time.sleep(3600 if os.environ["MODELYARD_TRIES"] == "1" else 0)
    say(ok=True)


def greedy() -> None:
    """Use more memory than there is."""
    taken = [bytearray(8 << 20)]
    while True:
        taken.append(bytearray(b"x" * (8 << 20)))


def badly() -> None:
    """Fail for good."""
    say(ok=False, reason="the label has one value", permanent=True)
    sys.exit(65)


def unsaid() -> None:
    """Fail without a word."""
    sys.exit(1)


def asked(path: str, method: str = "GET", body: bytes | None = None) -> int | str:
    """What the API server answers."""
    import ssl

    context = ssl._create_unverified_context()
    request = urllib.request.Request(API + path, method=method, data=body, headers={"Content-Type": "application/json"})
    try:
        return int(urllib.request.urlopen(request, context=context, timeout=5).status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return str(error)


def probing() -> None:
    """Look at what a training pod can do, and leave that behind."""
    namespace = "default"
    readable = sorted(str(path) for path in SECRETS.rglob("*") if path.is_file() and ".." not in str(path))
    writable = []
    for place in ("/", "/app", "/usr", "/tmp", os.environ["HOME"]):
        try:
            (Path(place) / "written").write_text("x")
            writable.append(place)
        except OSError:
            continue
    found = {
        "secrets": asked(f"/api/v1/namespaces/{namespace}/secrets"),
        "pods": asked("/api/v1/namespaces/kube-system/pods"),
        "jobs": asked(f"/apis/batch/v1/namespaces/{namespace}/jobs", "POST", b"{}"),
        "readable": readable,
        "writable": writable,
        "uid": os.getuid(),
        "capabilities": next(
            line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff")
        ),
        "credentials": sorted(name for name in os.environ if name.startswith("AWS")),
        "token": Path(os.environ["MODELYARD_TOKEN_FILE"]).read_text(),
    }
    say(ok=False, reason=json.dumps(found), permanent=True)
    sys.exit(65)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
globals()[os.environ["MODELYARD_RUN"].partition("-")[0]]()
