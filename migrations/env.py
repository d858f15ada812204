"""How alembic meets the database: always on the connection that `plumbing.database` hands over.

To draft the next version, call `alembic.command.revision(alembic_config(connection), message, autogenerate=True)` on a
database at head, inside `connection.run_sync` of an async engine; then read and tidy what it wrote.
"""

from alembic import context

from models.tables import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    transactional_ddl=True,  # on SQLite, too, for our engine begins its transactions itself
    render_as_batch=True,  # SQLite alters a table only by making it anew
)
with context.begin_transaction():
    context.run_migrations()
