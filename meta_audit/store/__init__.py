"""The store: opening it, writing batches of records into it, keeping the evidence."""
