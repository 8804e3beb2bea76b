"""Feature sets: their queries read, what they refer to looked up, and definitions made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.config.checks.catalogue import KnownFeatureSet
from modelyard.config.definitions import FeatureSetDefinition
from modelyard.config.problems import Finding
from modelyard.config.queries import Query, read_query
from modelyard.near_miss import near_miss

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelyard.config.entries import Entry
    from modelyard.config.intake import Intake
    from modelyard.config.kinds import FeatureSet, Source

TEMPLATES = "*.sql.j2"


class FeatureSets:
    """The feature sets of a project.

    Args:
        intake: The project's files; problems go there.
        entries: The feature sets' documents, by name.
        sources: The project's sources, by name.
    """

    def __init__(self, intake: Intake, entries: Mapping[str, Entry[FeatureSet]], sources: Mapping[str, Source]) -> None:
        self._intake = intake
        self._entries = entries
        self._sources = sources
        self._queries: dict[str, Query] = {}
        self._definitions: dict[str, FeatureSetDefinition] = {}

    def known(self) -> dict[str, KnownFeatureSet]:
        """What models may name: the feature sets whose queries can be read."""
        found: dict[str, KnownFeatureSet] = {}
        for name, entry in self._entries.items():
            if entry.document.query is None:
                found[name] = KnownFeatureSet(entry.document)
            elif (query := self._read_query(entry)) is not None:
                self._queries[name] = query
                found[name] = KnownFeatureSet(entry.document, query.columns)
        return found

    def _read_query(self, entry: Entry[FeatureSet]) -> Query | None:
        file = entry.raw.file.parent / str(entry.document.query)
        if not file.resolve().is_relative_to(self._intake.root.resolve()):
            finding = Finding(("query",), "the query lies outside the project", "move it beside its document")
        elif not file.is_file():
            templates = (path.name for path in file.parent.glob(TEMPLATES))
            hint = near_miss(file.name, templates, what="there lie") or "write it"
            finding = Finding(("query",), f"there is no file `{entry.document.query}` beside the document", hint)
        else:
            query = read_query(file)
            if isinstance(query, Query):
                return query
            self._intake.problems += query
            self._intake.mark_broken(entry.raw)
            return None
        self._intake.report(entry.raw, [finding])
        return None

    def check_references(self) -> None:
        """Report what queries refer to and is not there, and queries that refer to each other in a circle."""
        broken = self._intake.broken
        for query in self._queries.values():
            names = (("Source", query.sources, self._sources), ("FeatureSet", query.refs, self._entries))
            for kind, named, known in names:
                for name, line in named.items():
                    if name not in known and name not in broken[kind]:
                        hint = near_miss(name, (*known, *broken[kind]))
                        self._intake.problems.append(query.problem(line, f"there is no {kind} `{name}`", hint))
        for cycle in self._cycles():
            query = self._queries[cycle[0]]
            reason = f"feature sets refer to each other in a circle: {' → '.join(cycle)}"
            self._intake.problems.append(query.problem(query.refs[cycle[1]], reason, "take one of the `ref`s out"))

    def _cycles(self) -> Iterator[list[str]]:
        """Each circle of references once, from its first name back to it."""
        done: set[str] = set()
        for start in sorted(self._queries):
            path, waiting = [start], [iter(sorted(self._queries[start].refs))]
            while waiting and path[-1] not in done:
                step = next(waiting[-1], None)
                if step is None:
                    done.add(path.pop())
                    waiting.pop()
                elif step in path:
                    yield [*path[path.index(step) :], step]
                elif step in self._queries and step not in done:
                    path.append(step)
                    waiting.append(iter(sorted(self._queries[step].refs)))

    def definition(self, name: str) -> FeatureSetDefinition:
        """A feature set with all that it names; only for a project without a problem.

        Args:
            name: The feature set's name.
        """
        if name not in self._definitions:
            document, query = self._entries[name].document, self._queries.get(name)
            named = sorted({*([document.source] if document.source else ()), *(query.sources if query else ())})
            self._definitions[name] = FeatureSetDefinition(
                document=document,
                query=query.text if query else None,
                sources={source: self._sources[source] for source in named},
                refs={ref: self.definition(ref) for ref in (sorted(query.refs) if query else ())},
            )
        return self._definitions[name]
