"""Alembic's entry point: runs migrations on the connection it is given, or on a URL."""

from alembic import context
from sqlalchemy import create_engine

from meta_audit.schema import VERSION_TABLE
from meta_audit.schema.tables import metadata

config = context.config


def run(connection):
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        transaction_per_migration=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = config.attributes.get("connection")
if context.is_offline_mode():
    context.configure(
        url=config.get_main_option("sqlalchemy.url"),
        version_table=VERSION_TABLE,
        literal_binds=True,
        dialect_opts={},
    )
    with context.begin_transaction():
        context.run_migrations()
elif given is not None:
    run(given)
else:
    engine = create_engine(config.get_main_option("sqlalchemy.url"))
    with engine.begin() as connection:
        run(connection)
    engine.dispose()
