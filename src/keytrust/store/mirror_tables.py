"""The store's mirror of both sides, and what is left to do: tables that can all be made anew from the two directories.

Nothing here is needed to keep a key safe. Losing these tables costs one complete read of both sides, and until that is
done nothing is removed (``mirrors.rebuilt``).
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, LargeBinary, String, Table, Text

from keytrust.store.tables import metadata

mirrors = Table(
    "mirrors",
    metadata,
    # One for each domain that is kept in step; ``id`` stands for it in the tables below.
    Column("id", Integer, primary_key=True),
    Column("sid", String(200), nullable=False, unique=True),
    Column("name", String(255), nullable=False),
    Column("source", Text, nullable=False),
    # When both sides had last been read completely; null until then, and nothing is removed.
    Column("rebuilt", String(40)),
    # Number of the latest complete read. A row whose stamp is the number of a read that is under way was brought by a
    # feed meanwhile, and is fresher than what the read says.
    Column("stamp", Integer, nullable=False),
    Column("cloud_cursor", Text),
    Column("directory_cursor", LargeBinary),
    Column("paused", Boolean, nullable=False),
    # What the service says of itself, JSON, for ``keytrust status`` on any instance.
    Column("state", Text),
    # When an operator last said to try again: what was written before that does not count as vanishing.
    Column("retried", String(40)),
)

cloud_users = Table(
    "cloud_users",
    metadata,
    Column("mirror", Integer, primary_key=True, autoincrement=False),
    Column("id", String(256), primary_key=True),
    Column("anchor", LargeBinary),
    Column("sid", String(200)),
    Column("upn", Text, nullable=False),
    # Whether the key list was positively reported; else ``reason`` says why it is not known.
    Column("known", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("keys", LargeBinary, nullable=False),
    Column("digest", LargeBinary(16), nullable=False),
    Column("stamp", Integer, nullable=False),
    # Each with what the comparison of both sides needs beside it, so that it reads nothing but the index.
    Index("cloud_users_anchor", "mirror", "anchor", "sid"),
    Index("cloud_users_sid", "mirror", "sid", "anchor"),
)

cloud_keys = Table(
    "cloud_keys",
    metadata,
    # In the order of the accounts, whose anchors are their GUIDs as a rule: a comparison of millions walks through both
    # side by side. ``anchor`` is the user's; empty, not null, for one without.
    Column("mirror", Integer, primary_key=True, autoincrement=False),
    Column("anchor", LargeBinary, primary_key=True),
    Column("user", String(256), primary_key=True),
    Column("key_id", LargeBinary(32), primary_key=True),
    Index("cloud_keys_key_id", "mirror", "key_id"),
    sqlite_with_rowid=False,
)

accounts = Table(
    "accounts",
    metadata,
    Column("mirror", Integer, primary_key=True, autoincrement=False),
    Column("guid", LargeBinary(16), primary_key=True),
    Column("anchor", LargeBinary, nullable=False),
    Column("sid", String(200), nullable=False),
    Column("name", String(400), nullable=False),
    Column("digest", LargeBinary(16), nullable=False),
    Column("stamp", Integer, nullable=False),
    Index("accounts_anchor", "mirror", "anchor", "sid"),
    Index("accounts_sid", "mirror", "sid", "anchor"),
    sqlite_with_rowid=False,
)

account_values = Table(
    "account_values",
    metadata,
    Column("mirror", Integer, primary_key=True, autoincrement=False),
    Column("guid", LargeBinary(16), primary_key=True),
    Column("value_id", LargeBinary(32), primary_key=True),
    # SHA-256 of the key material, and the identity of the public key whatever its encoding; null when not known.
    Column("key_id", LargeBinary(32)),
    Column("public_id", LargeBinary(32)),
    Column("serves", Boolean, nullable=False),
    Column("cloud_origin", Boolean, nullable=False),
    Index("account_values_public", "mirror", "public_id"),
    sqlite_with_rowid=False,
)

pending = Table(
    "pending",
    metadata,
    # Accounts that have to be looked at. ``attempts`` counts those that failed: then the entry is set aside until
    # ``not_before``, with the reason.
    Column("mirror", Integer, primary_key=True, autoincrement=False),
    Column("guid", LargeBinary(16), primary_key=True),
    # Counts up when something new happens to the account: an entry is struck off only if nothing did meanwhile.
    Column("version", Integer, nullable=False),
    # 0: a change, whose user waits; 1: found by a complete read.
    Column("priority", Integer, nullable=False),
    # Seconds since 1970.
    Column("since", Float, nullable=False),
    Column("not_before", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("name", String(400), nullable=False),
    Column("reason", Text, nullable=False),
    Index("pending_order", "mirror", "priority", "since"),
)

findings = Table(
    "findings",
    metadata,
    # Conflicts and refusals as they stand: replaced when the account is planned again.
    Column("mirror", Integer, primary_key=True, autoincrement=False),
    Column("guid", LargeBinary(16), primary_key=True),
    Column("code", String(40), primary_key=True),
    Column("key_id", LargeBinary(32), primary_key=True),
    Column("name", String(400), nullable=False),
    Column("sentence", Text, nullable=False),
    Column("since", String(40), nullable=False),
)

leases = Table(
    "leases",
    metadata,
    # Who may write to a domain. ``epoch`` grows with every holder; ``expires`` is the database's own time, seconds.
    Column("domain_sid", String(200), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("holder", Text, nullable=False),
    Column("expires", Float, nullable=False),
)

journal_head = Table(
    "journal_head",
    metadata,
    # The journal's last row in a second place: rows cut off the end show.
    Column("id", Integer, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
)
