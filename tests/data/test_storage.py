import os
from pathlib import Path

import pytest

from wardround.data.storage import fingerprint, put_in_place


def test_a_fingerprint_tells_settings_names_sizes_and_times_apart(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    seen = [fingerprint(tmp_path, [1], [["a"], ["b"]])]
    assert fingerprint(tmp_path, [1], [["a"], ["b"]]) == seen[0]
    seen.append(fingerprint(tmp_path, [2], [["a"], ["b"]]))
    seen += [fingerprint(tmp_path, [1], rows) for rows in ([["a", "b"]], [["b"], ["a"]])]
    os.utime(tmp_path / "a", ns=(1, 1))
    seen.append(fingerprint(tmp_path, [1], [["a"], ["b"]]))
    (tmp_path / "b").write_text("there")
    seen.append(fingerprint(tmp_path, [1], [["a"], ["b"]]))
    assert len(set(seen)) == len(seen)


def test_a_row_of_an_array_file_is_known_by_the_file(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_text("1")
    before = fingerprint(tmp_path, [], [["x.npz#images/3"]])
    (tmp_path / "x.npz").write_text("12")
    assert fingerprint(tmp_path, [], [["x.npz#images/3"]]) != before


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    put_in_place(path, b"old")
    with pytest.raises(TypeError):
        put_in_place(path, "no bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    put_in_place(path, memoryview(b"new"))
    assert path.read_bytes() == b"new"
