"""The store's tables."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text

HEAD = "0005"
"""The newest revision in ``store/migrations``."""

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("started", String(40), nullable=False),
    Column("finished", String(40)),
    Column("domain", String(255), nullable=False),
    Column("domain_sid", String(200), nullable=False),
    Column("server", String(255), nullable=False),
    Column("source", Text, nullable=False),
    Column("operator", String(255), nullable=False),
    Column("undoes", String(40)),
    Column("result", Text),
)

journal = Table(
    "journal",
    metadata,
    # Rows are only ever appended. ``digest`` covers the row and the digest of the row before it.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("run", String(40), ForeignKey("runs.id"), nullable=False, index=True),
    Column("at", String(40), nullable=False),
    Column("entry", String(10), nullable=False),
    Column("intent", BigInteger().with_variant(Integer, "sqlite")),
    Column("action", String(10)),
    Column("guid", LargeBinary(16)),
    Column("sid", String(200)),
    Column("name", String(400)),
    Column("dn", Text),
    Column("value", LargeBinary),
    Column("value_id", LargeBinary(32)),
    Column("key_id", LargeBinary(32)),
    Column("reason", Text),
    Column("server", String(255)),
    Column("outcome", String(20)),
    Column("detail", Text),
    Column("digest", LargeBinary(32), nullable=False),
    Index("journal_value_id", "value_id"),
    Index("journal_intent", "intent"),
    Index("journal_guid", "guid"),
)

outcome_rows = journal.alias("outcome_rows")
"""The journal's outcomes, beside its intents. Made once: an alias copies every column of the table, in circles that
only the garbage collector undoes."""

with_outcomes = journal.outerjoin(
    outcome_rows, (outcome_rows.c.intent == journal.c.seq) & (outcome_rows.c.entry == "outcome")
)
"""Each row of the journal, an intent with its outcome if it has one."""

setup_runs = Table(
    "setup_runs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("step", String(40), nullable=False),
    Column("started", String(40), nullable=False),
    Column("finished", String(40)),
    Column("domain", String(255), nullable=False),
    Column("server", String(255), nullable=False),
    Column("identity", String(255), nullable=False),
    Column("operator", String(255), nullable=False),
    Column("undoes", String(40)),
    Column("result", Text),
)

setup_journal = Table(
    "setup_journal",
    metadata,
    # As ``journal``, with a chain of its own: other changes, by other people, of whom the service knows nothing.
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("run", String(40), ForeignKey("setup_runs.id"), nullable=False, index=True),
    Column("at", String(40), nullable=False),
    Column("entry", String(10), nullable=False),
    Column("intent", BigInteger().with_variant(Integer, "sqlite")),
    Column("change", Text),
    Column("summary", Text),
    Column("outcome", String(20)),
    Column("note", Text),
    Column("digest", LargeBinary(32), nullable=False),
    Index("setup_journal_intent", "intent"),
)
