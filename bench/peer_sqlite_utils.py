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
CREATE TABLE jobs (job_key INTEGER PRIMARY KEY, job_id TEXT, namespace TEXT,
  UNIQUE (job_id, namespace));
CREATE TABLE job_versions (job_key INTEGER, version_no INTEGER, name TEXT, type TEXT,
  priority INTEGER, count INTEGER, version INTEGER, created_at INTEGER,
  PRIMARY KEY (job_key, version_no)) WITHOUT ROWID;
CREATE INDEX job_versions_name ON job_versions (substr(name, 1, 64));
CREATE TABLE tasks (job_key INTEGER, version_no INTEGER, task_no INTEGER, name TEXT,
  engine TEXT, publisher TEXT, PRIMARY KEY (job_key, version_no, task_no)) WITHOUT ROWID;
CREATE TABLE meta_keys (key_id INTEGER PRIMARY KEY, key TEXT UNIQUE);
CREATE TABLE meta_pairs (pair_id INTEGER PRIMARY KEY, key_id INTEGER, value TEXT,
  UNIQUE (key_id, value));
CREATE TABLE meta_entries (job_key INTEGER, version_no INTEGER, task_no INTEGER,
  pair_id INTEGER, PRIMARY KEY (job_key, version_no, task_no, pair_id)) WITHOUT ROWID;
CREATE TABLE label_entries (job_key INTEGER, version_no INTEGER, pair_id INTEGER,
  PRIMARY KEY (job_key, version_no, pair_id)) WITHOUT ROWID;
CREATE TABLE pair_jobs (pair_id INTEGER, created_ms INTEGER, job_key INTEGER,
  PRIMARY KEY (pair_id, created_ms, job_key)) WITHOUT ROWID;
CREATE TABLE identities (identity_id INTEGER PRIMARY KEY, value TEXT UNIQUE);
CREATE TABLE attributions (job_key INTEGER, version_no INTEGER, basis TEXT,
  identity_id INTEGER, PRIMARY KEY (job_key, version_no, basis)) WITHOUT ROWID;
CREATE TABLE identity_jobs (identity_id INTEGER, created_ms INTEGER, job_key INTEGER,
  basis TEXT, PRIMARY KEY (identity_id, created_ms, job_key, basis)) WITHOUT ROWID;
CREATE TABLE observations (job_key INTEGER, document_id INTEGER, version_no INTEGER,
  state TEXT, message TEXT, revision INTEGER, modified_at INTEGER,
  PRIMARY KEY (job_key, document_id)) WITHOUT ROWID;
"""

_NORMALISE = """
INSERT INTO jobs SELECT rowid, ID, Namespace FROM raw;
INSERT INTO job_versions
  SELECT rowid, 1, Name, Type, Priority, Count, Version, CreateTime FROM raw;
INSERT INTO tasks
  SELECT raw.rowid, 1, task.key + 1, task.value ->> 'Name', task.value ->> '$.Engine.Type',
    task.value ->> '$.Publisher.Type'
  FROM raw, json_each(raw.Tasks) AS task;
INSERT INTO observations
  SELECT rowid, rowid - 1, 1, State ->> 'StateType', coalesce(State ->> 'Message', ''),
    Revision, ModifyTime FROM raw;
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
INSERT INTO pair_jobs
  SELECT DISTINCT pair_id, created_at / 1000000 AS created_ms, job_key
  FROM numbered JOIN job_versions USING (job_key) WHERE task_no >= 0 ORDER BY 1, 2, 3;
CREATE TEMP TABLE who AS
  SELECT job_key, 'meta:' || key AS basis, value FROM entry
  WHERE task_no = 0 AND key IN ('bacalhau.org/requester.id', 'bacalhau.org/requester.publicKey',
    'bacalhau.org/client.id', 'bacalhau.org/orchestrator.id',
    'bacalhau.org/server.installation.id', 'bacalhau.org/server.instance.id',
    'bacalhau.org/client.installation.id', 'bacalhau.org/client.instance.id')
  UNION ALL
  SELECT job_key, 'namespace', namespace FROM jobs WHERE length(namespace) = 64
    AND job_key NOT IN (SELECT job_key FROM entry WHERE key = 'bacalhau.org/client.id');
INSERT INTO identities (value) SELECT DISTINCT value FROM who;
INSERT INTO attributions
  SELECT job_key, 1, basis, identity_id FROM who JOIN identities USING (value);
INSERT INTO identity_jobs
  SELECT identity_id, created_at / 1000000 AS created_ms, job_key, basis
  FROM attributions JOIN job_versions USING (job_key) ORDER BY 1, 2, 3;
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
