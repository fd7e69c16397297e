"""sqlite-utils: `insert --nl`, then normalising by SQL into the same kind of tables.

    python -m bench.peer_sqlite_utils FILE STORE

The raw table stays, as the only evidence this way keeps. SQLite has no SHA-256, so the
dictionaries are unique on their text and there is no digest of the spec. Prints one JSON
object, with the seconds of both parts.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

_TABLES = """
CREATE TABLE terms (term_id INTEGER PRIMARY KEY, term TEXT UNIQUE);
CREATE TABLE jobs (job_key INTEGER PRIMARY KEY, job_id TEXT, namespace_id INTEGER,
  UNIQUE (job_id, namespace_id));
CREATE TABLE job_versions (job_key INTEGER, version_no INTEGER, origin_id INTEGER,
  layout_id INTEGER, name_id INTEGER, type_id INTEGER, priority INTEGER, count INTEGER,
  version INTEGER, created_at INTEGER, attribution_set INTEGER,
  PRIMARY KEY (job_key, version_no)) WITHOUT ROWID;
CREATE INDEX job_versions_name ON job_versions (name_id);
CREATE INDEX job_versions_set ON job_versions (attribution_set, created_at);
CREATE TABLE tasks (job_key INTEGER, version_no INTEGER, task_no INTEGER, name_id INTEGER,
  engine_id INTEGER, publisher_id INTEGER, PRIMARY KEY (job_key, version_no, task_no))
  WITHOUT ROWID;
CREATE TABLE meta_keys (key_id INTEGER PRIMARY KEY, key TEXT UNIQUE);
CREATE TABLE meta_pairs (pair_id INTEGER PRIMARY KEY, key_id INTEGER, value TEXT,
  UNIQUE (key_id, value));
CREATE TABLE meta_entries (job_key INTEGER, version_no INTEGER, task_no INTEGER,
  pair_id INTEGER, PRIMARY KEY (job_key, version_no, task_no, pair_id)) WITHOUT ROWID;
CREATE TABLE label_entries (job_key INTEGER, version_no INTEGER, pair_id INTEGER,
  PRIMARY KEY (job_key, version_no, pair_id)) WITHOUT ROWID;
CREATE INDEX meta_entries_pair ON meta_entries (pair_id);
CREATE INDEX label_entries_pair ON label_entries (pair_id);
CREATE TABLE current_jobs (job_key INTEGER PRIMARY KEY, document_id INTEGER, version_no INTEGER,
  versions INTEGER, created_at INTEGER, modified_at INTEGER, revision INTEGER, version INTEGER,
  namespace TEXT, state TEXT, type TEXT, origin TEXT, name_id INTEGER, client_id INTEGER,
  requester_id INTEGER);
CREATE INDEX current_jobs_created ON current_jobs (created_at);
CREATE INDEX current_jobs_client ON current_jobs (client_id, created_at);
CREATE INDEX current_jobs_requester ON current_jobs (requester_id, created_at);
CREATE INDEX current_jobs_name ON current_jobs (name_id, created_at);
CREATE INDEX current_jobs_namespace ON current_jobs (namespace, created_at);
CREATE INDEX current_jobs_state ON current_jobs (state, created_at);
CREATE TABLE identities (identity_id INTEGER PRIMARY KEY, value TEXT UNIQUE);
CREATE TABLE attribution_sets (set_id INTEGER PRIMARY KEY, members TEXT UNIQUE);
CREATE TABLE attribution_members (set_id INTEGER, key_id INTEGER, identity_id INTEGER,
  PRIMARY KEY (set_id, key_id, identity_id)) WITHOUT ROWID;
CREATE INDEX attribution_members_identity ON attribution_members (identity_id);
CREATE TABLE observations (job_key INTEGER, document_id INTEGER, version_no INTEGER,
  state_id INTEGER, message_id INTEGER, revision INTEGER, modified_at INTEGER,
  PRIMARY KEY (job_key, document_id)) WITHOUT ROWID;
"""

_NORMALISE = """
CREATE TEMP TABLE job AS
  SELECT rowid AS job_key, State ->> 'StateType' AS state,
    coalesce(State ->> 'Message', '') AS message,
    CASE WHEN instr(Meta, '"bacalhau.org/orchestrator.id"') THEN 'v1.5.2'
      WHEN instr(Meta, '"bacalhau.org/requester.publicKey"') THEN 'v1.0.4'
      ELSE 'v1.2.1' END AS layout
  FROM raw;
CREATE TEMP TABLE task AS
  SELECT raw.rowid AS job_key, task.key + 1 AS task_no, task.value ->> 'Name' AS name,
    task.value ->> '$.Engine.Type' AS engine, task.value ->> '$.Publisher.Type' AS publisher
  FROM raw, json_each(raw.Tasks) AS task;
INSERT INTO terms (term)
  SELECT 'orchestrator' UNION SELECT layout FROM job UNION SELECT state FROM job
  UNION SELECT message FROM job UNION SELECT Namespace FROM raw UNION SELECT Name FROM raw
  UNION SELECT Type FROM raw UNION SELECT name FROM task UNION SELECT engine FROM task
  UNION SELECT publisher FROM task;
INSERT INTO jobs
  SELECT raw.rowid, ID, term_id FROM raw JOIN terms ON term = Namespace ORDER BY raw.rowid;
INSERT INTO tasks
  SELECT job_key, 1, task_no, name.term_id, engine.term_id, publisher.term_id
  FROM task JOIN terms name ON name.term = task.name
  JOIN terms engine ON engine.term = task.engine
  JOIN terms publisher ON publisher.term = task.publisher
  ORDER BY job_key, task_no;
INSERT INTO observations
  SELECT job_key, job_key - 1, 1, state.term_id, message.term_id, Revision, ModifyTime
  FROM job JOIN raw ON raw.rowid = job_key JOIN terms state ON state.term = job.state
  JOIN terms message ON message.term = job.message ORDER BY job_key;
CREATE TEMP TABLE entry AS
  SELECT raw.rowid AS job_key, 0 AS task_no, meta.key AS key, meta.value AS value
  FROM raw, json_each(raw.Meta) AS meta
  UNION ALL
  SELECT raw.rowid, task.key + 1, meta.key, meta.value
  FROM raw, json_each(raw.Tasks) AS task, json_each(task.value, '$.Meta') AS meta
  UNION ALL
  SELECT raw.rowid, -1, label.key, label.value FROM raw, json_each(raw.Labels) AS label;
INSERT INTO meta_keys (key) SELECT DISTINCT key FROM entry;
INSERT INTO meta_pairs (key_id, value)
  SELECT DISTINCT key_id, value FROM entry JOIN meta_keys USING (key);
CREATE TEMP TABLE numbered AS
  SELECT entry.job_key, task_no, pair_id
  FROM entry JOIN meta_keys USING (key) JOIN meta_pairs USING (key_id, value);
INSERT INTO meta_entries SELECT job_key, 1, task_no, pair_id FROM numbered WHERE task_no >= 0;
INSERT INTO label_entries SELECT job_key, 1, pair_id FROM numbered WHERE task_no < 0;
CREATE TEMP TABLE who AS
  SELECT job_key, pair_id, key_id, value
  FROM numbered JOIN meta_pairs USING (pair_id) JOIN meta_keys USING (key_id)
  WHERE task_no = 0 AND key IN ('bacalhau.org/requester.id', 'bacalhau.org/requester.publicKey',
    'bacalhau.org/client.id', 'bacalhau.org/orchestrator.id',
    'bacalhau.org/server.installation.id', 'bacalhau.org/server.instance.id',
    'bacalhau.org/client.installation.id', 'bacalhau.org/client.instance.id');
INSERT INTO identities (value) SELECT DISTINCT value FROM who;
CREATE TEMP TABLE who_of AS
  SELECT job_key, group_concat(key_id || ':' || identity_id, ',') AS members
  FROM (SELECT job_key, key_id, identity_id FROM who JOIN identities USING (value)
    ORDER BY job_key, key_id)
  GROUP BY job_key;
INSERT INTO attribution_sets (members) SELECT DISTINCT members FROM who_of;
INSERT INTO attribution_members
  SELECT DISTINCT set_id, key_id, identity_id
  FROM who JOIN identities USING (value) JOIN who_of USING (job_key)
  JOIN attribution_sets USING (members);
INSERT INTO job_versions
  SELECT job_key, 1, origin.term_id, layout.term_id, name.term_id, type.term_id, Priority, Count,
    Version, CreateTime, set_id
  FROM job JOIN raw ON raw.rowid = job_key JOIN who_of USING (job_key)
  JOIN attribution_sets USING (members) JOIN terms origin ON origin.term = 'orchestrator'
  JOIN terms layout ON layout.term = job.layout JOIN terms name ON name.term = raw.Name
  JOIN terms type ON type.term = raw.Type
  ORDER BY job_key;
CREATE TEMP TABLE named AS
  SELECT job_key, max(identity_id) FILTER (WHERE key = 'bacalhau.org/client.id') AS client_id,
    max(identity_id) FILTER (
      WHERE key IN ('bacalhau.org/orchestrator.id', 'bacalhau.org/requester.id')) AS requester_id
  FROM who JOIN meta_keys USING (key_id) JOIN identities USING (value) GROUP BY job_key;
CREATE INDEX named_job ON named (job_key);
INSERT INTO current_jobs
  SELECT job_key, job_key - 1, 1, 1, CreateTime, ModifyTime, Revision, Version, Namespace,
    job.state, Type, 'orchestrator', term_id, coalesce(client_id, 0), coalesce(requester_id, 0)
  FROM job JOIN raw ON raw.rowid = job_key JOIN terms ON term = raw.Name
  LEFT JOIN named USING (job_key) ORDER BY job_key;
"""


def insert(file: Path, store: Path) -> None:
    """Load the file with sqlite-utils as it is, one row per job with JSON columns."""
    command = [sys.executable, "-m", "sqlite_utils", "insert", str(store), "raw", str(file), "--nl"]
    subprocess.run([*command, "--batch-size", "10000", "--silent"], check=True)


def normalise(store: Path) -> int:
    """Fill the normalised tables from the raw one; return the number of jobs."""
    connection = sqlite3.connect(store)
    connection.executescript(f"{_TABLES} BEGIN; {_NORMALISE} COMMIT;")
    count: int = connection.execute("SELECT count(*) FROM jobs").fetchone()[0]
    connection.close()
    return count


def main() -> None:
    """Run the command line."""
    file, store = Path(sys.argv[1]), Path(sys.argv[2])
    began = time.perf_counter()
    connection = sqlite3.connect(store)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    insert(file, store)
    inserted = time.perf_counter()
    count = normalise(store)
    done = time.perf_counter()
    parts = {"insert": inserted - began, "normalise": done - inserted}
    print(json.dumps({"documents": count, "seconds": done - began, "parts": parts}))


if __name__ == "__main__":
    main()
