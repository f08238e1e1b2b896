"""What the second process loads before it is asked: the first answer then comes as soon as the others."""

from __future__ import annotations

import importlib

HEAVY = ("torch", "monai", "wardround.report.html", "wardround.session", "wardround.data.prepare")


def warm() -> None:
    """Import what most views need; what is missing is told by the view that needs it."""
    for name in HEAVY:
        try:
            importlib.import_module(name)
        except ImportError:
            return
