"""What an error tells people, programs and other processes."""

import pickle  # how a worker process hands an error back

import pytest

from modelyard.errors import (
    Conflict,
    Forbidden,
    IntegrityError,
    InvalidData,
    MissingExtra,
    ModelyardError,
    NotFound,
    StorageFull,
    Unapproved,
    Unauthenticated,
    Unavailable,
    UsageError,
)

KINDS = (
    UsageError,
    InvalidData,
    NotFound,
    Conflict,
    Unavailable,
    StorageFull,
    IntegrityError,
    Unapproved,
    Unauthenticated,
    Forbidden,
)


def test_an_error_ends_in_its_hint() -> None:
    assert str(InvalidData("no column `age` in `loans`", "did you mean `aged`?")) == (
        "no column `age` in `loans`\n  hint: did you mean `aged`?"
    )
    assert str(NotFound("no model `ke`")) == "no model `ke`"


def test_a_missing_extra_says_how_to_install_it() -> None:
    error = MissingExtra("lightgbm", "the pipeline of `ke_loan_default`")
    assert "the pipeline of `ke_loan_default` needs the extra `lightgbm`" in str(error)
    assert error.hint == "pip install 'modelyard[lightgbm]'"


@pytest.mark.parametrize("error", [*(kind("why", "how") for kind in KINDS), MissingExtra("serving", "the registry")])
def test_an_error_survives_the_way_between_processes(error: ModelyardError) -> None:
    back = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(back) is type(error)
    assert (back.reason, back.hint, vars(back)) == (error.reason, error.hint, vars(error))


def test_exit_codes_tell_wrong_usage_bad_data_and_try_again_apart() -> None:
    assert {kind.__name__: (kind.exit_code, kind.transient) for kind in (*KINDS, MissingExtra, ModelyardError)} == {
        "UsageError": (64, False),
        "MissingExtra": (64, False),
        "InvalidData": (65, False),
        "IntegrityError": (65, False),
        "NotFound": (1, False),
        "Conflict": (1, False),
        "StorageFull": (1, False),
        "ModelyardError": (1, False),
        "Unavailable": (75, True),
        "Unapproved": (1, False),
        "Unauthenticated": (77, False),
        "Forbidden": (77, False),
    }
