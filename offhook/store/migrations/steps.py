"""What the scripts are made of."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
KINDS: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.Text(),
    "number": sa.Integer(),
    "row": ROW,
    "yes_no": sa.Boolean(),
    "date": sa.DateTime(timezone=True),
    "json": sa.JSON(),
}


def table(
    name: str,
    *indexes: str,
    unique: str = "",
    nullable: str = "",
    key: str = "row",
    **columns: str,
) -> None:
    """`columns` are names by kind; an index is the names of its columns."""
    op.create_table(
        name,
        *([sa.Column("row", ROW, nullable=False)] if key == "row" else []),
        *(
            sa.Column(column, KINDS[kind], nullable=column in nullable.split())
            for kind, names in columns.items()
            for column in names.split()
        ),
        sa.PrimaryKeyConstraint(key, name=f"pk_{name}"),
        *(sa.UniqueConstraint(column, name=f"uq_{name}_{column}") for column in unique.split()),
        sqlite_autoincrement=key == "row",
    )
    for index in indexes:
        op.create_index(f"ix_{name}_{'_'.join(index.split())}", name, index.split())
