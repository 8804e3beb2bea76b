"""A registry of this process whose clock a test sets."""

from tests.scoring.fixtures import clock, plain_logs, registry

__all__ = ["clock", "plain_logs", "registry"]
