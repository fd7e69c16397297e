"""Ask a lake in SQL through Apache Spark. Run by the Python that has pyspark:

    python spark_queries.py LAKE JARS MASTER < queries.json > results.json

Queries are a list of texts; each result is a list of rows as text, or an error.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime


def text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return value.isoformat() if isinstance(value, datetime) else str(value)


def main(lake: str, jars: str, master: str) -> None:
    answers = os.dup(1)
    os.dup2(2, 1)  # what Spark prints
    from pyspark.sql import SparkSession

    catalog = "spark.sql.catalog.lake"
    settings = {
        "spark.jars": jars,
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.ansi.enabled": "true",
        "spark.sql.ansi.doubleQuotedIdentifiers": "true",
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.type": "jdbc",
        f"{catalog}.uri": f"jdbc:sqlite:{lake}/catalog.db",
        f"{catalog}.warehouse": f"file://{lake}",
    }
    builder = SparkSession.builder.master(master)
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    spark.sql("USE lake.meta_audit")
    results = []
    for query in json.load(sys.stdin):
        try:
            rows = spark.sql(query).collect()
            results.append([[text(value) for value in row] for row in rows])
        except Exception as error:  # noqa: BLE001 - whatever Spark raises is the result
            results.append(f"{type(error).__name__}: {error}"[:500])
    workers = spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1
    spark.stop()
    with os.fdopen(answers, "w") as out:
        json.dump({"workers": workers, "results": results}, out)


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    main(*sys.argv[1:4])
