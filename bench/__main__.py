"""`python -m bench`: run every benchmark and print its ratios. One more benchmark is one more module with a `run()`."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

from bench.report import Row, print_rows


def main(names: list[str]) -> int:
    """Run benchmarks.

    Args:
        names: Their modules; all of them unless said.

    Returns:
        0 where every target is met, else 1.
    """
    found = names or sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    rows: list[Row] = []
    for name in found:
        module = importlib.import_module(f"bench.{name}")
        if hasattr(module, "run"):
            print(f"Running {name}", file=sys.stderr)
            rows += module.run()
    print_rows(rows)
    return int(not all(row.met for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
