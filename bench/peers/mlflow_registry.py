"""MLflow's registry client on its SQL store: what `bench.registry` measures, run by the Python that has MLflow.

    python mlflow_registry.py FOLDER VERSIONS ROUNDS CALLS

Writes the seconds of one call of each kind as JSON: of the fastest round.
"""

from __future__ import annotations

import importlib
import json
import logging
import sqlite3
import sys
import time
import warnings
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

NEWEST = ["version_number DESC"]
PATIENCE = 2.0
"""Seconds of a round: some calls take that long each."""


def main(folder: str, versions: int, rounds: int, calls: int) -> None:
    """Measure."""
    warnings.simplefilter("ignore")
    logging.disable()
    address = f"sqlite:///{folder}/mlflow.db"
    client: Any = importlib.import_module("mlflow.tracking").MlflowClient(address, address)
    client.create_registered_model("ke")
    client.create_model_version("ke", source=f"file://{folder}/model")
    load(f"{folder}/mlflow.db", versions)

    def fastest(call: Callable[[], object]) -> float:
        call()
        return min(seconds(call, calls) for _ in range(rounds))

    latest = (
        lambda: client.search_model_versions("name='ke'", max_results=1, order_by=NEWEST),
        lambda: client.get_latest_versions("ke"),
    )
    found = {
        "page": fastest(lambda: client.search_model_versions("name='ke'", max_results=100, order_by=NEWEST)),
        "latest": min(map(fastest, latest)),
        "create": fastest(lambda: client.create_model_version("ke", source=f"file://{folder}/model")),
    }
    print(json.dumps(found))


def load(path: str, versions: int) -> None:
    """Make as many copies of the first version."""
    with closing(sqlite3.connect(path)) as connection, connection:
        cursor = connection.execute("SELECT * FROM model_versions")
        names = [column[0] for column in cursor.description]
        row = cursor.fetchone()
        place = names.index("version")
        rows = ((*row[:place], number, *row[place + 1 :]) for number in range(2, versions + 1))
        marks = ", ".join("?" * len(names))
        connection.executemany(f"INSERT INTO model_versions ({', '.join(names)}) VALUES ({marks})", rows)


def seconds(call: Callable[[], object], calls: int) -> float:
    """How long a call takes."""
    begun = time.perf_counter()
    done = 0
    while done < calls and (done == 0 or time.perf_counter() - begun < PATIENCE):
        call()
        done += 1
    return (time.perf_counter() - begun) / done


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
