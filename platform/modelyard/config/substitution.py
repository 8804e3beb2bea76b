"""Insert `${name}` into a document's values.

Alone in a value it keeps its type (`cpu: ${cores}` is a number); inside longer text it is inserted as text. `$${`
stands for `${` itself. Keys are left as they are. What is inserted is not looked at again, so no value can bring
another name in.

A variable whose environment variable is not set is inserted as `${env:NAME}`: whoever needs the value calls
`refuse_unset` and gets an error that names it, and whoever only checks documents is not held up.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from modelyard.config.problems import Finding
from modelyard.errors import InvalidData
from modelyard.near_miss import near_miss

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelyard.config.problems import FieldPath

_INSERTION = re.compile(r"\$(?P<escaped>\$)?\{(?:(?P<name>[^{}]*)(?P<end>\}))?")
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_UNSET = re.compile(r"\$\{env:([A-Z_][A-Z0-9_]*)\}")


def unset_marker(environment_variable: str) -> str:
    """What stands for the value of an environment variable that is not set."""
    return f"${{env:{environment_variable}}}"


def unset_variables(value: Any) -> frozenset[str]:
    """The environment variables that plain JSON values need, and that were not set when they were read."""
    if isinstance(value, str):
        return frozenset(_UNSET.findall(value))
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return frozenset().union(*map(unset_variables, parts))


def refuse_unset(value: Any, needed_for: str) -> None:
    """Check that no value waits for an environment variable.

    Args:
        value: A path, or any plain JSON values.
        needed_for: What needs them, such as ``the source `loans` ``.

    Raises:
        InvalidData: One or more are not set; they are named.
    """
    missing = sorted(unset_variables(value))
    if missing:
        reason = f"{needed_for} needs the environment variable {', '.join(missing)}, which is not set"
        raise InvalidData(reason, f"export {missing[0]}=..., or give the variable a default in modelyard.yaml")


def names_in(value: Any) -> frozenset[str]:
    """The names that values insert."""
    if isinstance(value, str):
        matches = _INSERTION.finditer(value) if "${" in value else ()
        return frozenset(match["name"] for match in matches if match["name"] and not match["escaped"])
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return frozenset().union(*map(names_in, parts))


def substitute(value: Any, names: Mapping[str, Any]) -> Any:
    """Values with every known name inserted; what `check_insertions` finds is left as it is written.

    Args:
        value: Plain values: dicts, lists and scalars.
        names: The value of each name.
    """
    if isinstance(value, str):
        return _insert(value, names) if "${" in value else value
    if isinstance(value, dict):
        return {key: substitute(item, names) for key, item in value.items()}
    return [substitute(item, names) for item in value] if isinstance(value, list) else value


def _insert(text: str, names: Mapping[str, Any]) -> Any:
    alone = _INSERTION.fullmatch(text)
    if alone and not alone["escaped"] and alone["name"] in names:
        return names[alone["name"]]
    return _INSERTION.sub(lambda match: _inserted(match, names), text)


def _inserted(match: re.Match[str], names: Mapping[str, Any]) -> str:
    if match["escaped"]:
        return match[0][1:]
    return as_text(names[match["name"]]) if match["name"] in names else match[0]


def as_text(value: object) -> str:
    """A value as it is inserted into longer text: truth values as YAML writes them."""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def check_insertions(value: Any, names: Mapping[str, Any], path: FieldPath = ()) -> Iterator[Finding]:
    """What cannot be inserted: names that nobody gave a value, and `${` that is not closed.

    Args:
        value: Plain values, before anything was inserted.
        names: The value of each name.
        path: Where the value stands.
    """
    if isinstance(value, str):
        if "${" in value:
            yield from _check_text(value, names, path)
    elif isinstance(value, dict):
        for key, item in value.items():
            if "${" in key:
                yield Finding((*path, key), "nothing is inserted into a key", "write the key out", at_key=True)
            yield from check_insertions(item, names, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from check_insertions(item, names, (*path, index))


def _check_text(text: str, names: Mapping[str, Any], path: FieldPath) -> Iterator[Finding]:
    for match in _INSERTION.finditer(text):
        name = match["name"]
        if match["escaped"]:
            continue
        if match["end"] is None:
            yield Finding(path, "`${` is not closed", "write ${name}, or $${ for the characters themselves")
        elif not _NAME.fullmatch(name):
            hint = "lower-case letters, digits and underscores; $${ stands for the characters themselves"
            yield Finding(path, f"`{match[0]}` does not name a variable", hint)
        elif name not in names:
            hint = near_miss(name, names) if names else "declare it under `vars` in modelyard.yaml"
            yield Finding(path, f"there is no variable `{name}`", hint)
        elif match[0] != text and not isinstance(names[name], str | int | float):
            yield Finding(
                path, f"the value of `{name}` is no text, so it can only stand alone", f"write just ${{{name}}}"
            )
