"""What the app remembers of its user from one day to the next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QSettings

from wardround.app.theme import SCALES, Choice

MOST_RECENT = 20
LANGUAGES = {"en": "English", "zh_TW": "繁體中文"}


class Settings:
    """Language, theme, text size, folders; kept in the system's usual place, or in the file that is named."""

    def __init__(self, file: Path | None = None) -> None:
        self._kept = QSettings("wardround", "app") if file is None else QSettings(str(file), QSettings.Format.IniFormat)

    @property
    def theme(self) -> Choice:
        found = self._text("theme", "system")
        return "dark" if found == "dark" else "light" if found == "light" else "system"

    @theme.setter
    def theme(self, choice: Choice) -> None:
        self._kept.setValue("theme", choice)

    @property
    def scale(self) -> float:
        """Of the text, one of SCALES."""
        try:
            found = float(self._text("scale", "1"))
        except ValueError:
            found = 1.0
        return min(SCALES, key=lambda scale: abs(scale - found))

    @scale.setter
    def scale(self, scale: float) -> None:
        self._kept.setValue("scale", str(scale))

    @property
    def language(self) -> str:
        """A key of LANGUAGES."""
        found = self._text("language", "en")
        return found if found in LANGUAGES else "en"

    @language.setter
    def language(self, language: str) -> None:
        self._kept.setValue("language", language)

    @property
    def workspace(self) -> Path:
        """Where plans and runs are kept."""
        return Path(self._text("workspace", str(Path.home() / "wardround")))

    @workspace.setter
    def workspace(self, folder: Path) -> None:
        self._kept.setValue("workspace", str(folder))

    @property
    def recent(self) -> list[Path]:
        """Folders of runs and comparisons that were opened, newest first; those that are gone are left out."""
        found: Any = self._kept.value("recent", [])
        texts = [found] if isinstance(found, str) else list(found or [])
        return [Path(text) for text in texts if Path(text).is_dir()]

    def remember(self, folder: Path) -> None:
        """Put a folder first among the recent ones."""
        others = [str(path) for path in self.recent if path != folder]
        self._kept.setValue("recent", [str(folder), *others][:MOST_RECENT])

    def _text(self, key: str, default: str) -> str:
        return str(self._kept.value(key, default))
