"""Reads pickles without executing anything in them: a machine of our own that knows the opcodes and no function.

Python's `pickle` imports what a file names and calls it. Here a name becomes a `Name`, a key into our own tables (names.py): only the
reconstructors found there run, and every other name is refused or kept as an inert `Stub`. Opcodes: CPython's pickletools.py.
Byte strings of Python 2 are read as Latin-1.
"""

from __future__ import annotations

import codecs
import io
import struct
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from wardround.errors import DataError

Make = Callable[..., object]
HIGHEST_PROTOCOL = 5
_LONGEST_NUMBER = 1024  # bits

_DAMAGED = (ValueError, TypeError, LookupError, EOFError, ArithmeticError, AttributeError, RecursionError, MemoryError, struct.error)
_SCALARS = (str, bytes, int, float, complex, type(None))


class Refused(Exception):
    """A file asks for something that is not given; the text is its name. Becomes a DataError in `load`."""


@dataclass(frozen=True)
class Name:
    """A name in a pickle. make: our reconstructor, for calls; new: the same for making an object of a class; None refuses either."""

    text: str
    make: Make | None = None
    new: Make | None = None


class Shell:
    """An object of our own that a pickle may fill."""

    def build(self, state: object) -> None:
        """Take the state that the pickle holds; ValueError if it has another form."""
        raise ValueError(f"{type(self).__name__} has no state")

    def content(self) -> object:
        """What it stands for, once filled; ValueError if it was not."""
        return self


class Stub(Shell):
    """Stands for an object of a class that is not imported. It holds attributes and elements, and no code."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.attributes: dict[str, object] = {}
        self.elements: list[object] = []
        self.entries: dict[object, object] = {}

    def build(self, state: object) -> None:
        """Attributes from a dict, or from the (dict, slots) that classes with slots write; another state is not kept."""
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, dict):
                self.attributes.update((key, value) for key, value in part.items() if isinstance(key, str))


def content(value: object) -> object:
    """What a value read by `load` stands for: arrays instead of their shells."""
    return value.content() if isinstance(value, Shell) else value


def text_of(value: object) -> str:
    """A text or number as text; "" for anything else."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, int) and value.bit_length() > _LONGEST_NUMBER:
        return ""  # Python refuses to write it in decimals
    return str(value) if isinstance(value, str | int | float) else ""


Find = Callable[[str, str], Name]  # module, name; raises Refused
Persistent = Callable[[object], object]  # the id of an object kept outside the pickle; raises Refused


def no_persistent(identity: object) -> object:
    """A pickle on its own has nothing outside itself."""
    raise Refused("an object outside the file (a persistent id)")


def load(file: BinaryIO, place: str, find: Find, persistent: Persistent = no_persistent) -> object:
    """The object pickled at the file's position; the file is left after it.

    DataError, with place at its beginning, for a name that is refused and for damage.
    """
    with guarded(place):
        return run(file, find, persistent)


@contextmanager
def guarded(place: str) -> Iterator[None]:
    """Refusals and damage inside the block become a DataError that begins with the place."""
    try:
        yield
    except Refused as error:
        raise DataError(f"{place} asks for {error}: refused; nothing was executed. Images, labels and tensors need no such thing: do "
                        "not open the file in another way unless you trust its author.") from error
    except _DAMAGED as error:
        raise DataError(f"{place}: not a pickle that can be read, or cut short ({type(error).__name__}: {error}). Nothing was executed. "
                        "Copy the file again.") from error


def run(file: BinaryIO, find: Find, persistent: Persistent) -> object:
    """As `load`, but raising Refused, and any of Python's errors for damage."""
    return _Machine(file, find, persistent).run()


class _Machine:
    """The stack machine of the pickle format. Objects wait on `stack`; a mark puts the stack aside on `marks`."""

    def __init__(self, file: BinaryIO, find: Find, persistent: Persistent) -> None:
        here = file.tell()
        self.size = file.seek(0, io.SEEK_END)
        file.seek(here)
        self.file, self.find, self.persistent = file, find, persistent
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, object] = {}

    def run(self) -> object:
        while True:
            code = self.read(1)
            if code == b".":
                return self.stack.pop()
            if code in _REFUSED:
                raise Refused(_REFUSED[code])
            _OPCODES[code](self)

    def read(self, num: int) -> bytes:
        """The next num bytes; checked against the file's size before memory is taken."""
        if not 0 <= num <= self.size - self.file.tell():
            raise EOFError("it ends too early")
        return self.file.read(num)

    def number(self, form: str) -> Any:
        """The next number, in a form of struct."""
        return struct.unpack(form, self.read(struct.calcsize(form)))[0]

    def line(self) -> bytes:
        """The text up to the next line end, without it."""
        found = self.file.readline()
        if not found.endswith(b"\n"):
            raise EOFError("it ends too early")
        return found[:-1]

    def since_mark(self) -> list[Any]:
        """What was put on the stack after the last mark."""
        found = self.stack
        self.stack = self.marks.pop()
        return found

    def call(self, name: object, arguments: Iterable[object], *, is_new: bool = False) -> None:
        """Put the result of a reconstructor of ours on the stack. Whatever else is on the stack is not callable."""
        if not isinstance(name, Name):
            raise Refused(f"a call of an object ({type(name).__name__})")
        make = name.new or name.make if is_new else name.make
        if make is None:
            raise Refused(f"a call of {name.text}")
        self.stack.append(make(*arguments))


def _push(read: Callable[[_Machine], object]) -> Callable[[_Machine], None]:
    def push(machine: _Machine) -> None:
        value = read(machine)  # first: a mark that it pops brings back another stack
        machine.stack.append(value)

    return push


def _counted(form: str, convert: Callable[[bytes], object]) -> Callable[[_Machine], None]:
    """An opcode with a length and so many bytes."""
    return _push(lambda machine: convert(machine.read(machine.number(form))))


def _latin(data: bytes) -> str:
    return data.decode("latin-1")


def _utf8(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _long(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


def _int_line(machine: _Machine) -> int | bool:
    line = machine.line()
    return {b"00": False, b"01": True}[line] if line in (b"00", b"01") else int(line)


def _string_line(machine: _Machine) -> str:
    line = machine.line().strip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise ValueError("a string without quotes")
    return _latin(codecs.escape_decode(line[1:-1])[0])  # the escapes of protocol 0, as pickle reads them


def _tuple(num: int) -> Callable[[_Machine], None]:
    def make(machine: _Machine) -> None:
        parts = [machine.stack.pop() for _ in range(num)]
        machine.stack.append(tuple(reversed(parts)))

    return make


def _pairs(items: list[Any]) -> list[tuple[Any, Any]]:
    if len(items) % 2:
        raise ValueError("a key without a value")
    return [(_key(key), value) for key, value in zip(items[::2], items[1::2], strict=True)]


def _key(value: object) -> Hashable:
    """A key of a dict or element of a set. Only flat ones: hashing a deep nest of tuples would end the process."""
    parts = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(part, (*_SCALARS, Name, Shell)) for part in parts):
        raise ValueError(f"a key of type {type(value).__name__}")
    return value


def _append(machine: _Machine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if not isinstance(target, list | Stub):
        raise ValueError(f"elements for a {type(target).__name__}")
    (target.elements if isinstance(target, Stub) else target).extend(items)


def _set_items(machine: _Machine, items: list[Any]) -> None:
    target = machine.stack[-1]
    if not isinstance(target, dict | Stub):
        raise ValueError(f"entries for a {type(target).__name__}")
    (target.entries if isinstance(target, Stub) else target).update(_pairs(items))


def _add_items(machine: _Machine) -> None:
    items, target = machine.since_mark(), machine.stack[-1]
    if not isinstance(target, set):
        raise ValueError(f"members for a {type(target).__name__}")
    target.update(_key(item) for item in items)


def _append_one(machine: _Machine) -> None:
    item = machine.stack.pop()
    _append(machine, [item])


def _set_one(machine: _Machine) -> None:
    item = [machine.stack.pop(), machine.stack.pop()]
    _set_items(machine, item[::-1])


def _global(machine: _Machine) -> Name:
    module = _utf8(machine.line())
    return machine.find(module, _utf8(machine.line()))


def _stack_global(machine: _Machine) -> Name:
    name, module = machine.stack.pop(), machine.stack.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise ValueError("a name that is no text")
    return machine.find(module, name)


def _inst(machine: _Machine) -> None:
    name = _global(machine)
    machine.call(name, machine.since_mark(), is_new=True)


def _obj(machine: _Machine) -> None:
    name, *arguments = machine.since_mark()
    machine.call(name, arguments, is_new=True)


def _call(machine: _Machine, *, is_new: bool) -> None:
    arguments, name = machine.stack.pop(), machine.stack.pop()
    if not isinstance(arguments, tuple):
        raise ValueError("arguments that are no tuple")
    machine.call(name, arguments, is_new=is_new)


def _new_with_keywords(machine: _Machine) -> None:
    keywords = machine.stack.pop()
    if keywords != {}:
        raise Refused("a call with keywords")
    _call(machine, is_new=True)


def _build(machine: _Machine) -> None:
    state, target = machine.stack.pop(), machine.stack[-1]
    if isinstance(target, Shell):
        target.build(state)
    elif not isinstance(target, OrderedDict):  # torch hangs _metadata on a state_dict: not needed
        raise Refused(f"a change of {target.text if isinstance(target, Name) else type(target).__name__}")


def _put(machine: _Machine, index: int) -> None:
    machine.memo[index] = machine.stack[-1]


def _mark(machine: _Machine) -> None:
    machine.marks.append(machine.stack)
    machine.stack = []


def _protocol(machine: _Machine) -> None:
    found = machine.number("B")
    if found > HIGHEST_PROTOCOL:
        raise ValueError(f"protocol {found}; known are 0 to {HIGHEST_PROTOCOL}")


def _pop(machine: _Machine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.stack = machine.marks.pop()


def _forget(value: object) -> None:
    """For opcodes whose value is read and not kept."""


_REFUSED = {b"\x82": "an extension code of copyreg", b"\x83": "an extension code of copyreg", b"\x84": "an extension code of copyreg",
            b"\x97": "a buffer outside the file", b"\x98": "a buffer outside the file"}

_OPCODES: dict[bytes, Callable[[_Machine], None]] = {
    # the stack, the memo, the frame
    b"(": _mark, b"0": _pop, b"1": lambda m: _forget(m.since_mark()), b"2": lambda m: m.stack.append(m.stack[-1]),
    b"p": lambda m: _put(m, int(m.line())), b"q": lambda m: _put(m, m.number("B")), b"r": lambda m: _put(m, m.number("<I")),
    b"g": _push(lambda m: m.memo[int(m.line())]), b"h": _push(lambda m: m.memo[m.number("B")]),
    b"j": _push(lambda m: m.memo[m.number("<I")]), b"\x94": lambda m: _put(m, len(m.memo)),
    b"\x80": _protocol, b"\x95": lambda m: _forget(m.read(8)),
    # numbers
    b"N": _push(lambda m: None), b"\x88": _push(lambda m: True), b"\x89": _push(lambda m: False), b"I": _push(_int_line),
    b"J": _push(lambda m: m.number("<i")), b"K": _push(lambda m: m.number("B")), b"M": _push(lambda m: m.number("<H")),
    b"L": _push(lambda m: int(m.line().rstrip(b"L"))), b"\x8a": _counted("B", _long), b"\x8b": _counted("<i", _long),
    b"F": _push(lambda m: float(m.line())), b"G": _push(lambda m: m.number(">d")),
    # texts and bytes
    b"S": _push(_string_line), b"T": _counted("<i", _latin), b"U": _counted("B", _latin),
    b"V": _push(lambda m: m.line().decode("raw-unicode-escape")), b"X": _counted("<I", _utf8), b"\x8c": _counted("B", _utf8),
    b"\x8d": _counted("<Q", _utf8), b"B": _counted("<I", bytes), b"C": _counted("B", bytes), b"\x8e": _counted("<Q", bytes),
    b"\x96": _counted("<Q", bytes),
    # containers
    b"]": _push(lambda m: []), b"}": _push(lambda m: {}), b")": _push(lambda m: ()), b"\x8f": _push(lambda m: set()),
    b"l": _push(lambda m: m.since_mark()), b"t": _push(lambda m: tuple(m.since_mark())),
    b"d": _push(lambda m: dict(_pairs(m.since_mark()))), b"\x91": _push(lambda m: frozenset(map(_key, m.since_mark()))),
    b"\x85": _tuple(1), b"\x86": _tuple(2), b"\x87": _tuple(3), b"a": _append_one, b"e": lambda m: _append(m, m.since_mark()),
    b"s": _set_one, b"u": lambda m: _set_items(m, m.since_mark()), b"\x90": _add_items,
    # names, calls, states
    b"c": _push(_global), b"\x93": _push(_stack_global), b"i": _inst, b"o": _obj, b"R": lambda m: _call(m, is_new=False),
    b"\x81": lambda m: _call(m, is_new=True), b"\x92": _new_with_keywords, b"b": _build,
    b"P": _push(lambda m: m.persistent(_latin(m.line()))), b"Q": _push(lambda m: m.persistent(m.stack.pop())),
}
