"""Shared fixtures. Tests that need real images ask for `real_data`."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets: WARDROUND_DATA, default ../shared/data beside the checkout.

    Absent, the test is skipped; with WARDROUND_REQUIRE_DATA=1 (as .ci/run sets) it fails instead.
    """
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("WARDROUND_DATA", default))
    if not folder.is_dir():
        absent = pytest.fail if os.environ.get("WARDROUND_REQUIRE_DATA") == "1" else pytest.skip
        absent(f"real images absent: {folder} is not a folder (set WARDROUND_DATA)")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoded images of tests go to a folder of the test session, never to the user's cache."""
    monkeypatch.setenv("WARDROUND_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
