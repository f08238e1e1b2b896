"""For translators, `make translations`: what the app says goes into the .ts files, what they have translated into the .qm files.

Qt's lupdate reads the texts of widgets. The library's fixed texts, which it cannot see, have a .ts file of their own; both become one .qm.
English has one too, for its plurals: "1 image", "3 images" in place of "image(s)".
"""

from __future__ import annotations

import re
import subprocess
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

import PySide6
from library_texts import library_texts

from wardround.app.language import CONTEXT, FOLDER
from wardround.app.settings import LANGUAGES
from wardround.errors import WardroundError

TOOLS = Path(PySide6.__file__).parent
APP = FOLDER.parent
ENGLISH = "en"
HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE TS>\n'

_NAMED = re.compile(r"\\N\{([A-Z0-9 -]+)\}")


def collect(folder: Path = FOLDER) -> None:
    """Bring the .ts files of a folder up to date: translations of what is still said stay, others go. WardroundError if a tool fails."""
    with TemporaryDirectory() as place:
        sources = _readable(Path(place))
        for language in LANGUAGES:
            only = ["-pluralonly"] if language == ENGLISH else []
            _run("lupdate", "-silent", "-no-obsolete", "-locations", "none", "-source-language", ENGLISH, "-target-language", language,
                 *only, *sources, "-ts", folder / f"wardround_{language}.ts")
            if language != ENGLISH:
                merge(folder / f"wardround_library_{language}.ts", library_texts(), language)


def release(folder: Path = FOLDER, into: Path = FOLDER) -> None:
    """Make the .qm files that the app loads. WardroundError if a tool fails."""
    for language in LANGUAGES:
        written = [folder / f"wardround{part}_{language}.ts" for part in ("", "_library")]
        _run("lrelease", "-silent", *(path for path in written if path.exists()), "-qm", into / f"wardround_{language}.qm")


def merge(ts: Path, texts: Iterable[str], language: str) -> None:
    """Write a .ts file of these texts, with the translations that it holds already; the others are marked as unfinished."""
    known = {message.findtext("source"): message.find("translation") for message in ElementTree.parse(ts).iter("message")} if (
        ts.exists()) else {}
    root = ElementTree.Element("TS", version="2.1", language=language, sourcelanguage=ENGLISH)
    context = ElementTree.SubElement(root, "context")
    ElementTree.SubElement(context, "name").text = CONTEXT
    for text in texts:
        message = ElementTree.SubElement(context, "message")
        ElementTree.SubElement(message, "source").text = text
        kept = known.get(text)
        message.append(ElementTree.Element("translation", type="unfinished") if kept is None else kept)
    ElementTree.indent(root, "    ")
    ts.write_text(f"{HEAD}{ElementTree.tostring(root, encoding='unicode')}\n", encoding="utf-8")


def _readable(place: Path) -> list[Path]:
    """Copies of the app's files in which signs stand for themselves: lupdate knows no escapes by name."""
    copies = []
    for file in sorted(APP.rglob("*.py")):
        copy = place / file.relative_to(APP)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(_NAMED.sub(lambda found: unicodedata.lookup(found[1]), file.read_text(encoding="utf-8")), encoding="utf-8")
        copies.append(copy)
    return copies


def _run(tool: str, *arguments: str | Path) -> None:
    """One of Qt's tools."""
    done = subprocess.run([TOOLS / tool, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise WardroundError(f"Qt's {tool} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[:500]}. It comes with "
                             "PySide6: pip install 'wardround[app]'")


if __name__ == "__main__":
    collect()
    release()
