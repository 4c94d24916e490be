"""When an operator last said to try again."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("mirrors", sa.Column("retried", sa.String(length=40), nullable=True))
