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

    with op.batch_alter_table("mail", schema=None) as batch_op:
        batch_op.add_column(sa.Column("filed_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("guarded_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("about_id", sa.Integer(), nullable=True))

    with op.batch_alter_table("raw", schema=None) as batch_op:
        batch_op.add_column(sa.Column("unpacked_bytes", sa.Integer(), nullable=True))
