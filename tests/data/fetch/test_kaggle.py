"""The user's own token, wherever Kaggle's client looks for it."""

import base64
import os
from pathlib import Path

import pytest

from wardround.data.fetch.kaggle import authorisation, explained
from wardround.errors import DataError


@pytest.fixture
def home() -> Path:
    """The folder of Kaggle's files, empty."""
    return Path(os.environ["KAGGLE_CONFIG_DIR"])


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_without_a_token_there_is_no_header() -> None:
    assert authorisation() == ""


def test_the_environment_counts_more_than_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "kaggle.json").write_text('{"username": "file", "key": "k"}')
    assert authorisation() == basic("file:k")
    (home / "access_token").write_text("new\n")
    assert authorisation() == "Bearer new"
    monkeypatch.setenv("KAGGLE_USERNAME", "me")
    assert authorisation() == "Bearer new"
    monkeypatch.setenv("KAGGLE_KEY", "k")
    assert authorisation() == basic("me:k")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "t")
    assert authorisation() == "Bearer t"


@pytest.mark.parametrize("text", ["not json secret", '{"username": "secret"}', '["secret"]'])
def test_a_broken_file_is_named_and_its_text_is_not(text: str, home: Path) -> None:
    (home / "kaggle.json").write_text(text)
    with pytest.raises(DataError, match=r"kaggle.json: no Kaggle token") as caught:
        authorisation()
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_each_answer_is_explained() -> None:
    assert "wants a token and none was found" in explained(403, "PAGE", has_token=False)
    assert "does not accept the token" in explained(401, "PAGE", has_token=True)
    assert "Sign in at PAGE, accept the rules" in explained(403, "PAGE", has_token=True)
