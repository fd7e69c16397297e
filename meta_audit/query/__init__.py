"""Questions to the store: a connection and values in, frozen results out.

Statements are text, few, and by the keys of the tables: SQLAlchemy's expressions would cost
more than the queries (docs/adr), and its table metadata more to import than a trace takes.
"""
