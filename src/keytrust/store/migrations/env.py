"""How Alembic runs these revisions: on the connection, and in the transaction, that ``database.migrate`` gives it."""

from alembic import context

from keytrust.store import mirror_tables  # noqa: F401 - its tables are in the same metadata
from keytrust.store.tables import metadata

given = context.config.attributes
context.configure(
    connection=given["connection"],
    version_table=given["version_table"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
