"""The images that tests in a cluster run: those that are there, or those that are built now.

TEST_IMAGES is what images are called that are there, with `{}` for the name: `images.example.org/modelyard-{}:1.0.0`
for service, scoring, trainer and played. Without it, TEST_IMAGE_COMMAND is given a folder, a tag and a Dockerfile, and
puts the image localhost/TAG onto the nodes.
"""

from __future__ import annotations

import os
import shlex
from functools import cache
from pathlib import Path

import pytest

from tests.cluster.tools import run

ROOT = Path(__file__).parents[2]


@cache
def image(name: str, folder: Path, context: Path = ROOT) -> str:
    """What an image is called; it is built once, however often it is asked for.

    Args:
        name: `service`, `scoring`, `trainer` or `played`.
        folder: Where its Dockerfile is.
        context: What its Dockerfile copies from.
    """
    if pattern := os.environ.get("TEST_IMAGES"):
        return pattern.format(name)
    command = os.environ.get("TEST_IMAGE_COMMAND")
    if not command:
        pytest.fail("there are no images: set TEST_IMAGES or TEST_IMAGE_COMMAND, as docs/operators-kubernetes.md says")
    tag = f"modelyard-{name}:test"
    run([*shlex.split(command), str(context), tag, str(folder / "Dockerfile")], timeout=900)
    return f"localhost/{tag}"
