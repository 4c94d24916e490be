"""What the store and the registry have in common below their tables: engines, transactions, migrations."""

from keytrust.database.engine import make_engine, session_name, writing, writing_on
from keytrust.database.migrate import UnknownVersionError, migrate

__all__ = ["UnknownVersionError", "make_engine", "migrate", "session_name", "writing", "writing_on"]
