"""The user's own Kaggle token. It goes into one header of one request and into no message, log or file."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

from wardround.errors import DataError

HOW = ("Make a token at https://www.kaggle.com/settings (API, Create New Token) and keep it as ~/.kaggle/kaggle.json, or set "
       "KAGGLE_USERNAME and KAGGLE_KEY, or KAGGLE_API_TOKEN.")


def authorisation() -> str:
    """The header's value, "" without a token. In the order of Kaggle's own client: environment first, then files.

    DataError if a file is there and is no token."""
    token = os.environ.get("KAGGLE_API_TOKEN", "")
    user, key = os.environ.get("KAGGLE_USERNAME", ""), os.environ.get("KAGGLE_KEY", "")
    if token:
        return f"Bearer {token}"
    if user and key:
        return _basic(user, key)
    folder = Path(os.environ.get("KAGGLE_CONFIG_DIR") or Path.home() / ".kaggle")
    if (folder / "access_token").is_file():
        return f"Bearer {_text(folder / 'access_token').strip()}"
    return _from_json(folder / "kaggle.json") if (folder / "kaggle.json").is_file() else ""


def explained(status: int, page: str, *, has_token: bool) -> str:
    """What 401 and 403 mean, and what to do."""
    if not has_token:
        return f"Kaggle answers {status}: it wants a token and none was found. {HOW}"
    if status == 401:
        return f"Kaggle answers 401: it does not accept the token. It may have been replaced by a newer one. {HOW}"
    return (f"Kaggle answers 403: the token does not open this data set. Sign in at {page}, accept the rules there if it asks, "
            "and try again.")


def _basic(user: str, key: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{key}".encode()).decode()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({type(error).__name__}). {HOW}") from error


def _from_json(path: Path) -> str:
    try:
        record = json.loads(_text(path))
        return _basic(str(record["username"]), str(record["key"]))
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{path}: no Kaggle token. Expected {{\"username\": ..., \"key\": ...}}. {HOW}") from None  # its text is secret
