"""Tables that lie beside images: CSV files read to rows of text."""

from __future__ import annotations

import csv
from pathlib import Path

from wardround.errors import CatalogueError


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows by column name, cells stripped, empty rows left out. Comma, semicolon or tab separated, UTF-8.

    CatalogueError if the file cannot be read, or naming the first row that has more or fewer cells than the header."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # -sig: Excel writes a byte-order mark
            delimiter = max(",;\t", key=file.readline().count)
            file.seek(0)
            records = list(csv.reader(file, delimiter=delimiter))
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{path}: not UTF-8 text. Save the table as 'CSV UTF-8'.") from error
    except (OSError, csv.Error) as error:
        raise CatalogueError(f"{path}: cannot be read as CSV ({error}).") from error
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
