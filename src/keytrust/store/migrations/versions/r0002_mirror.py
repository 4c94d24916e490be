"""The continuous service: the mirror of both sides, leases, and the journal's head in a second place."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "mirrors",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sid", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("rebuilt", sa.String(length=40), nullable=True),
        sa.Column("stamp", sa.Integer(), nullable=False),
        sa.Column("cloud_cursor", sa.Text(), nullable=True),
        sa.Column("directory_cursor", sa.LargeBinary(), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("sid"),
    )
    op.create_table(
        "cloud_users",
        sa.Column("mirror", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=256), nullable=False),
        sa.Column("anchor", sa.LargeBinary(), nullable=True),
        sa.Column("sid", sa.String(length=200), nullable=True),
        sa.Column("upn", sa.Text(), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("keys", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("stamp", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("mirror", "id"),
    )
    op.create_index("cloud_users_anchor", "cloud_users", ["mirror", "anchor"])
    op.create_index("cloud_users_sid", "cloud_users", ["mirror", "sid"])
    op.create_table(
        "cloud_keys",
        sa.Column("mirror", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("user", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("mirror", "key_id", "user"),
    )
    op.create_index("cloud_keys_user", "cloud_keys", ["mirror", "user"])
    op.create_table(
        "accounts",
        sa.Column("mirror", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("guid", sa.LargeBinary(length=16), nullable=False),
        sa.Column("anchor", sa.LargeBinary(), nullable=False),
        sa.Column("sid", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("stamp", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("mirror", "guid"),
    )
    op.create_index("accounts_anchor", "accounts", ["mirror", "anchor"])
    op.create_index("accounts_sid", "accounts", ["mirror", "sid"])
    op.create_table(
        "account_values",
        sa.Column("mirror", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("guid", sa.LargeBinary(length=16), nullable=False),
        sa.Column("value_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("key_id", sa.LargeBinary(length=32), nullable=True),
        sa.Column("public_id", sa.LargeBinary(length=32), nullable=True),
        sa.Column("serves", sa.Boolean(), nullable=False),
        sa.Column("cloud_origin", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("mirror", "guid", "value_id"),
    )
    op.create_index("account_values_public", "account_values", ["mirror", "public_id"])
    op.create_table(
        "pending",
        sa.Column("mirror", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("guid", sa.LargeBinary(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("not_before", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("mirror", "guid"),
    )
    op.create_index("pending_order", "pending", ["mirror", "priority", "since"])
    op.create_table(
        "findings",
        sa.Column("mirror", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("guid", sa.LargeBinary(length=16), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("key_id", sa.LargeBinary(length=32), nullable=False),
        sa.Column("name", sa.String(length=400), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("since", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("mirror", "guid", "code", "key_id"),
    )
    op.create_table(
        "leases",
        sa.Column("domain_sid", sa.String(length=200), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("domain_sid"),
    )
    head = op.create_table(
        "journal_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    journal = sa.table("journal", sa.column("seq", sa.Integer), sa.column("digest", sa.LargeBinary))
    connection = op.get_bind()
    last = connection.execute(sa.select(journal).order_by(journal.c.seq.desc()).limit(1)).first()
    connection.execute(sa.insert(head).values(id=1, seq=last.seq if last else 0, digest=last.digest if last else b""))
    op.create_index("journal_guid", "journal", ["guid"])
