"""Tables that lie beside images: CSV files read to rows of text."""

from __future__ import annotations

import csv
from pathlib import Path

from wardround.core.untrusted import cell_text
from wardround.errors import CatalogueError

MOST_BYTES = 2**27  # of a table: a million rows
MOST_COLUMNS = 1000


def records_of(path: Path, delimiter: str = "") -> list[list[str]]:
    """All rows of cells, the header first. Comma, semicolon or tab separated if no delimiter is given, UTF-8.

    CatalogueError if the file cannot be read, or is larger than tables are."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise CatalogueError(f"{path}: {path.stat().st_size:,} bytes, more than the limit of {MOST_BYTES:,} for a table. Split it, or "
                                 "take columns out that are not needed.")
        with path.open(newline="", encoding="utf-8-sig") as file:  # -sig: Excel writes a byte-order mark
            first = file.readline()
            file.seek(0)
            return [_record(path, number, record) for number, record in
                    enumerate(csv.reader(file, delimiter=delimiter or max(",;\t", key=first.count)), start=1)]
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{path}: not UTF-8 text. Save the table as 'CSV UTF-8'.") from error
    except (OSError, csv.Error) as error:
        raise CatalogueError(f"{path}: cannot be read as CSV ({error}).") from error


def _record(path: Path, number: int, record: list[str]) -> list[str]:
    if len(record) > MOST_COLUMNS:
        raise CatalogueError(f"{path}, row {number}: {len(record):,} cells, more than the limit of {MOST_COLUMNS:,}. Take columns out that "
                             "are not needed.")
    return [cell_text(cell) for cell in record]


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows by column name, cells stripped, empty rows left out. Comma, semicolon or tab separated, UTF-8.

    CatalogueError if the file cannot be read, or naming the first row that has more or fewer cells than the header."""
    records = records_of(path)
    header = [name.strip() for name in records[0]] if records else []
    rows = []
    for number, record in enumerate(records[1:], start=2):
        if not any(cell.strip() for cell in record):
            continue
        if len(record) != len(header):
            raise CatalogueError(f"{path}, row {number}: {len(record)} cells, the header has {len(header)}. Put cells that hold the "
                                 "separator in double quotes.")
        rows.append({name: cell.strip() for name, cell in zip(header, record, strict=True)})
    return rows
