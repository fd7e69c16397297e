"""The questions of docs/questions.md that can be asked of documents without a store.

For DuckDB over NDJSON or Parquet, and for PostgreSQL with documents in a jsonb column with a GIN
index (bench.peer_pg_jsonb). `{job}`, `{client}` and so on stand for a drawn value, quoted.
"""

from __future__ import annotations

_COLUMNS = """{
  ID: 'VARCHAR', Name: 'VARCHAR', Namespace: 'VARCHAR', Type: 'VARCHAR',
  Meta: 'MAP(VARCHAR, VARCHAR)', Labels: 'MAP(VARCHAR, VARCHAR)',
  Tasks: 'STRUCT(Name VARCHAR, Engine STRUCT("Type" VARCHAR), Meta MAP(VARCHAR, VARCHAR))[]',
  State: 'STRUCT(StateType VARCHAR, Message VARCHAR)', CreateTime: 'BIGINT'}"""

NDJSON = f"""CREATE VIEW raw AS SELECT * FROM read_json('{{file}}', columns = {_COLUMNS},
  format = 'newline_delimited', maximum_object_size = 10000000)"""
TO_PARQUET = "COPY raw TO '{file}' (FORMAT parquet, COMPRESSION zstd)"
PARQUET = "CREATE VIEW raw AS SELECT * FROM read_parquet('{file}')"

_MONTH = "CreateTime >= {from_ns} AND CreateTime < {until_ns}"
_REQUESTER = "Meta['bacalhau.org/requester.id']"

DUCKDB: dict[int, str] = {
    2: "SELECT ID, Name, State.StateType, CreateTime FROM raw"
    f" WHERE Meta['bacalhau.org/client.id'] = {{client}} AND {_MONTH} ORDER BY CreateTime",
    3: "SELECT ID, Name, CreateTime FROM raw WHERE Meta['project'] = {project}"
    " AND len(list_filter(Tasks, lambda t: t.Meta['stage'] = {stage})) > 0 ORDER BY CreateTime",
    13: "SELECT ID, Name FROM raw WHERE NOT map_contains(Meta, 'project') ORDER BY ID",
    14: "SELECT key, count(*), count(DISTINCT value) FROM (SELECT unnest(map_entries(Meta),"
    " recursive := true) FROM raw) GROUP BY key",
    18: f"SELECT {_REQUESTER}, min(CreateTime), max(CreateTime), count(*) FROM raw GROUP BY 1",
    20: "SELECT ID FROM raw WHERE list_contains(list_transform(map_values(Meta),"
    " lambda v: v LIKE '%' || {project} || '%'), true) ORDER BY ID",
    21: "SELECT ID, Name, State.StateType, CreateTime FROM raw ORDER BY CreateTime DESC LIMIT 50",
    22: "SELECT ID, Name, State.Message, CreateTime FROM raw WHERE State.StateType = 'Failed'"
    " ORDER BY CreateTime DESC LIMIT 100",
    23: "SELECT ID, State.StateType, CreateTime FROM raw WHERE Name = {name}"
    " ORDER BY CreateTime DESC LIMIT 100",
    24: "SELECT ID, Name, State.StateType, CreateTime FROM raw"
    f" WHERE Namespace = {{namespace}} AND {_MONTH} ORDER BY CreateTime DESC",
    25: f"SELECT ID, Name, CreateTime FROM raw WHERE {_REQUESTER} = {{requester}}"
    " ORDER BY CreateTime DESC LIMIT 100",
    26: "SELECT ID, Name, CreateTime FROM raw WHERE Labels['cost-centre'] = {label}"
    " ORDER BY CreateTime DESC",
    28: "SELECT Meta, Tasks FROM raw WHERE ID = {job}",
    29: "SELECT Meta['project'], count(*) FROM raw GROUP BY 1 ORDER BY 2 DESC",
    31: "SELECT State.StateType, count(*) FROM raw GROUP BY 1",
    32: "SELECT CreateTime // 86400000000000, count(*) FROM raw GROUP BY 1 ORDER BY 1",
}

_CREATED = "(document->>'CreateTime')::int8"
_IN_MONTH = f"{_CREATED} >= {{from_ns}} AND {_CREATED} < {{until_ns}}"
_ROW = f"document->>'ID', document->>'Name', document->'State'->>'StateType', {_CREATED}"


def _has(*path: str, value: str) -> str:
    inner = f"to_jsonb({value}::text)"
    for key in reversed(path):
        inner = (
            f"jsonb_build_array({inner})"
            if key == "[]"
            else f"jsonb_build_object('{key}', {inner})"
        )
    return f"document @> {inner}"


_FAILED = _has("State", "StateType", value="'Failed'")
JSONB: dict[int, str] = {
    2: f"SELECT {_ROW} FROM raw WHERE {_has('Meta', 'bacalhau.org/client.id', value='{client}')}"
    f" AND {_IN_MONTH} ORDER BY {_CREATED}",
    3: f"SELECT {_ROW} FROM raw WHERE {_has('Meta', 'project', value='{project}')}"
    f" AND {_has('Tasks', '[]', 'Meta', 'stage', value='{stage}')} ORDER BY {_CREATED}",
    13: "SELECT document->>'ID' FROM raw WHERE NOT document->'Meta' ? 'project' ORDER BY 1",
    14: "SELECT key, count(*), count(DISTINCT value) FROM raw,"
    " jsonb_each_text(document->'Meta') GROUP BY key",
    18: f"SELECT document->'Meta'->>'bacalhau.org/requester.id', min({_CREATED}), max({_CREATED}),"
    " count(*) FROM raw GROUP BY 1",
    20: "SELECT document->>'ID' FROM raw WHERE EXISTS (SELECT 1 FROM"
    " jsonb_each_text(document->'Meta') WHERE value LIKE '%' || {project} || '%') ORDER BY 1",
    21: f"SELECT {_ROW} FROM raw ORDER BY {_CREATED} DESC LIMIT 50",
    22: f"SELECT {_ROW} FROM raw WHERE {_FAILED} ORDER BY {_CREATED} DESC LIMIT 100",
    23: f"SELECT {_ROW} FROM raw WHERE {_has('Name', value='{name}')}"
    f" ORDER BY {_CREATED} DESC LIMIT 100",
    24: f"SELECT {_ROW} FROM raw WHERE {_has('Namespace', value='{namespace}')}"
    f" AND {_IN_MONTH} ORDER BY {_CREATED} DESC",
    25: f"SELECT {_ROW} FROM raw"
    f" WHERE {_has('Meta', 'bacalhau.org/requester.id', value='{requester}')}"
    f" ORDER BY {_CREATED} DESC LIMIT 100",
    26: f"SELECT {_ROW} FROM raw WHERE {_has('Labels', 'cost-centre', value='{label}')}"
    f" ORDER BY {_CREATED} DESC",
    28: f"SELECT document FROM raw WHERE {_has('ID', value='{job}')}",
    29: "SELECT document->'Meta'->>'project', count(*) FROM raw GROUP BY 1 ORDER BY 2 DESC",
    31: "SELECT document->'State'->>'StateType', count(*) FROM raw GROUP BY 1",
    32: f"SELECT {_CREATED} / 86400000000000, count(*) FROM raw GROUP BY 1 ORDER BY 1",
}
