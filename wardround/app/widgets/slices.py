"""Looking through a volume slice by slice, or at a picture: modality, window and level, masks on and off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QHBoxLayout, QLabel, QPushButton, QSlider, QVBoxLayout, QWidget

from wardround.app.theme import theme
from wardround.app.widgets.canvas import Canvas, Layer
from wardround.app.widgets.emptied import emptied
from wardround.app.widgets.overlay import filled, outlines, picture, windowed

STEPS = 1000  # of the window's and level's sliders
SAMPLE = 200_000  # values that the first window is taken from
TAIL = 0.5  # percent of a volume's values that the first window leaves black, and as many white
PAGE = 10  # slices of Page Up and Page Down
OPACITY = 45  # percent, at first
NAMED = 12  # classes that the legend names
KEYS = {Qt.Key.Key_Up: 1, Qt.Key.Key_Right: 1, Qt.Key.Key_Down: -1, Qt.Key.Key_Left: -1, Qt.Key.Key_PageUp: PAGE,
        Qt.Key.Key_PageDown: -PAGE}


class SliceViewer(QWidget):
    """Shows volumes (C, D, H, W), of which pictures have a depth of 1.

    Three channels of 8 bits without names are one picture in colour. The first mask is drawn as outlines and the others as translucent
    colours, so that truth and prediction can be seen at once. Wheel, arrow and page keys go through the slices, dragging changes
    window (across) and level (up and down), a double click takes both back.
    """

    def __init__(self) -> None:
        super().__init__()
        self.volume = np.zeros((0, 1, 1, 1), np.uint8)
        self._masks: dict[str, np.ndarray] = {}
        self._classes: tuple[str, ...] = ()
        self._range = (0.0, 255.0)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Image viewer"))
        self.canvas = Canvas()
        self.canvas.dragged.connect(self._on_drag)
        self.canvas.wheeled.connect(lambda notches: self.go_to(self.slice + notches))
        self.canvas.reset.connect(self.reset_window)
        self._build()
        self.clear()

    def show_volume(self, volume: np.ndarray, channel_names: Sequence[str] = (), masks: Mapping[str, np.ndarray] | None = None,
                    class_names: Sequence[str] = ()) -> None:
        """Show a volume (C, D, H, W), 8 bits or real numbers, in its middle slice, or where a mask of it is largest.

        masks: (D, H, W) uint8 by name, the class of each voxel, 0 the background; class_names: of all classes, background first.
        A volume of as many slices as the last one stays at its place.
        """
        stays = volume.shape[1] == self.volume.shape[1] and self.volume.size > 1
        self.volume, self._masks, self._classes = volume, dict(masks or {}), tuple(class_names)
        self._fill_modalities(channel_names)
        self._fill_masks()
        depth = volume.shape[1]
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, depth - 1)
            self.slider.setValue(self.slider.value() if stays else self._first_slice())
        for widget in (self.slider, self.place_label):
            widget.setVisible(depth > 1)
        self._place_row.setVisible(depth > 1 or self.modality.count() > 1)
        self._controls.show()
        self.reset_window()

    def clear(self) -> None:
        """Show nothing."""
        self.volume, self._masks = np.zeros((0, 1, 1, 1), np.uint8), {}
        self._controls.hide()
        self.canvas.show_slice(None)

    @property
    def slice(self) -> int:
        """The slice that is shown, from 0."""
        return self.slider.value()

    def go_to(self, number: int) -> None:
        """Show a slice, from 0; beyond the ends, the last one there."""
        self.slider.setValue(min(max(number, 0), self.slider.maximum()))

    def reset_window(self) -> None:
        """The window that shows this modality's values but for a few stray ones."""
        if not self.volume.size:
            return
        self._range = _value_range(self._channel())
        low, high = self._range
        if self.volume.dtype != np.uint8:
            low, high = _usual_range(self._channel())
        self._set_window((low + high) / 2, high - low)

    @property
    def level_and_width(self) -> tuple[float, float]:
        """The window, in the image's own values."""
        low, high = self._range
        return (low + (high - low) * self.level_slider.value() / STEPS, (high - low) * self.width_slider.value() / STEPS)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrow and page keys, Home and End go through the slices."""
        key = Qt.Key(event.key())
        if key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self.go_to(0 if key == Qt.Key.Key_Home else self.slider.maximum())
        elif key in KEYS:
            self.go_to(self.slice + KEYS[key])
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click gives the keys to the viewer."""
        self.setFocus(Qt.FocusReason.MouseFocusReason)

    def _build(self) -> None:
        self.slider, self.place_label = self._slider("slices.slice", self.tr("Slice")), QLabel()
        self.level_slider = self._slider("slices.level", self.tr("Level"), STEPS)
        self.width_slider = self._slider("slices.window", self.tr("Window"), STEPS)
        self.opacity_slider = self._slider("slices.opacity", self.tr("Opacity of masks"), 100, OPACITY)
        self.modality, self.legend, self._checks = QComboBox(), QLabel(), QHBoxLayout()
        self.modality.setObjectName("slices.modality")
        self.modality.setAccessibleName(self.tr("Modality"))
        self.modality.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.modality.currentIndexChanged.connect(self.reset_window)
        self.reset_button = QPushButton(self.tr("Reset"))
        self.reset_button.setObjectName("slices.reset")
        self.reset_button.setToolTip(self.tr("Window and level as they were. Dragging on the image changes them."))
        self.reset_button.clicked.connect(self.reset_window)
        self.legend.setWordWrap(True)
        self.slider.setSingleStep(1)
        self._place_row = self._row(self.modality, self.slider, self.place_label)
        self._window_row = self._row(QLabel(self.tr("Window")), self.width_slider, QLabel(self.tr("Level")), self.level_slider,
                                     self.reset_button)
        self._mask_row = self._row(self._checks, QLabel(self.tr("Opacity")), self.opacity_slider)
        self._controls = QWidget()
        below = QGridLayout(self._controls)
        below.setContentsMargins(0, 0, 0, 0)
        below.setVerticalSpacing(theme().px(6))
        for line, part in enumerate((self._place_row, self._window_row, self._mask_row, self.legend)):
            below.addWidget(part, line, 0)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(theme().px(8))
        whole.addWidget(self.canvas, 1)
        whole.addWidget(self._controls)

    def _slider(self, name: str, said: str, maximum: int = 0, value: int = 0) -> QSlider:
        made = QSlider(Qt.Orientation.Horizontal)
        made.setObjectName(name)
        made.setAccessibleName(said)
        made.setRange(0, maximum)
        made.setValue(value)
        made.valueChanged.connect(self._repaint)
        return made

    @staticmethod
    def _row(*parts: QWidget | QHBoxLayout) -> QWidget:
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(theme().px(10))
        for part in parts:
            if isinstance(part, QHBoxLayout):
                line.addLayout(part)
            else:
                line.addWidget(part, 1 if isinstance(part, QSlider) else 0)
        return row

    def _fill_modalities(self, names: Sequence[str]) -> None:
        kept = self.modality.currentText()
        channels = len(self.volume)
        shown = [names[index] if index < len(names) else self.tr("Channel {number}").format(number=index + 1) for index in range(channels)]
        shown = [] if self._is_colour(names) else shown
        with QSignalBlocker(self.modality):
            self.modality.clear()
            self.modality.addItems(shown)
            self.modality.setCurrentIndex(max(shown.index(kept) if kept in shown else 0, 0))
        self.modality.setVisible(len(shown) > 1)

    def _is_colour(self, names: Sequence[str]) -> bool:
        return len(self.volume) == 3 and self.volume.dtype == np.uint8 and not names

    def _fill_masks(self) -> None:
        off = {box.text() for box in self.mask_boxes() if not box.isChecked()}
        emptied(self._checks)
        for place, name in enumerate(self._masks):
            said = self.tr("{mask} (outline)") if place == 0 else self.tr("{mask} (filled)")
            box = QCheckBox(said.format(mask=name))
            box.setObjectName(f"slices.mask.{name}")
            box.setChecked(box.text() not in off)
            box.toggled.connect(self._repaint)
            self._checks.addWidget(box)
        self._mask_row.setVisible(bool(self._masks))
        self.legend.setVisible(bool(self._masks) and len(self._classes) > 1)
        self.legend.setText(" &nbsp; ".join(f'<span style="color:{self._colour(index).name()}">\N{BLACK SQUARE}</span>&nbsp;'
                                            f"{_escaped(name)}" for index, name in enumerate(self._classes[: NAMED + 1]) if index))

    def mask_boxes(self) -> list[QCheckBox]:
        """The switches of the masks, in their order."""
        items = (self._checks.itemAt(place) for place in range(self._checks.count()))
        return [box for box in (item.widget() for item in items if item is not None) if isinstance(box, QCheckBox)]

    def _first_slice(self) -> int:
        mask = next(iter(self._masks.values()), None)
        areas = np.zeros(1) if mask is None else (mask != 0).sum((1, 2))
        return int(areas.argmax()) if areas.any() else self.volume.shape[1] // 2

    def _channel(self) -> np.ndarray:
        return self.volume if self.modality.count() == 0 else self.volume[max(self.modality.currentIndex(), 0)]

    def _set_window(self, level: float, width: float) -> None:
        low, high = self._range
        span = max(high - low, 1e-9)
        for slider, share in ((self.level_slider, (level - low) / span), (self.width_slider, width / span)):
            with QSignalBlocker(slider):
                slider.setValue(round(STEPS * min(max(share, 0.0), 1.0)))
        self._repaint()

    def _on_drag(self, across: int, upwards: int) -> None:
        low, high = self._range
        step = (high - low) / 400  # a drag of 400 pixels goes through the whole range
        level, width = self.level_and_width
        self._set_window(level - upwards * step, width + across * step)

    def _repaint(self) -> None:
        if not self.volume.size:
            return
        depth, place = self.volume.shape[1], self.slice
        self.place_label.setText(self.tr("Slice {number} of {depth}").format(number=place + 1, depth=depth))
        plane = self._channel()[..., place, :, :]
        self.canvas.show_slice(picture(windowed(plane, *self.level_and_width)), self._layers(place))

    def _layers(self, place: int) -> list[Layer]:
        """Translucent ones first, the outlines on top."""
        opacity = self.opacity_slider.value() / 100
        shown = {name for name, box in zip(self._masks, self.mask_boxes(), strict=True) if box.isChecked()}
        layers = []
        for order, (name, mask) in enumerate(self._masks.items()):
            plane = mask[place]
            classes = np.flatnonzero(np.bincount(plane.ravel(), minlength=1)[1:]) + 1
            if name in shown and order:
                layers.append(Layer(fill=filled(plane, [self._colour(index) for index in range(1, 256)], opacity)))
            elif name in shown:
                lines = [(self._colour(index), outlines(plane, index)) for index in classes.tolist()]
                layers.append(Layer(lines=lines, opacity=min(1.0, 0.25 + opacity)))
        return layers[::-1]

    @staticmethod
    def _colour(index: int) -> QColor:
        return theme().series(index - 1)


def _value_range(values: np.ndarray) -> tuple[float, float]:
    """Lowest and highest; of 8 bits always 0 to 255."""
    if values.dtype == np.uint8:
        return 0.0, 255.0
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _usual_range(values: np.ndarray) -> tuple[float, float]:
    """The percentiles of what is not background: most of a skull-stripped head is 0."""
    some = values.reshape(-1)[:: max(1, values.size // SAMPLE)]
    finite = some[np.isfinite(some)]
    body = finite[finite != 0] if (finite != 0).any() else finite
    if not body.size:
        return 0.0, 1.0
    low, high = np.percentile(body, (TAIL, 100 - TAIL))
    return min(float(low), 0.0) if (finite == 0).any() and low > 0 else float(low), float(high)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(" ", "&nbsp;")
