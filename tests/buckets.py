"""Buckets of S3 for tests of any room, on the server that TEST_S3_URL names."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from modelyard.aws import make_client
from tests.servers import address_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


def use_s3(patch: pytest.MonkeyPatch, url: str | None = None) -> None:
    """Let boto3 find the server, or what stands before it."""
    patch.setenv("AWS_ENDPOINT_URL_S3", url or address_of("TEST_S3_URL"))
    patch.setenv("AWS_REGION", os.environ.get("AWS_DEFAULT_REGION", "us-east-1"))


@cache
def _s3_client(_: str) -> Any:
    """A client of the tests' own; making one takes longer than most tests."""
    return make_client("s3")


def new_bucket(patch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of one's own, empty and removed at the end."""
    use_s3(patch)
    client = _s3_client(address_of("TEST_S3_URL"))
    name = f"modelyard-test-{uuid4().hex[:16]}"
    client.create_bucket(Bucket=name)
    try:
        yield name
    finally:
        empty_bucket(client, name)
        client.delete_bucket(Bucket=name)


def empty_bucket(client: Any, name: str) -> None:
    """Remove what a bucket holds, unfinished uploads included."""
    for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=name):
        for upload in page.get("Uploads", ()):
            client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
        if named := [{"Key": found["Key"]} for found in page.get("Contents", ())]:
            client.delete_objects(Bucket=name, Delete={"Objects": named, "Quiet": True})
