"""Bringing a database's tables to the version that this program knows, in one transaction and one process at a time.

Each set of tables has a package ``migrations`` in Alembic's layout: ``env.py`` and numbered revisions. Revisions only
ever move forward; going back means restoring a backup.
"""

from __future__ import annotations

import logging

from sqlalchemy import Connection, Engine, column, inspect, select, text
from sqlalchemy import table as sql_table

from keytrust.database.engine import writing

_LOCK = 0x6B65796D  # "keym"


class UnknownVersionError(Exception):
    """The database has tables of a version that this program does not know; the message names it."""


def migrate(engine: Engine, package: str, head: str) -> str | None:
    """Upgrade the tables to ``head``; make them if there are none.

    The version is kept in a table of the package's own, so that several packages can share one database.

    Args:
        engine: The database.
        package: The package whose ``migrations`` to run, such as ``keytrust.store``.
        head: Its newest revision. Known beforehand, so that Alembic is loaded only when there is something to do.

    Returns:
        The version they had and have no more: empty when there were none, None when there was nothing to do.

    Raises:
        UnknownVersionError: a newer program made these tables; nothing was changed.
        SQLAlchemyError: the database failed; nothing was changed.
    """
    table = f"{package.rpartition('.')[2]}_version"
    with engine.connect() as connection:
        if _version(connection, table) == head:
            return None
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        # Another process may have done it while this one waited for the lock.
        before = _version(connection, table)
        if before == head:
            return None
        _upgrade(connection, package, table)
        return before or ""


def _version(connection: Connection, table: str) -> str | None:
    if not inspect(connection).has_table(table):
        return None
    found: str | None = connection.execute(select(column("version_num")).select_from(sql_table(table))).scalar()
    return found


def _upgrade(connection: Connection, package: str, table: str) -> None:
    from alembic import command  # noqa: PLC0415 - slow to load
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    logging.getLogger("alembic").setLevel(logging.WARNING)  # who has opened the database says it in one line
    config = Config()
    config.set_main_option("script_location", f"{package}:migrations")
    config.attributes.update(connection=connection, version_table=table)
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise UnknownVersionError(_version(connection, table) or "unknown") from error
