"""The mirror in the order in which both sides are compared. It is made anew by the next complete read."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for table in ("cloud_users", "cloud_keys", "accounts", "account_values"):
        op.drop_table(table)
    # Until both sides have been read again, the feeds wait and nothing is removed.
    op.execute("UPDATE mirrors SET rebuilt = NULL")
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
    op.create_index("cloud_users_anchor", "cloud_users", ["mirror", "anchor", "sid"])
    op.create_index("cloud_users_sid", "cloud_users", ["mirror", "sid", "anchor"])
    op.create_table(
        "cloud_keys",
        sa.Column("mirror", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("anchor", sa.LargeBinary(), nullable=False),
        sa.Column("user", sa.String(length=256), nullable=False),
        sa.Column("key_id", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("mirror", "anchor", "user", "key_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("cloud_keys_key_id", "cloud_keys", ["mirror", "key_id"])
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
        sqlite_with_rowid=False,
    )
    op.create_index("accounts_anchor", "accounts", ["mirror", "anchor", "sid"])
    op.create_index("accounts_sid", "accounts", ["mirror", "sid", "anchor"])
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
        sqlite_with_rowid=False,
    )
    op.create_index("account_values_public", "account_values", ["mirror", "public_id"])
