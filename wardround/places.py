"""Where files live that can be made again: decoded images, phantoms, downloaded weights."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """WARDROUND_CACHE, else wardround/ in XDG_CACHE_HOME or ~/.cache."""
    own = os.environ.get("WARDROUND_CACHE")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wardround"
