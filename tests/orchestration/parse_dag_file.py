"""Parse a DAG file as Airflow's processor does, in a process of its own, and write down what came of it.

python parse_dag_file.py DAG_FILE REPORT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

opened: list[str] = []


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and str(arguments[0]).endswith(".json"):
        opened.append(str(arguments[0]))


def main(dag_file: str, report: str) -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization

    sys.addaudithook(_listen)
    bag = DagBag(dag_folder=dag_file, include_examples=False)
    # As Airflow keeps and compares it; by itself it puts keys in the order of a set.
    dags = {dag_id: json.dumps(DagSerialization.to_dict(dag), sort_keys=True) for dag_id, dag in bag.dags.items()}
    found = {"dags": dags, "errors": list(bag.import_errors.values()), "opened": opened}
    Path(report).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
