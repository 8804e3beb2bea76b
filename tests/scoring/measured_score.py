"""`python -m tests.scoring.measured_score FOLDER`: scores a day, and prints how many rows that were, and its memory."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from modelyard.features.duckdb import DuckDBEngine
from modelyard.scoring.batch import find_target, score_partition
from tests.scoring.world import DAY, MODEL, open_world

folder = Path(sys.argv[1])
world = open_world(folder)
target = find_target(world.registry, MODEL, DAY)
# So little that the engine has to spill what it holds: whatever grows beyond this grows with the rows.
engine = DuckDBEngine(folder, folder / "scratch", memory_limit="64MiB", threads=1)
result = score_partition(target, world.load, world.datasets, engine)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kibibytes, but bytes on macOS
unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
sys.stdout.write(json.dumps({"rows": result.manifest.rows, "mebibytes": peak / unit}))
