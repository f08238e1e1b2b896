"""A table as rows of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wardround.report.tables import Table


@dataclass(frozen=True)
class Grid:
    """Rows of text under columns. numeric: whether a column holds numbers, which are set flush right; () for none."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    numeric: tuple[bool, ...] = ()

    @staticmethod
    def of(table: Table) -> Grid:
        """A table of the report, which draws with matplotlib: the window's process never loads it."""
        return Grid(columns=table.columns, rows=table.rows, caption=table.caption,
                    numeric=tuple(table.is_numeric(column) for column in range(len(table.columns))))

    def is_numeric(self, column: int) -> bool:
        return column < len(self.numeric) and self.numeric[column]
