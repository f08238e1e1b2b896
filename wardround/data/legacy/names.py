"""The names that old files may use, and what stands for each. Everything else is refused by name."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from wardround.data.legacy import arrays, tensors
from wardround.data.legacy.inert import Make, Name, Refused, Stub

_SCALARS = (str, int, float, bytes)
_MOVED = {"__builtin__": "builtins", "copy_reg": "copyreg", "numpy._core.multiarray": "numpy.core.multiarray",
          "numpy._core.numeric": "numpy.core.numeric"}
# Classes of the standard library that experiments keep in checkpoints. They become stubs like any other class.
_HARMLESS = {"argparse.Namespace", "types.SimpleNamespace", "pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath",
             "pathlib.PurePosixPath", "datetime.datetime", "datetime.date", "datetime.timedelta", "collections.Counter", "uuid.UUID"}


def for_data(module: str, name: str) -> Name:
    """A name in a pickled data set: arrays, pictures, tensors and containers."""
    found = _known(module, name)
    if found is None:
        raise Refused(_text(module, name))
    return found


def for_model(module: str, name: str) -> Name:
    """A name in a pickled model: as in a data set; classes of other packages become stubs, their functions may be named, not called."""
    found = _known(module, name)
    if found is not None:
        return found
    text = _text(module, name)
    if text in _HARMLESS:
        return Name(text, partial(_stub, text))
    if module.partition(".")[0] in sys.stdlib_module_names or module in ("__builtin__", "copy_reg", "commands", "nt", "posix"):
        raise Refused(text)
    # nothing of this runs: the rule only tells a class, which a model has, from a call of a function, which is somebody's trick
    is_class = name.rpartition(".")[2].lstrip("_")[:1].isupper()
    return Name(text, partial(_stub, text) if is_class else None, partial(_stub, text))


def _text(module: str, name: str) -> str:
    return f"{module[:100]}.{name[:100]}"


def _known(module: str, name: str) -> Name | None:
    text = f"{_MOVED.get(module, module)}.{name}"
    if text in _REFERENCES or text in tensors.TYPES:
        return Name(text)
    if module.partition(".")[0] == "PIL" and (text == "PIL.Image.Image" or name.endswith("ImageFile")):
        return arrays.PICTURE
    return Name(text, _MAKERS[text]) if text in _MAKERS else None


def _stub(text: str, *arguments: object) -> Stub:
    return Stub(text)


def _from_items(kind: Callable[..., object], *, of: tuple[type, ...] = (list, tuple, set, frozenset)) -> Make:
    """A container of what the pickle lists: never of a number, which could ask for any amount of memory."""

    def make(items: object = (), *encoding: object) -> object:
        if not isinstance(items, of):
            raise Refused(f"builtins.{kind.__name__} of a {type(items).__name__}")
        return kind(items)

    return make


def _hashed(kind: Callable[..., object]) -> Make:
    make = _from_items(kind)

    def checked(items: object = ()) -> object:
        if isinstance(items, list | tuple) and not all(isinstance(item, (*_SCALARS, Name)) for item in items):
            raise ValueError("a set of something else than texts and numbers")
        return make(items)

    return checked


def _mapping(*arguments: object) -> OrderedDict[object, object]:
    """dict, OrderedDict and defaultdict: the entries follow by opcodes, or come as a list of pairs (Python 2)."""
    items = arguments[-1] if arguments and isinstance(arguments[-1], list | dict) else []
    entries = list(items.items()) if isinstance(items, dict) else items
    if not all(isinstance(entry, list | tuple) and len(entry) == 2 and isinstance(entry[0], _SCALARS) for entry in entries):
        raise ValueError("a dict of something else than keys and values")
    return OrderedDict((entry[0], entry[1]) for entry in entries)


def _bytes(data: object = b"", encoding: object = "latin-1") -> bytes:
    return arrays.encode(data, encoding) if isinstance(data, str) else bytes(_only_bytes(data))


def _only_bytes(data: object) -> bytes:
    if not isinstance(data, bytes):
        raise Refused(f"builtins.bytearray of a {type(data).__name__}")
    return data


def _plain(kind: type) -> Make:
    """range, slice and complex: of numbers and None."""

    def make(*arguments: object) -> object:
        if not all(isinstance(argument, int | float | type(None)) for argument in arguments):
            raise ValueError(f"a {kind.__name__} of something else than numbers")
        return kind(*arguments)

    return make


def _reconstructor(kind: object, base: object, state: object = None) -> object:
    """copyreg._reconstructor: how protocols 0 and 1 write an object of a class."""
    if not isinstance(kind, Name) or not isinstance(base, Name) or (kind.new or kind.make) is None:
        raise ValueError("an object of no class")
    return (kind.new or kind.make)()  # type: ignore[misc]  # checked above


_REFERENCES = {"numpy.ndarray", "builtins.object", "builtins.int", "builtins.float", "builtins.str", "builtins.bool", "builtins.type",
               "torch.Tensor", *(f"torch.{dtype}" for dtype in set(tensors.STORAGES.values()))}

_MAKERS: dict[str, Make] = {
    **arrays.NUMPY,
    "builtins.list": _from_items(list), "builtins.tuple": _from_items(tuple), "builtins.set": _hashed(set),
    "builtins.frozenset": _hashed(frozenset), "builtins.bytearray": _bytes, "builtins.bytes": _bytes, "builtins.dict": _mapping,
    "builtins.range": _plain(range), "builtins.xrange": _plain(range), "builtins.slice": _plain(slice), "builtins.complex": _plain(complex),
    "collections.OrderedDict": _mapping, "collections.defaultdict": _mapping, "copyreg._reconstructor": _reconstructor,
    "torch.Size": _from_items(tuple), "torch.device": partial(_stub, "torch.device"),
    "torch._utils._rebuild_tensor": tensors.stored, "torch._utils._rebuild_tensor_v2": tensors.stored,
    "torch._utils._rebuild_tensor_v3": tensors.stored_as, "torch._utils._rebuild_parameter": tensors.first,
    "torch._utils._rebuild_parameter_with_state": tensors.first, "torch.nn.parameter.Parameter": tensors.first,
    "torch._tensor._rebuild_from_type_v2": tensors.rebuilt, "torch.storage._load_from_bytes": partial(tensors.load_from_bytes, for_data),
    # held by every module of PyTorch before 1.1
    "torch.nn.backends.thnn._get_thnn_function_backend": partial(_stub, "torch.nn.backends.thnn"),
}
