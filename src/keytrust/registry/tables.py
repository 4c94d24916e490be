"""The registry's tables. Times are integers, microseconds since 1970 UTC; ids are lower-case GUIDs."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    false,
)

HEAD = "0003"
"""The newest revision in ``registry/migrations``."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

meta = Table(
    "meta",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", String(256), nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", String(36), primary_key=True),
    # Not unique: two accounts of a forest can claim one name for a while. A look-up that finds two is refused instead.
    Column("upn", String(1024), nullable=False),
    Column("upn_key", String(1024), nullable=False, index=True),
    Column("source_anchor", String(344), nullable=False, unique=True),
    Column("sid", String(184)),
    Column("sam_account_name", String(256)),
    Column("distinguished_name", String(4096)),
    Column("domain", String(255)),
    Column("display_name", String(256)),
    Column("enabled", Boolean, nullable=False),  # in Active Directory
    Column("blocked", Boolean, nullable=False, server_default=false()),  # here, by an administrator
    Column("created", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("deleted", BigInteger),
)

# The number of each user's latest change, for delta reads. A user without a row has not changed since numbers began.
user_changes = Table(
    "user_changes",
    metadata,
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("seq", BigInteger, nullable=False, unique=True),
)

# Second factors of the embedded sign-in.
totp = Table(
    "totp",
    metadata,
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("secret", LargeBinary, nullable=False),  # sealed, see secrets.py
    Column("last_step", BigInteger, nullable=False),  # of the latest code that was used; none is good twice
    Column("failures", Integer, nullable=False),  # since the latest success
    Column("locked_until", BigInteger, nullable=False),
    Column("created", BigInteger, nullable=False),
)

devices = Table(
    "devices",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("owner_id", String(36), ForeignKey("users.id"), index=True),
    Column("display_name", String(256), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("last_seen", BigInteger),
)

keys = Table(
    "keys",
    metadata,
    Column("kid", String(36), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), nullable=False),
    Column("device_id", String(36), ForeignKey("devices.id"), nullable=False, index=True),
    # SHA-256 of the material, hex. Unique: one key has one owner, whatever two requests do in the same moment.
    Column("key_id", String(64), nullable=False, unique=True),
    Column("material", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
    UniqueConstraint("user_id", "device_id"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(1024), nullable=False),
    Column("action", String(64), nullable=False),
    Column("user_id", String(36)),
    Column("device_id", String(36)),
    Column("key_id", String(64)),
    Column("detail", String(1024), nullable=False),
    Column("request_id", String(64)),
    Index("ix_audit_user_id_seq", "user_id", "seq"),
    # Rows are only ever appended; a row number is never given twice, even after a deletion by hand.
    sqlite_autoincrement=True,
)

applications = Table(
    "applications",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(256), nullable=False),
    Column("roles", String(1024), nullable=False),  # a JSON list
    Column("secret_hash", LargeBinary),  # 16 bytes of salt, 32 of scrypt
    Column("certificate", LargeBinary),  # DER
    Column("created", BigInteger, nullable=False),
)

# Who wants to be told of changes. A subscription has been told of everything up to the change numbered ``reported``.
subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("owner", String(1024), nullable=False, index=True),
    Column("change_types", String(64), nullable=False),
    Column("notification_url", String(2048), nullable=False),
    Column("lifecycle_url", String(2048)),
    Column("client_state", String(256)),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("reported", BigInteger, nullable=False),
    Column("warned", Boolean, nullable=False),
)
