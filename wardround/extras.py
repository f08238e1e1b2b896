"""Optional packages: one function imports them, one message says how to get them."""

from __future__ import annotations

import importlib
from types import ModuleType

from wardround.errors import MissingExtra


def need(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import `module`, or raise MissingExtra naming the pip extra that brings it.

    purpose completes the sentence "... needs MODULE", e.g. "reading DICOM".
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] != module.split(".")[0]:
            raise
        package = module.split(".")[0]
        raise MissingExtra(f"{purpose} needs {package}: pip install 'wardround[{extra}]'") from error
