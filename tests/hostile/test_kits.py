"""Invitations, requests and kits that are none. (Tampering, roots and keys: tests/network/test_kits.py.)"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from wardround.errors import NetworkError
from wardround.network import kits

FIELDS = {"format": kits.INVITATION, "study": "clinics", "site": "north", "host": "localhost", "port": 8002, "root": "x", "version": "1",
          "made": "2026-01-01", "signature": "x"}


def invitation(**changes: object) -> bytes:
    return json.dumps({**FIELDS, **changes}).encode()


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "2 MB": (lambda: b" " * 2_000_000, "is larger than"), "nothing": (lambda: b"", "damaged or was cut short"),
    "100,000 levels": (lambda: b"[" * 100_000, "damaged or was cut short"), "a list": (lambda: b"[]", "is not"),
    "a number of 5,000 digits": (lambda: b'{"port": ' + b"9" * 5000 + b"}", "damaged or was cut short"),
    "a program": (lambda: b"\x7fELF" + bytes(100), "damaged or was cut short"),
    "a format that is a list": (lambda: invitation(format=["x"]), "is not"),
    "a port that is a text": (lambda: invitation(port="8002"), "port is absent or of a wrong type"),
    "port 0": (lambda: invitation(port=0), "is no port"), "a further field": (lambda: invitation(evil=1), "further keys"),
    "a certificate that is none": (lambda: invitation(root="-----BEGIN CERTIFICATE-----\nAAAA\n"), "its root is damaged"),
    "a site that leads elsewhere": (lambda: invitation(site="../../x"), "root is damaged"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_and_no_folder_is_made(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make, text = REFUSED[case]
    path = tmp_path / "north.invitation"
    path.write_bytes(make())
    with pytest.raises(NetworkError, match=f"(?s)north.invitation.*{text}"):
        kits.join(path)
    assert [found.name for found in tmp_path.iterdir()] == ["north.invitation"]
