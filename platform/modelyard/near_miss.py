"""Hints for names that are not known: what was probably meant."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LISTED_CHOICES = 12  # more would hide the rest of the message
LEAST_ALIKE = 0.7  # of difflib's ratio: `learning_rat` is, `scoring` for `descriptn` is not
LEAST_PREFIX = 3  # letters; fewer begin too many names


def near_miss(name: object, known: Iterable[str], *, what: str = "there are", otherwise: str | None = None) -> str:
    """A hint: the known names that look like `name`, or else all of them.

    Args:
        name: What was written.
        known: What could have been meant.
        what: How the list of all names begins.
        otherwise: What is said instead of that list.
    """
    choices = sorted(set(known))
    close = lookalikes(str(name), choices)
    if close:
        return f"did you mean {_either(close)}?"
    if otherwise is not None:
        return otherwise
    if not choices:
        return "there is none to name"
    rest = f" and {len(choices) - LISTED_CHOICES} more" if len(choices) > LISTED_CHOICES else ""
    return f"{what}: {', '.join(choices[:LISTED_CHOICES])}{rest}"


def lookalikes(name: str, choices: Sequence[str]) -> list[str]:
    """The names that look like another one, the likest first; at most three."""
    by_lower_case = {choice.lower(): choice for choice in choices}
    alike = _likenesses(name.lower(), by_lower_case)
    least = max(LEAST_ALIKE, max(alike.values(), default=0) - 0.1)  # near the nearest, or not worth a word
    close = sorted((choice for choice in alike if alike[choice] >= least), key=alike.__getitem__, reverse=True)[:3]
    begun = [choice for choice in by_lower_case if len(name) >= LEAST_PREFIX and choice.startswith(name.lower())]
    return [by_lower_case[choice] for choice in (close or begun[:3])]


def _likenesses(name: str, choices: Iterable[str]) -> dict[str, float]:
    """How alike the near choices are to a name; services hold thousands of names, so the quick bounds come first."""
    matcher = SequenceMatcher(None, b=name)
    found = {}
    for choice in choices:
        matcher.set_seq1(choice)
        if matcher.real_quick_ratio() >= LEAST_ALIKE and matcher.quick_ratio() >= LEAST_ALIKE:
            found[choice] = matcher.ratio()
    return found


def _either(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
