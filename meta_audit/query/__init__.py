"""Ask the store: each function takes a session and values, and returns a frozen result.

Each question needs few statements, by the keys of the tables. They are plain text (docs/adr/0009).
"""
