"""Pickles are read by our own machine: what it reads equals what pickle reads, and nothing that it refuses was run."""

import copyreg
import functools
import io
import os
import pickle
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wardround.data.legacy import inert, names
from wardround.errors import DataError

PROTOCOLS = range(6)


def read(data: bytes, find: inert.Find = names.for_data) -> Any:
    return inert.load(io.BytesIO(data), "old.p", find)


class Call:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.parts = (function, arguments)

    def __reduce__(self) -> Any:
        return self.parts


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", [
    [1, -1, 255, 65536, -2**31, 2**70, -2**70, True, False, None, 0.5, -1e300],
    {"a": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)], "ü'\\\n": b"\x00\xff", 3: "\ud800x"},
    [{1, 2}, frozenset({"a"}), bytearray(b"abc"), slice(1, 2, None), range(3), 1 + 2j, b"", "x" * 300, b"y" * 300],
    OrderedDict(b=1, a=[2]),
], ids=["numbers", "texts", "containers", "ordered"])
def test_what_is_read_equals_what_was_pickled(value: Any, protocol: int) -> None:
    found = read(pickle.dumps(value, protocol))
    if isinstance(value, list):  # a bytearray comes back as bytes
        found = [bytearray(part) if isinstance(part, bytes) and isinstance(given, bytearray) else part
                 for part, given in zip(found, value, strict=True)]
    assert found == value


def test_a_list_that_holds_itself_is_read_as_such() -> None:
    value: list[Any] = []
    value.append(value)
    found = read(pickle.dumps(value))
    assert found[0] is found


def test_a_defaultdict_becomes_a_dict() -> None:
    assert read(pickle.dumps(defaultdict(list, a=[1]))) == {"a": [1]}


def test_python_2_texts_and_bytes_are_read_as_latin_1() -> None:
    assert read(b"(lp0\nS'gr\\xfcn'\np1\naL3L\na.") == ["grün", 3]
    assert read(b"\x80\x02]q\x00(U\x02\xff\x00T\x01\x00\x00\x00ae.") == ["\xff\x00", "a"]


def attacks(sentinel: Path) -> dict[str, tuple[bytes, str]]:
    """Pickles that would leave a file behind (or call what could), and the name in the refusal."""
    command = f"touch {sentinel}"
    text = command.encode()
    dumped = {
        "os.system": (Call(os.system, command), rf"{os.system.__module__}\.system"),
        "eval": (Call(eval, f"open({str(sentinel)!r}, 'w')"), r"builtins\.eval"),
        "exec": (Call(exec, f"open({str(sentinel)!r}, 'w')"), r"builtins\.exec"),
        "open": (Call(open, str(sentinel), "w"), r"(_io|io)\.open"),
        "getattr": (Call(getattr, "", "format"), r"builtins\.getattr"),
        "partial": (functools.partial(os.system, command), r"functools\.partial"),
        "pickle in pickle": (Call(pickle.loads, pickle.dumps(Call(os.system, command))), r"_pickle\.loads"),
        "copyreg": (Call(copyreg.add_extension, "os", "system", 200), r"copyreg\.add_extension"),
    }
    found = {name: (pickle.dumps(value), match) for name, (value, match) in dumped.items()}
    return found | {
        "stack global": (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c" + bytes([len(text)]) + text + b"\x85R.", r"os\.system"),
        "dotted name": (b"\x80\x04\x8c\x05numpy\x8c\x12_globals.os.system\x93\x8c" + bytes([len(text)]) + text + b"\x85R.",
                        "numpy._globals"),
        "inst": (b"(S'" + text + b"'\nios\nsystem\n.", r"os\.system"),
        "obj": (b"(cos\nsystem\nS'" + text + b"'\no.", r"os\.system"),
        "python 2": (b"c__builtin__\neval\n(S'1'\ntR.", r"__builtin__\.eval"),
        "numpy.load": (b"cnumpy\nload\n(S'" + str(sentinel).encode() + b"'\ntR.", r"numpy\.load"),
        "torch.load": (b"ctorch\nload\n(S'" + str(sentinel).encode() + b"'\ntR.", r"torch\.load"),
        "nested load": (b"ctorch.storage\n_load_from_bytes\n(S'"
                        b"cos\\nsystem\\n(S\\'" + text + b"\\'\\ntR.'\ntR.", r"os\.system"),
        "persistent id": (b"Pos.system\n.", "persistent id"),
        "binary persistent id": (b"\x8c\x09os.systemQ.", "persistent id"),
        "extension": (b"\x80\x02\x82\x01.", "extension code"),
        "call of a text": (b"S'os.system'\n(S'x'\ntR.", "a call of an object"),
        "change of ours": (b"cnumpy.core.multiarray\n_reconstruct\n}S'__call__'\nS'x'\nsb.", "a change of numpy.core.multiarray"),
        "encode": (b"c_codecs\nencode\n(S'x'\nS'rot13'\ntR.", "_codecs.encode with rot13"),
        "huge bytearray": (pickle.dumps(Call(bytearray, 2**50)), "builtins.bytearray of a int"),
        "keywords": (b"\x80\x04ccollections\nOrderedDict\n)}\x8c\x01a\x8c\x01bs\x92.", "a call with keywords"),
    }


CASES = sorted(attacks(Path("x")))


@pytest.mark.parametrize("find", [names.for_data, names.for_model], ids=["data", "model"])
@pytest.mark.parametrize("case", CASES)
def test_an_attack_is_refused_by_name_and_nothing_runs(case: str, find: inert.Find, tmp_path: Path) -> None:
    sentinel = tmp_path / "sentinel"
    data, match = attacks(sentinel)[case]
    with pytest.raises(DataError, match=f"old.p asks for .*{match}.*: refused; nothing was executed"):
        read(data, find)
    assert not sentinel.exists()


def test_the_sentinel_would_be_written_by_pickle_itself(tmp_path: Path) -> None:
    pickle.loads(attacks(tmp_path / "sentinel")["stack global"][0])
    assert (tmp_path / "sentinel").exists()


def test_classes_of_other_packages_are_refused_in_data_and_inert_in_models() -> None:
    data = b"\x80\x02cantigravity_lab\nNet\n)\x81}X\x01\x00\x00\x00aK\x07sb."
    with pytest.raises(DataError, match=r"antigravity_lab\.Net"):
        read(data)
    found = read(data, names.for_model)
    assert isinstance(found, inert.Stub)
    assert (found.name, found.attributes) == ("antigravity_lab.Net", {"a": 7})


@pytest.mark.parametrize("data", [
    b"", b"\x80\x04", b"\x80\x09K\x01.", b"garbage", b".", b"K\x01(.", b"h\x05.", b"\x8e" + b"\xff" * 8 + b"x.", b"\x8a\xff\x00.",
    b"]\x85}\x8c\x01a" + b"u.", b"(K\x01d.", b"K\x01K\x02a.", b"S'open\n.", pickle.dumps(list(range(1000)))[:-5],
    b")" + b"\x85" * 100_000 + b"\x93.", b"}" + b")" + b"\x85" * 100_000 + b"K\x01s.", b"V\\u00.",
], ids=range(17))
def test_damage_is_a_data_error(data: bytes) -> None:
    with pytest.raises(DataError, match=r"old\.p: not a pickle that can be read, or cut short"):
        read(data)


def test_the_file_is_left_after_the_pickle() -> None:
    file = io.BytesIO(pickle.dumps(1) + pickle.dumps("two"))
    assert [inert.load(file, "", names.for_data) for _ in range(2)] == [1, "two"]


def test_an_array_says_what_it_stands_for() -> None:
    assert np.array_equal(inert.content(read(pickle.dumps(np.arange(3)))), np.arange(3))
    assert inert.content("text") == "text"
