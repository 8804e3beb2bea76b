"""Gates: conditions on metrics that a version must meet to be registered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelyard.training.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelyard.config.kinds.model import Gate
    from modelyard.registry.records import Estimate


def missed_gates(
    gates: Sequence[Gate], metrics: Mapping[str, Estimate], live: Mapping[str, Estimate] | None
) -> list[str]:
    """What is not met, in words; empty where the version may be registered.

    Args:
        gates: The conditions.
        metrics: The candidate's metrics.
        live: The live version's metrics on the candidate's own test rows; None where no version is live.
    """
    return [words for gate in gates if (words := _missed(gate, metrics.get(gate.metric), live))]


def _missed(gate: Gate, found: Estimate | None, live: Mapping[str, Estimate] | None) -> str:
    if found is None:
        return f"{gate.metric} is not defined on these rows, but a gate asks for it"
    value = found.value
    if gate.at_least is not None and value < gate.at_least:
        return f"{gate.metric} is {value:.4f}, below {gate.at_least:g}"
    if gate.at_most is not None and value > gate.at_most:
        return f"{gate.metric} is {value:.4f}, above {gate.at_most:g}"
    if gate.within is not None and live is not None and gate.metric in live:
        other = live[gate.metric].value
        worse_by = other - value if METRICS[gate.metric].greater_is_better else value - other
        if worse_by > gate.within:
            return (
                f"{gate.metric} is {value:.4f}, worse than the live version's {other:.4f} on the same rows "
                f"by {worse_by:.4f}; {gate.within:g} is allowed"
            )
    return ""
