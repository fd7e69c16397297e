"""Take each day's job documents into the audit store, then check the store.

Exit code 1 says that there is something to look at (documents rejected): the task is then skipped
in Airflow's sense, so that it stands out without failing the day.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG(
    dag_id="meta_audit",
    schedule="@daily",
    start_date=datetime(2025, 1, 1),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=10)},
    tags=["audit"],
):
    ingest = BashOperator(
        task_id="ingest",
        bash_command="meta-audit --quiet ingest /srv/bacalhau/jobs/{{ ds }}",
        env={"META_AUDIT_DB": "/srv/audit/audit.db", "HOME": "/srv/audit"},
        append_env=True,
        skip_on_exit_code=1,
    )
    verify = BashOperator(
        task_id="verify",
        bash_command="meta-audit verify",
        env={"META_AUDIT_DB": "/srv/audit/audit.db", "HOME": "/srv/audit"},
        append_env=True,
        trigger_rule="all_done",
    )
    ingest >> verify
