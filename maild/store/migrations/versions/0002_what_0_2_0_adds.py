"""What 0.2.0 adds."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.add_column(sa.Column("mark", sa.String(length=80), nullable=True))

    with op.batch_alter_table("raw", schema=None) as batch_op:
        batch_op.add_column(sa.Column("unpacked_bytes", sa.Integer(), nullable=True))
