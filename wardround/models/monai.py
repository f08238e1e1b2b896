"""What is taken from MONAI, imported when it is asked for: the import costs 1.6 s and 160 MB."""

from __future__ import annotations

import importlib
import warnings
from typing import Any


def network(module: str, name: str) -> Any:
    """Return class `name` of monai.networks.nets.`module`."""
    return part(f"networks.nets.{module}", name)


def part(module: str, name: str) -> Any:
    """Return `name` of monai.`module`.

    MONAI's import warns about packages of its own choice and replaces warnings.showwarning; both are undone here.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(importlib.import_module(f"monai.{module}"), name)
