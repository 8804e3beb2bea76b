"""Documents as read to documents as meant: variables inserted, defaults filled in, models expanded, shape checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from modelyard.config.expansion import check_for_each, combinations
from modelyard.config.kinds import Architecture, Document, FeatureSet, Model, Source
from modelyard.config.problems import Finding
from modelyard.config.substitution import check_insertions, substitute
from modelyard.config.validation import validate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelyard.config.intake import Intake
    from modelyard.config.nodes import RawDocument

D = TypeVar("D", bound=Document)

Names = dict[str, Any]
"""What `${name}` stands for."""

DEFAULTED: dict[type[Document], tuple[str, ...]] = {
    Source: ("owner",),
    FeatureSet: ("owner", "timezone"),
    Architecture: ("owner",),
    Model: ("owner", "timezone"),
}
"""The fields that `defaults` of modelyard.yaml fills in, by kind."""


@dataclass(frozen=True)
class Entry(Generic[D]):
    """A document, and where it was written."""

    raw: RawDocument
    document: D
    names: Names
    """What was inserted into it: the project's variables, and the values of its `for_each`."""


class EntryReader:
    """Reads the documents of a project that has these variables and defaults.

    Args:
        intake: The project's files; problems go there.
        names: The project's variables; None where they are not known, so that nothing can be inserted.
        defaults: What documents may leave out.
    """

    def __init__(self, intake: Intake, names: Names | None, defaults: Mapping[str, Any]) -> None:
        self._intake = intake
        self._inserts = names is not None
        self._names = names or {}
        self._defaults = defaults

    def read(self, kind: type[D], label: str) -> dict[str, Entry[D]]:
        """The documents of a kind without a problem, by name.

        Args:
            kind: The kind's class.
            label: The kind's name.
        """
        entries: dict[str, Entry[D]] = {}
        for raw in self._intake.documents[label]:
            if raw.inserts and not self._inserts:
                self._intake.mark_broken(raw)
                continue
            for entry in self._entries(kind, raw):
                name = entry.document.name
                if name in entries:
                    first = entries[name].raw
                    reason = f"there is another {label} `{name}`"
                    hint = f"in {first.file.name}, line {first.node.place.line}; names are unique in a project"
                    self._intake.report(raw, [Finding(("name",), reason, hint)])
                elif raw.sound:
                    entries[name] = entry
        return entries

    def _entries(self, kind: type[D], raw: RawDocument) -> Iterator[Entry[D]]:
        variants: list[Names] = [{}]
        if kind is Model:
            self._intake.report(raw, check_for_each(raw.value, self._names))
            variants = combinations(substitute(raw.value.get("for_each"), self._names))
        for variant in variants:
            document = self._read(kind, raw, self._insertable(kind, raw, variant))
            if document is not None:
                yield Entry(raw, document, {**self._names, **variant})

    def _insertable(self, kind: type[D], raw: RawDocument, variant: Names) -> Names:
        parameters = raw.value.get("parameters") if kind is Architecture else None
        if not isinstance(parameters, dict):
            return {**self._names, **variant}
        clashes = [
            Finding(
                ("parameters", name),
                f"`{name}` is a variable of modelyard.yaml as well",
                "choose another name",
                at_key=True,
            )
            for name in parameters.keys() & self._names.keys()
        ]
        self._intake.report(raw, clashes)
        return {**self._names, **{name: f"${{{name}}}" for name in parameters}}  # they get values in each model

    def _read(self, kind: type[D], raw: RawDocument, names: Names) -> D | None:
        value = raw.value
        if raw.inserts:
            if self._intake.report(raw, check_insertions(value, names)):
                return None
            value = substitute(value, names)
        filled = {field: self._defaults[field] for field in DEFAULTED.get(kind, ()) if self._defaults.get(field)}
        document = validate(kind, {**filled, **value}, raw)
        if isinstance(document, list):
            self._intake.report(raw, document)
            return None
        return document.model_copy(update={"for_each": {}}) if isinstance(document, Model) else document
