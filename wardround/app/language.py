"""English, and the translations beside it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QTranslator

FOLDER = Path(__file__).with_name("translations")  # app/collect.py fills it
CONTEXT = "library"  # of texts that are not a widget's own
KEPT = "wardround.translators"  # where the application carries those in use


def speak(app: QCoreApplication, language: str) -> None:
    """Let new widgets speak a language of settings.LANGUAGES; those that are shown already are to be built anew.

    English is loaded too: it holds the plurals. Qt's own texts, e.g. of dialogs, come with Qt."""
    for old in app.property(KEPT) or []:
        app.removeTranslator(old)
    used = []
    for name, folder in (("qtbase", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)), ("wardround", str(FOLDER))):
        translator = QTranslator(app)
        if translator.load(f"{name}_{language}", folder):
            app.installTranslator(translator)
            used.append(translator)
    app.setProperty(KEPT, used)


def said(text: str) -> str:
    """A fixed text of the library (benchmarks/app/library_texts.py collects them) in the language in use.

    Texts that nobody translated stay as they are."""
    return QCoreApplication.translate(CONTEXT, text)
