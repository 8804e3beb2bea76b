"""From live versions to the DAGs that score with them: plans are pure data, and Airflow is known to `dags/` alone."""
