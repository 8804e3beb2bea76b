"""Errors cross from a service to its clients as what they are."""

from __future__ import annotations

import inspect
from http import HTTPStatus

import pytest

from modelyard import errors
from modelyard.asgi.problem import PROBLEMS, error_of, problem_of
from modelyard.errors import InvalidData, MissingExtra, ModelyardError, TargetExpired


@pytest.mark.parametrize("kind", PROBLEMS)
def test_an_error_comes_back_as_it_went(kind: type[ModelyardError]) -> None:
    assert error_of(*problem_of(kind("it went wrong"))) is kind


def test_every_error_is_a_problem_as_the_narrowest_class_that_is_known() -> None:
    class Narrower(InvalidData):
        pass

    assert problem_of(Narrower("no")) == ("invalid-data", HTTPStatus.UNPROCESSABLE_ENTITY)
    assert problem_of(MissingExtra("serve", "the service")) == ("usage", HTTPStatus.INTERNAL_SERVER_ERROR)
    own = {kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ModelyardError)}
    # What a service has no part in does not cross: a missing extra is told at once, a signed URL is an object store's.
    assert own - {MissingExtra, TargetExpired} == set(PROBLEMS)


def test_a_problem_that_is_no_error_of_ours_is_none() -> None:
    assert error_of("too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE) is None
    assert error_of("conflict", HTTPStatus.IM_A_TEAPOT) is None
