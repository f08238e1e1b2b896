"""The parts of a page, and the one HTML file that they become: style, figures and all inside, nothing loaded, no script."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from wardround.report.canvas import png
from wardround.report.tables import Table
from wardround.runs.folder import check_links, write_bytes, write_text


@dataclass(frozen=True, kw_only=True)
class Text:
    """A paragraph. is_caution: set apart, for what must not be missed."""

    kind: ClassVar[str] = "text"
    text: str
    is_caution: bool = False


@dataclass(frozen=True, kw_only=True)
class Items:
    """A list of sentences, or of terms with their meaning: (term, meaning) with term "" for a plain sentence."""

    kind: ClassVar[str] = "items"
    items: tuple[tuple[str, str], ...]

    @staticmethod
    def of(sentences: Sequence[str]) -> Items:
        return Items(items=tuple(("", sentence) for sentence in sentences))


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A table."""

    kind: ClassVar[str] = "rows"
    table: Table


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A figure, saved as figures/NAME.png too. alt: what a reader sees in it; caption: how to read it."""

    kind: ClassVar[str] = "picture"
    name: str
    figure: Figure
    alt: str
    caption: str

    @property
    def width(self) -> int:
        """Pixels on the page."""
        return round(100 * self.figure.get_figwidth())

    @property
    def is_narrow(self) -> bool:
        """Whether two such figures stand side by side."""
        return self.width <= 410

    @property
    def height(self) -> int:
        return round(100 * self.figure.get_figheight())


@dataclass(frozen=True, kw_only=True)
class Code:
    """Text to copy, folded away under its title if it is long."""

    kind: ClassVar[str] = "code"
    title: str
    text: str

    @property
    def is_long(self) -> bool:
        return self.text.count("\n") > 6


Block = Text | Items | Rows | Picture | Code


@dataclass(frozen=True, kw_only=True)
class Section:
    """A heading with what stands under it. anchor: the target of the table of contents."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, kw_only=True)
class Card:
    """A number at the top of the page. kind: an arm's name, for the colour."""

    title: str
    value: str
    interval: str
    note: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """A whole report. details: a line under the title; phantom: the images were drawn by a program."""

    title: str
    details: str
    phantom: bool
    headline: str
    remarks: tuple[str, ...]
    cards_title: str
    cards: tuple[Card, ...]
    sections: tuple[Section, ...]
    footer: str


def write_page(page: Page, folder: Path) -> Path:
    """Write figures/*.png and report.html into folder, and return the page's path."""
    images: dict[str, str] = {}
    check_links(folder)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for section in page.sections:
        for block in section.blocks:
            if isinstance(block, Picture):
                content = png(block.figure)
                write_bytes(folder / "figures" / f"{block.name}.png", content)
                images[block.name] = base64.b64encode(content).decode()
    environment = Environment(loader=PackageLoader("wardround.report"), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)
    path = folder / "report.html"
    write_text(path, environment.get_template("report.html.j2").render(page=page, images=images))
    return path
