"""Support SQLite: everything particular to it is in this folder."""
