"""Torch tensors in pickles and in files of torch.save, rebuilt from their bytes. Formats: torch/serialization.py, torch/_utils.py."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from wardround.data.legacy.inert import Find, Name, Refused, Shell, guarded, no_persistent, run
from wardround.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

MAGIC = 0x1950A86A20F9469CFC6C  # the first object in a file of torch.save before the zip format of PyTorch 1.6
MAGIC_BYTES = b"\x80\x02\x8a\n" + MAGIC.to_bytes(10, "little")
ZIP_BYTES = b"PK\x03\x04"
LONGEST = 2**40  # elements along an axis: more is damage, not data

STORAGES = {"FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
            "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8",
            "BoolStorage": "bool"}
_BYTES = {"float64": 8, "int64": 8, "float32": 4, "int32": 4, "float16": 2, "bfloat16": 2, "int16": 2, "int8": 1, "uint8": 1, "bool": 1}
TYPES = {f"{module}.{name}": dtype for module in ("torch", "torch.cuda") for name, dtype in STORAGES.items()} \
    | {"torch.storage.UntypedStorage": "uint8"}


@dataclass(eq=False)
class Storage(Shell):
    """The bytes that tensors are cut from. dtype: a name of torch; data: may arrive after the pickle."""

    dtype: str
    data: bytes = b""

    @cached_property
    def flat(self) -> Tensor:
        """The whole storage as a vector."""
        import torch

        dtype = getattr(torch, self.dtype)
        return torch.frombuffer(bytearray(self.data), dtype=dtype) if self.data else torch.empty(0, dtype=dtype)


@dataclass(frozen=True, eq=False)
class Stored(Shell):
    """A tensor not yet cut: elements of its storage, counted from offset with strides."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: str

    def tensor(self) -> Tensor:
        """The tensor on its own memory; ValueError if it reaches outside its storage or repeats elements."""
        import torch

        try:
            flat = self.storage.flat.view(getattr(torch, self.dtype))
        except RuntimeError as error:
            raise ValueError(f"a storage that is not made of {self.dtype}") from error
        if 0 in self.size:
            return torch.empty(self.size, dtype=flat.dtype)
        last = self.offset + sum((length - 1) * step for length, step in zip(self.size, self.stride, strict=True))
        if last >= len(flat) or math.prod(self.size) > len(flat):
            raise ValueError(f"a tensor of shape {self.size} outside its {len(flat)} stored numbers")
        return flat.as_strided(self.size, self.stride, self.offset).clone(memory_format=torch.contiguous_format)

    def content(self) -> object:
        """A NumPy array; bfloat16 as float32."""
        found = self.tensor()
        return (found.float() if self.dtype == "bfloat16" else found).numpy()


def stored(storage: object, offset: object, size: object, stride: object, *others: object, dtype: str = "") -> Stored:
    """torch._utils._rebuild_tensor, _v2."""
    if not isinstance(storage, Storage) or not isinstance(offset, int) or offset < 0:
        raise ValueError("a tensor without storage")
    lengths, steps = _whole(size), _whole(stride)
    if len(lengths) != len(steps):
        raise ValueError("a tensor with another number of strides than axes")
    return Stored(storage, offset, lengths, steps, dtype or storage.dtype)


def stored_as(storage: object, offset: object, size: object, stride: object, grad: object, hooks: object, dtype: object,
              *others: object) -> Stored:
    """torch._utils._rebuild_tensor_v3: with a dtype of its own."""
    name = dtype.text.removeprefix("torch.") if isinstance(dtype, Name) else ""
    if name not in _BYTES:
        raise Refused(f"a tensor of type {name or type(dtype).__name__}")
    return stored(storage, offset, size, stride, dtype=name)


def first(value: object, *others: object) -> object:
    """torch._utils._rebuild_parameter and torch.nn.parameter.Parameter: the tensor itself."""
    return value


def rebuilt(function: object, kind: object, arguments: object, state: object) -> object:
    """torch._tensor._rebuild_from_type_v2: a tensor with attributes, which are not kept."""
    if not isinstance(function, Name) or function.make is None or not isinstance(arguments, tuple):
        raise ValueError("a tensor of unknown origin")
    return function.make(*arguments)


def _whole(values: object) -> tuple[int, ...]:
    if not isinstance(values, tuple | list) or not all(isinstance(value, int) and 0 <= value < LONGEST for value in values):
        raise ValueError("a tensor of unknown shape")
    return tuple(values)


def is_torch_file(path: Path) -> bool:
    """Whether a file was written by torch.save, by its beginning."""
    with path.open("rb") as file:
        return file.read(len(MAGIC_BYTES)).startswith((MAGIC_BYTES, ZIP_BYTES))


def read_torch(path: Path, find: Find) -> object:
    """The object that torch.save wrote, in the zip format or the one before; DataError for another file, damage and refusals."""
    with guarded(str(path)), path.open("rb") as file:
        if file.read(len(ZIP_BYTES)) == ZIP_BYTES:
            return _read_zip(path, find)
        file.seek(0)
        return read_legacy(file, find)


def _read_zip(path: Path, find: Find) -> object:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith("/data.pkl") or name == "data.pkl"]
            if len(names) != 1 or any(name.endswith("constants.pkl") for name in archive.namelist()):
                raise DataError(f"{path}: no file of torch.save (a TorchScript program, or another zip). Save the model's state_dict().")
            root = names[0].removesuffix("data.pkl")
            if root + "byteorder" in archive.namelist() and _entry(archive, root + "byteorder") != b"little":
                raise DataError(f"{path}: written on a big-endian machine, which is not read. Save it anew on another.")
            storages: dict[object, Storage] = {}

            def persistent(identity: object) -> Storage:
                dtype, key, _ = _storage_id(identity)
                if key not in storages:
                    storages[key] = Storage(dtype, _entry(archive, f"{root}data/{key}"))
                return storages[key]

            return run(io.BytesIO(_entry(archive, names[0])), find, partial(_known, persistent))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:  # OSError: a place before the file's beginning
        raise ValueError(f"a damaged zip: {error}") from error


def _entry(archive: zipfile.ZipFile, name: str) -> bytes:
    """An entry of the file. torch.save never compresses, so a compressed one is no model and may be a bomb."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"compressed entry '{name[:80]}'")
    return archive.read(name)


def read_legacy(file: BinaryIO, find: Find) -> object:
    """The object in a file of torch.save before PyTorch 1.6: four pickles, the storages' keys, the storages."""
    if run(file, find, no_persistent) != MAGIC:
        raise ValueError("no file of torch.save")
    run(file, find, no_persistent)  # version of the format
    system = run(file, find, no_persistent)
    if isinstance(system, dict) and system.get("little_endian") is False:
        raise ValueError("written on a big-endian machine")
    storages: dict[object, Storage] = {}

    def persistent(identity: object) -> Storage:
        dtype, key, view = _storage_id(identity)
        if view is not None:
            raise ValueError("a storage that is part of another")
        return storages.setdefault(key, Storage(dtype))

    found = run(file, find, partial(_known, persistent))
    keys = run(file, find, no_persistent)
    if not isinstance(keys, list) or set(keys) != set(storages) or len(keys) != len(storages):
        raise ValueError("storages that no tensor has")
    for key in keys:
        num = int.from_bytes(_exactly(file, 8), "little")
        storages[key].data = _exactly(file, num * _BYTES[storages[key].dtype])
    return found


def load_from_bytes(find: Find, data: object) -> object:
    """torch.storage._load_from_bytes: a storage inside a plain pickle, itself a file of torch.save."""
    if isinstance(data, str):
        data = data.encode("latin-1")
    if not isinstance(data, bytes):
        raise ValueError("a storage without bytes")
    found = read_legacy(io.BytesIO(data), find)
    if not isinstance(found, Storage):
        raise Refused("torch.storage._load_from_bytes of something else than a storage")
    return found


def _exactly(file: BinaryIO, num: int) -> bytes:
    here = file.tell()
    if num > file.seek(0, io.SEEK_END) - here:
        raise EOFError("it ends inside a tensor")
    file.seek(here)
    return file.read(num)


def _known(storage: Callable[[object], Storage], identity: object) -> object:
    """What a persistent id of torch.save stands for: a storage, or a class kept with its source text (which is not read)."""
    if isinstance(identity, tuple) and len(identity) == 4 and identity[0] == "module" and isinstance(identity[1], Name):
        return identity[1]
    return storage(identity)


def _storage_id(identity: object) -> tuple[str, object, object]:
    """(dtype, key, view) of ("storage", type, key, device, number[, view])."""
    if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage" or not isinstance(identity[1], Name):
        raise Refused("an object outside the file (a persistent id)")
    kind, key = identity[1].text, identity[2]
    if kind not in TYPES or not isinstance(key, str):
        raise Refused(f"a storage of type {kind}")
    return TYPES[kind], key, identity[5] if len(identity) == 6 else None
