"""Keep stores as Apache Iceberg tables: for scans that outgrow one machine, with their proofs."""
