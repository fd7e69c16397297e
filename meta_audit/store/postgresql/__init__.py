"""Support PostgreSQL: everything particular to it is in this folder."""
