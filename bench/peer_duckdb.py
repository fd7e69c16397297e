"""DuckDB: reads the NDJSON and normalises it by SQL, with or without indexes.

    python -m bench.peer_duckdb FILE STORE [--indexes]

Columnar, all cores, no evidence, and no key is unique unless `--indexes` is given: then the
indexes that correspond to the store's keys are built after the load. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

_COLUMNS = """{
  ID: 'VARCHAR', Name: 'VARCHAR', Namespace: 'VARCHAR', Type: 'VARCHAR', Priority: 'BIGINT',
  Count: 'BIGINT', Meta: 'MAP(VARCHAR, VARCHAR)', Labels: 'MAP(VARCHAR, VARCHAR)',
  Tasks: 'STRUCT(Name VARCHAR, Engine STRUCT("Type" VARCHAR), Publisher STRUCT("Type" VARCHAR),
    Meta MAP(VARCHAR, VARCHAR))[]',
  State: 'STRUCT(StateType VARCHAR, Message VARCHAR)', Version: 'BIGINT', Revision: 'BIGINT',
  CreateTime: 'BIGINT', ModifyTime: 'BIGINT'}"""

_NORMALISE = f"""
CREATE TEMP TABLE raw AS
  SELECT row_number() OVER () AS job_key, * FROM read_json(
    $file, format = 'newline_delimited', columns = {_COLUMNS}, maximum_object_size = 10000000);
CREATE TEMP TABLE job AS
  SELECT job_key, ID AS job_id, Namespace AS namespace, 'orchestrator' AS origin,
    CASE WHEN map_contains(Meta, 'bacalhau.org/orchestrator.id') THEN 'v1.5.2'
      WHEN map_contains(Meta, 'bacalhau.org/requester.publicKey') THEN 'v1.0.4'
      ELSE 'v1.2.1' END AS layout,
    Name AS name, Type AS type, State.StateType AS state,
    coalesce(State.Message, '') AS message, Priority AS priority, Count AS count,
    Version AS version, Revision AS revision, CreateTime AS created_at, ModifyTime AS modified_at
  FROM raw;
CREATE TEMP TABLE task AS
  SELECT job_key, generate_subscripts(Tasks, 1) AS task_no, unnest(Tasks) AS task FROM raw;
CREATE TABLE terms AS
  SELECT row_number() OVER () AS term_id, term FROM (
    SELECT unnest([namespace, origin, layout, name, type, state, message]) AS term FROM job
    UNION
    SELECT unnest([task.Name, task.Engine.Type, task.Publisher.Type]) FROM task);
CREATE TABLE jobs AS
  SELECT job_key, job_id, term_id AS namespace_id FROM job JOIN terms ON term = namespace;
CREATE TABLE tasks AS
  SELECT job_key, 1 AS version_no, task_no, name.term_id AS name_id, engine.term_id AS engine_id,
    publisher.term_id AS publisher_id
  FROM task JOIN terms name ON name.term = task.Name
  JOIN terms engine ON engine.term = task.Engine.Type
  JOIN terms publisher ON publisher.term = task.Publisher.Type;
CREATE TABLE observations AS
  SELECT job_key, job_key - 1 AS document_id, 1 AS version_no, state.term_id AS state_id,
    message.term_id AS message_id, revision, modified_at
  FROM job JOIN terms state ON state.term = job.state
  JOIN terms message ON message.term = job.message;
CREATE TEMP TABLE entry AS
  SELECT job_key, task_no, pair.key AS key, pair.value AS value FROM (
    SELECT job_key, 0 AS task_no, unnest(map_entries(Meta)) AS pair FROM raw
    UNION ALL
    SELECT job_key, task_no, unnest(map_entries(task.Meta)) FROM task
    UNION ALL
    SELECT job_key, -1, unnest(map_entries(Labels)) FROM raw);
CREATE TABLE meta_keys AS
  SELECT row_number() OVER () AS key_id, key FROM (SELECT DISTINCT key FROM entry);
CREATE TABLE meta_pairs AS
  SELECT row_number() OVER () AS pair_id, key_id, value
  FROM (SELECT DISTINCT key, value FROM entry) JOIN meta_keys USING (key);
CREATE TEMP TABLE numbered AS
  SELECT job_key, task_no, pair_id
  FROM entry JOIN meta_keys USING (key) JOIN meta_pairs USING (key_id, value);
CREATE TABLE meta_entries AS
  SELECT job_key, 1 AS version_no, task_no, pair_id FROM numbered WHERE task_no >= 0;
CREATE TABLE label_entries AS
  SELECT job_key, 1 AS version_no, pair_id FROM numbered WHERE task_no < 0;
CREATE TEMP TABLE who AS
  SELECT job_key, pair_id, key, value
  FROM numbered JOIN meta_pairs USING (pair_id) JOIN meta_keys USING (key_id)
  WHERE task_no = 0 AND key IN ('bacalhau.org/requester.id', 'bacalhau.org/requester.publicKey',
    'bacalhau.org/client.id', 'bacalhau.org/orchestrator.id',
    'bacalhau.org/server.installation.id', 'bacalhau.org/server.instance.id',
    'bacalhau.org/client.installation.id', 'bacalhau.org/client.instance.id');
CREATE TABLE identities AS
  SELECT row_number() OVER () AS identity_id, value FROM (SELECT DISTINCT value FROM who);
CREATE TEMP TABLE who_of AS
  SELECT job_key, list((key, identity_id) ORDER BY key) AS members
  FROM who JOIN identities USING (value) GROUP BY job_key;
CREATE TABLE attribution_sets AS
  SELECT row_number() OVER () AS set_id, members FROM (SELECT DISTINCT members FROM who_of);
CREATE TABLE attribution_members AS
  SELECT set_id, 'meta:' || member[1] AS basis, member[2] AS identity_id
  FROM (SELECT set_id, unnest(members) AS member FROM attribution_sets);
CREATE TABLE job_versions AS
  SELECT job_key, 1 AS version_no, origin.term_id AS origin_id, layout.term_id AS layout_id,
    name.term_id AS name_id, type.term_id AS type_id, priority, count, version, created_at,
    set_id AS attribution_set
  FROM job JOIN who_of USING (job_key) JOIN attribution_sets USING (members)
  JOIN terms origin ON origin.term = job.origin JOIN terms layout ON layout.term = job.layout
  JOIN terms name ON name.term = job.name JOIN terms type ON type.term = job.type;
CREATE TEMP TABLE named AS
  SELECT job_key, max(identity_id) FILTER (key = 'bacalhau.org/client.id') AS client_id,
    max(identity_id) FILTER (key IN ('bacalhau.org/orchestrator.id', 'bacalhau.org/requester.id'))
      AS requester_id
  FROM who JOIN identities USING (value) GROUP BY job_key;
CREATE TABLE current_jobs AS
  SELECT job_key, job_key - 1 AS document_id, 1 AS version_no, 1 AS versions, created_at,
    modified_at, revision, version, namespace, state, type, origin, term_id AS name_id,
    coalesce(client_id, 0) AS client_id, coalesce(requester_id, 0) AS requester_id
  FROM job JOIN terms ON term = name LEFT JOIN named USING (job_key);
"""

_INDEXES = """
CREATE UNIQUE INDEX jobs_key ON jobs (job_key);
CREATE UNIQUE INDEX jobs_id ON jobs (job_id, namespace_id);
CREATE UNIQUE INDEX terms_key ON terms (term_id);
CREATE UNIQUE INDEX terms_text ON terms (term);
CREATE UNIQUE INDEX job_versions_key ON job_versions (job_key, version_no);
CREATE INDEX job_versions_name ON job_versions (name_id);
CREATE INDEX job_versions_set ON job_versions (attribution_set, created_at);
CREATE UNIQUE INDEX tasks_key ON tasks (job_key, version_no, task_no);
CREATE UNIQUE INDEX observations_key ON observations (job_key, document_id);
CREATE UNIQUE INDEX meta_keys_key ON meta_keys (key_id);
CREATE UNIQUE INDEX meta_keys_text ON meta_keys (key);
CREATE UNIQUE INDEX meta_pairs_key ON meta_pairs (pair_id);
CREATE UNIQUE INDEX meta_pairs_value ON meta_pairs (key_id, value);
CREATE INDEX meta_entries_job ON meta_entries (job_key);
CREATE INDEX label_entries_job ON label_entries (job_key);
CREATE INDEX meta_entries_pair ON meta_entries (pair_id);
CREATE INDEX label_entries_pair ON label_entries (pair_id);
CREATE UNIQUE INDEX current_jobs_key ON current_jobs (job_key);
CREATE INDEX current_jobs_created ON current_jobs (created_at);
CREATE INDEX current_jobs_client ON current_jobs (client_id, created_at);
CREATE INDEX current_jobs_requester ON current_jobs (requester_id, created_at);
CREATE INDEX current_jobs_name ON current_jobs (name_id, created_at);
CREATE INDEX current_jobs_namespace ON current_jobs (namespace, created_at);
CREATE INDEX current_jobs_state ON current_jobs (state, created_at);
CREATE UNIQUE INDEX identities_key ON identities (identity_id);
CREATE UNIQUE INDEX identities_value ON identities (value);
CREATE UNIQUE INDEX attribution_sets_key ON attribution_sets (set_id);
CREATE INDEX attribution_members_set ON attribution_members (set_id);
CREATE INDEX attribution_members_identity ON attribution_members (identity_id);
"""


def _statements(script: str) -> list[str]:
    return [statement for part in script.split(";") if (statement := part.strip())]


def load(file: Path, store: Path, *, indexes: bool) -> tuple[int, dict[str, float]]:
    """Load a file into the store; return the number of jobs and the seconds of both parts."""
    import duckdb

    began = time.perf_counter()
    connection = duckdb.connect(str(store))
    connection.execute("BEGIN")
    for statement in _statements(_NORMALISE):
        connection.execute(statement, {"file": str(file)} if "$file" in statement else None)
    connection.execute("COMMIT")
    loaded = time.perf_counter()
    for statement in _statements(_INDEXES) if indexes else ():
        connection.execute(statement)
    found = connection.execute("SELECT count(*) FROM jobs").fetchone()
    connection.execute("CHECKPOINT")
    connection.close()
    parts = {"normalise": loaded - began, "indexes": time.perf_counter() - loaded}
    return (found[0] if found else 0), parts


def main() -> None:
    """Run the command line."""
    file, store = Path(sys.argv[1]), Path(sys.argv[2])
    began = time.perf_counter()
    count, parts = load(file, store, indexes="--indexes" in sys.argv[3:])
    seconds = time.perf_counter() - began
    print(json.dumps({"documents": count, "seconds": seconds, "parts": parts}))


if __name__ == "__main__":
    main()
