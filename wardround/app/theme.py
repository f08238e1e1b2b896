"""Colours and sizes of the app: light and dark, a text scale, and series of colours that the colour-blind tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

Choice = Literal["system", "light", "dark"]

LIGHT = {"window": "#f5f6f8", "panel": "#ffffff", "field": "#ffffff", "text": "#1c2430", "muted": "#5a6575", "line": "#d5dae1",
         "accent": "#0b62a8", "on_accent": "#ffffff", "chosen": "#dcebf8", "good": "#00704a", "caution": "#8a5a00", "bad": "#b3261e",
         "bad_panel": "#fdecea", "caution_panel": "#fff4dc"}
DARK = {"window": "#14181e", "panel": "#1c222a", "field": "#242b35", "text": "#e8ecf1", "muted": "#a3aebc", "line": "#39424f",
        "accent": "#5db1f2", "on_accent": "#0c1116", "chosen": "#24425c", "good": "#4fd1a1", "caution": "#f0b849", "bad": "#ff8a80",
        "bad_panel": "#3a2022", "caution_panel": "#362c17"}
# Okabe and Ito, "Color Universal Design" (2008); black and yellow are left out, which vanish on one of the two grounds
SERIES_LIGHT = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6b4c9a", "#7f7f7f")
SERIES_DARK = ("#4ea8de", "#f07f3c", "#2fc99a", "#e39ac4", "#f0b429", "#8fd3ff", "#a98bdb", "#a0a0a0")
ICONS = Path(__file__).with_name("icons")
POINTS = 10.0  # size of text at scale 1
SCALES = (0.9, 1.0, 1.2, 1.4, 1.7)
KEPT = "wardround.theme"  # where the application carries its theme


@dataclass(frozen=True)
class Theme:
    """Colours by role (keys of LIGHT), and the scale of text."""

    is_dark: bool = False
    scale: float = 1.0

    def name(self, role: str) -> str:
        """The colour of a role, e.g. "#1c2430"."""
        return (DARK if self.is_dark else LIGHT)[role]

    def colour(self, role: str) -> QColor:
        return QColor(self.name(role))

    def series(self, index: int) -> QColor:
        """The colour of the index-th thing that is drawn; after eight they come again."""
        names = SERIES_DARK if self.is_dark else SERIES_LIGHT
        return QColor(names[index % len(names)])

    def px(self, pixels: float) -> int:
        """A length that grows with the text."""
        return round(pixels * self.scale)


def theme() -> Theme:
    """The theme in use."""
    app = QApplication.instance()
    found = None if app is None else app.property(KEPT)
    return found if isinstance(found, Theme) else Theme()


def apply(app: QApplication, choice: Choice = "system", scale: float = 1.0) -> Theme:
    """Put a theme in use; "system" follows the desktop's."""
    is_system_dark = app.styleHints().colorScheme() == Qt.ColorScheme.Dark
    chosen = Theme(is_dark=choice == "dark" or (choice == "system" and is_system_dark), scale=scale)
    if app.property(KEPT) == chosen:
        return chosen
    app.setProperty(KEPT, chosen)
    app.setStyle("Fusion")
    font = app.font()
    font.setPointSizeF(POINTS * scale)
    app.setFont(font)
    app.setPalette(_palette(chosen))
    app.setStyleSheet(_sheet(chosen))
    return chosen


def _palette(theme: Theme) -> QPalette:
    palette, role = QPalette(), QPalette.ColorRole
    for which, name in ((role.Window, "window"), (role.Base, "field"), (role.AlternateBase, "window"), (role.Button, "panel"),
                        (role.Text, "text"), (role.WindowText, "text"), (role.ButtonText, "text"), (role.ToolTipBase, "panel"),
                        (role.ToolTipText, "text"), (role.Highlight, "accent"), (role.HighlightedText, "on_accent"),
                        (role.PlaceholderText, "muted"), (role.Link, "accent"), (role.Mid, "line"), (role.Dark, "line"),
                        (role.Light, "panel"), (role.Midlight, "panel"), (role.Shadow, "line"), (role.Accent, "accent")):
        palette.setColor(which, theme.colour(name))
    for which in (role.Text, role.WindowText, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, which, theme.colour("muted"))
    return palette


def _sheet(theme: Theme) -> str:
    values = {role: theme.name(role) for role in LIGHT}
    sizes = {f"p{n}": f"{theme.px(n)}px" for n in (2, 4, 6, 8, 10, 14, 18)}
    points = {"small": f"{POINTS * theme.scale * 0.9:.1f}pt", "large": f"{POINTS * theme.scale * 1.7:.1f}pt",
              "middle": f"{POINTS * theme.scale * 1.15:.1f}pt"}
    icons = {name: (ICONS / f"{name}-{'dark' if theme.is_dark else 'light'}.svg").as_posix() for name in ("check", "dot", "down", "up")}
    return SHEET % (values | sizes | points | icons)


SHEET = """
QWidget { color: %(text)s; }
QMainWindow, QDialog, QScrollArea, QScrollArea > QWidget > QWidget, QStackedWidget { background: %(window)s; border: none; }
QLabel[look="title"] { font-size: %(large)s; font-weight: 600; }
QLabel[look="heading"] { font-size: %(middle)s; font-weight: 600; }
QLabel[look="muted"] { color: %(muted)s; }
QLabel[look="caution"] { color: %(caution)s; font-weight: 600; }
QLabel[look="bad"] { color: %(bad)s; font-weight: 600; }
QLabel[look="good"] { color: %(good)s; font-weight: 600; }
QFrame[look="panel"] { background: %(panel)s; border: 1px solid %(line)s; border-radius: %(p8)s; }
QFrame[look="bad_panel"] { background: %(bad_panel)s; border: 1px solid %(bad)s; border-radius: %(p8)s; }
QFrame[look="caution_panel"] { background: %(caution_panel)s; border: 1px solid %(caution)s; border-radius: %(p8)s; }
QFrame[look="bar"] { background: %(panel)s; border: none; border-top: 1px solid %(line)s; }
QListWidget#navigation { background: %(panel)s; border: none; border-right: 1px solid %(line)s; padding: %(p8)s; outline: none; }
QListWidget#navigation::item { padding: %(p8)s %(p10)s; border-radius: %(p6)s; margin: 1px 0; }
QListWidget#navigation::item:selected { background: %(chosen)s; color: %(text)s; font-weight: 600; }
QListWidget#navigation::item:hover:!selected { background: %(window)s; }
QListWidget#navigation:focus { border-right: 2px solid %(accent)s; }
QPushButton { background: %(panel)s; border: 1px solid %(line)s; border-radius: %(p6)s; padding: %(p6)s %(p14)s; }
QPushButton:hover { border-color: %(accent)s; }
QPushButton:pressed { background: %(chosen)s; }
QPushButton:focus { border: 2px solid %(accent)s; padding: %(p4)s %(p14)s; }
QPushButton:disabled { color: %(muted)s; background: %(window)s; }
QPushButton[look="main"] { background: %(accent)s; color: %(on_accent)s; border-color: %(accent)s; font-weight: 600; }
QPushButton[look="main"]:focus { border: 2px solid %(text)s; }
QPushButton[look="main"]:disabled { background: %(line)s; color: %(muted)s; border-color: %(line)s; }
QToolButton { background: transparent; border: 1px solid transparent; border-radius: %(p6)s; padding: %(p4)s; }
QToolButton:hover, QToolButton:focus { border-color: %(accent)s; }
QLineEdit, QComboBox, QSpinBox, QDoubleSpinBox, QPlainTextEdit, QTextEdit {
  background: %(field)s; border: 1px solid %(line)s; border-radius: %(p6)s; padding: %(p4)s %(p6)s; selection-background-color: %(accent)s;
  selection-color: %(on_accent)s; }
QLineEdit:focus, QComboBox:focus, QSpinBox:focus, QDoubleSpinBox:focus, QPlainTextEdit:focus, QTextEdit:focus {
  border: 2px solid %(accent)s; }
QComboBox { padding-right: %(p18)s; } QSpinBox, QDoubleSpinBox { padding-right: %(p18)s; }
QComboBox::drop-down { border: none; width: %(p18)s; } QComboBox::down-arrow { image: url(%(down)s); width: %(p14)s; height: %(p14)s; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { border: none; width: %(p18)s; }
QAbstractSpinBox::up-arrow { image: url(%(up)s); width: %(p10)s; height: %(p10)s; }
QAbstractSpinBox::down-arrow { image: url(%(down)s); width: %(p10)s; height: %(p10)s; }
QCheckBox::indicator, QRadioButton::indicator, QListView::indicator { width: %(p14)s; height: %(p14)s; border: 1px solid %(muted)s;
  background: %(field)s; border-radius: %(p4)s; }
QRadioButton::indicator { border-radius: %(p8)s; }
QCheckBox::indicator:checked, QListView::indicator:checked { background: %(accent)s; border-color: %(accent)s; image: url(%(check)s); }
QRadioButton::indicator:checked { background: %(accent)s; border-color: %(accent)s; image: url(%(dot)s); }
QCheckBox::indicator:focus, QRadioButton::indicator:focus { border: 2px solid %(text)s; }
QComboBox QAbstractItemView { background: %(field)s; border: 1px solid %(line)s; selection-background-color: %(chosen)s;
  selection-color: %(text)s; }
QTabWidget::pane { border: 1px solid %(line)s; border-radius: %(p6)s; background: %(panel)s; top: -1px; }
QTabBar::tab { padding: %(p6)s %(p14)s; border: 1px solid transparent; border-bottom: 2px solid transparent; color: %(muted)s; }
QTabBar::tab:selected { color: %(text)s; border-bottom: 2px solid %(accent)s; font-weight: 600; }
QTabBar::tab:focus { border: 1px solid %(accent)s; }
QTableView, QListView, QTreeView { background: %(panel)s; alternate-background-color: %(window)s; border: 1px solid %(line)s;
  border-radius: %(p6)s; gridline-color: %(line)s; selection-background-color: %(chosen)s; selection-color: %(text)s; }
QTableView:focus, QListView:focus { border: 2px solid %(accent)s; }
QHeaderView::section { background: %(panel)s; color: %(muted)s; border: none; border-bottom: 1px solid %(line)s; padding: %(p6)s %(p8)s;
  font-weight: 600; }
QHeaderView { background: %(panel)s; border: none; }
QTableView::item { padding: 0 %(p6)s; }
QTableCornerButton::section { background: %(panel)s; border: none; }
QProgressBar { background: %(window)s; border: 1px solid %(line)s; border-radius: %(p4)s; text-align: center; min-height: %(p14)s; }
QProgressBar::chunk { background: %(accent)s; border-radius: %(p2)s; }
QSlider::groove:horizontal { height: %(p4)s; background: %(line)s; border-radius: %(p2)s; }
QSlider::handle:horizontal { width: %(p14)s; margin: -%(p6)s 0; border-radius: %(p6)s; background: %(accent)s; }
QSlider::handle:horizontal:focus { border: 2px solid %(text)s; }
QCheckBox:focus, QRadioButton:focus { color: %(accent)s; }
QGroupBox { background: %(panel)s; border: 1px solid %(line)s; border-radius: %(p8)s; margin-top: %(p18)s; padding: %(p10)s; }
QGroupBox::title { subcontrol-origin: margin; left: %(p4)s; color: %(muted)s; font-weight: 600; }
QScrollBar:vertical { background: transparent; width: %(p10)s; } QScrollBar:horizontal { background: transparent; height: %(p10)s; }
QScrollBar::handle { background: %(line)s; border-radius: %(p4)s; min-height: %(p18)s; min-width: %(p18)s; }
QScrollBar::handle:hover { background: %(muted)s; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; } QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QToolTip { background: %(panel)s; color: %(text)s; border: 1px solid %(line)s; padding: %(p4)s; }
QMenuBar { background: %(panel)s; border-bottom: 1px solid %(line)s; } QMenuBar::item:selected { background: %(chosen)s; }
QMenu { background: %(panel)s; border: 1px solid %(line)s; } QMenu::item:selected { background: %(chosen)s; }
QSplitter::handle { background: %(window)s; }
"""
