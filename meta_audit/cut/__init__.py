"""Cut bytes into records: JSON, NDJSON, YAML, pages of lists."""
