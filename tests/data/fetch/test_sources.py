"""The table of public data sets."""

from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import pytest

from wardround.data.fetch.sources import SOURCES, source_of
from wardround.errors import UnknownName


@pytest.mark.parametrize("name", SOURCES)
def test_every_set_has_terms_a_reader_and_an_address_over_https(name: str) -> None:
    source = source_of(name)
    assert source.reader.name == source.dataset
    assert all(source.terms().values())
    assert urlsplit(source.url).scheme == "https"
    assert len(source.md5) in (0, 32)
    assert PurePosixPath(source.file).name == source.file


def test_kaggle_publishes_no_checksum() -> None:
    assert {name for name, source in SOURCES.items() if not source.is_kaggle} == {"pneumoniamnist", "decathlon-brain"}
    assert all(source.is_kaggle != bool(source.md5) for source in SOURCES.values())


def test_monai_publishes_the_same_checksum() -> None:
    found = find_spec("monai")
    assert found is not None
    assert found.origin is not None
    text = (Path(found.origin).parent / "apps" / "datasets.py").read_text(encoding="utf-8")  # read: importing MONAI takes seconds
    assert f'"Task01_BrainTumour": "{SOURCES["decathlon-brain"].md5}"' in text
    assert f'"Task01_BrainTumour": "{SOURCES["decathlon-brain"].url}"' in text


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(UnknownName, match=r"Did you mean 'brats2020'\? Known: chest-xray"):
        source_of("brats2021")
