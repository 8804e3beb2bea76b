"""Clients of AWS, and what their errors mean: for the back-ends that speak to DynamoDB and S3.

Where they are, and who we are there, boto3 finds in its usual places: AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL_S3, a
web identity, an instance's role; AWS_REGION, which other clients know and it does not, is told to it here. boto3's own
retries are off: `modelyard.retries` makes them.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from modelyard.errors import ModelyardError, UsageError
from modelyard.extras import told_what_to_install
from modelyard.retries import Passing

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONNECT, _READ = 2, 10  # seconds: a black hole is noticed within the deadline, a slow answer is waited for
_CONNECTIONS = 64  # as many as the threads of a busy service

_PASSING = frozenset({
    "ConditionalRequestConflict", "InternalError", "InternalFailure", "InternalServerError", "LimitExceededException",
    "OperationAborted",
    "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestTimeout", "RequestTimeoutException",
    "ServiceUnavailable", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException",
    "TransactionConflictException", "TransactionInProgressException",
})  # fmt: skip
"""Codes of failures that may be gone at the next try."""

_REFUSED = frozenset({
    "403", "AccessDenied", "AccessDeniedException", "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId",
    "InvalidClientTokenId", "MissingAuthenticationToken", "SignatureDoesNotMatch", "UnrecognizedClientException",
})  # fmt: skip
_ABSENT = frozenset({"NoSuchBucket", "ResourceNotFoundException"})
_SERVER_ERROR = 500


def make_client(service: str) -> Any:
    """A client of `dynamodb` or `s3`; many threads may share it.

    Raises:
        MissingExtra: boto3 is not installed.
        UsageError: boto3 finds no region.
    """
    with told_what_to_install(f"a back-end on {service}"):
        import boto3
        from botocore.config import Config
        from botocore.exceptions import NoRegionError
    config = Config(
        connect_timeout=_CONNECT,
        read_timeout=_READ,
        max_pool_connections=_CONNECTIONS,
        retries={"total_max_attempts": 1},
        signature_version="s3v4" if service == "s3" else None,  # what it signs into a URL, S3 insists on
        # Writes name the digests that matter; what boto3 adds by itself, servers of the protocol may not know.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    session: Any = boto3.session.Session(
        region_name=os.environ.get("AWS_REGION")
    )  # its types name every service there is
    try:
        return session.client(service, config=config)
    except NoRegionError as error:
        msg = f"no region is named for {service}"
        raise UsageError(msg, "set AWS_REGION") from error


@contextmanager
def meanings(what: str) -> Iterator[None]:
    """Say what boto3's errors mean, but for those that the caller makes something of: conditions, missing keys.

    Args:
        what: What was being done, and where, as the subject of a sentence.

    Raises:
        Passing: It may work at the next try.
        UsageError: We may not, or what is named is not there.
        ClientError: Anything else; to be translated inside of the context.
    """
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    try:
        yield
    except ClientError as error:
        meant = _meaning(what, code_of(error), error)
        if meant is None:
            raise
        raise meant from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        msg = f"{what}: {error}"
        raise UsageError(msg, "give AWS credentials in one of the ways that boto3 knows, such as a role") from error
    except BotoCoreError as error:  # no connection, no answer in time, a broken answer
        msg = f"{what}: {error}"
        raise Passing(msg, "try again") from error


def code_of(error: Any) -> str:
    """The code of a client's error, such as `NoSuchKey`."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _meaning(what: str, code: str, error: Any) -> ModelyardError | None:
    if code in _PASSING or error.response["ResponseMetadata"].get("HTTPStatusCode", 0) >= _SERVER_ERROR:
        return Passing(f"{what}: {error}", "try again")
    if code in _REFUSED:
        return UsageError(f"{what}: {error}", "look at the credentials, and at what their role may do")
    if code in _ABSENT:
        return UsageError(f"{what}: {error}", "look at the name, the region and the endpoint")
    return None
