"""What a site may say of a failure. The whole of it stays in the site's own log."""

from __future__ import annotations

import re

from wardround.errors import DataError, WardroundError, WireError
from wardround.network.envelope import MAX_TEXT, REFUSED

NAMES_A_FILE = re.compile(r"[/\\]|\.(png|jpe?g|tiff?|bmp|dcm|nii|gz|np[yz]|csv|mha|nrrd|h5)\b", re.IGNORECASE)
NO_MEMORY = re.compile(r"out of memory|can't allocate memory|[Cc]annot allocate memory")  # in the words of torch and the system
KEPT = "its text may name a file, so it stays in the site's state/worker.log"


class Refusal(WireError):
    """A message that the site will not act on: the text says why and who can change it."""


def reason_of(error: Exception) -> str:
    """Why an order failed, for the coordinator: our own texts, but of data and of files none; of another error its type only.

    A library's text may hold the name of an image's file, and with it a patient's."""
    kind = type(error)
    if isinstance(error, WireError):  # its text is about what the server sent
        return f"{REFUSED}{error}"[:MAX_TEXT]
    if not isinstance(error, WardroundError):
        if isinstance(error, MemoryError) or NO_MEMORY.search(str(error)):
            return f"{kind.__name__}: out of memory"
        module = "" if kind.__module__ == "builtins" else f" of {kind.__module__}"
        return f"{kind.__qualname__}{module} ({KEPT})"
    if isinstance(error, DataError) or NAMES_A_FILE.search(str(error)):
        return f"{kind.__name__} ({KEPT})"
    return f"{kind.__name__}: {error}"[:MAX_TEXT]
