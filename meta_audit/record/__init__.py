"""Record batches in the store: rows, lookups, runs, sealed checkpoints."""
