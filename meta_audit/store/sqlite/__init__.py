"""SQLite: one folder for all that is particular to it."""
