"""First weights of a network from a file: ImageNet's, another program's, or those of an earlier run."""

from __future__ import annotations

import hashlib
import io
import pickle
import pickletools
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from wardround.errors import DataError, PlanError
from wardround.models.pretrained import PACKAGED, imagenet_file

IMAGENET = "imagenet"
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
MOST_TENSORS = 20_000
LONGEST_TEXT = 5000
MOST_SHARED = 8  # times that a file's numbers may be in several tensors; a tensor that repeats one of them could take any memory
KINDS = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8,
         torch.bool)
_DAMAGED = (OSError, EOFError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError, ArithmeticError,
            MemoryError, struct.error, zipfile.BadZipFile, SafetensorError)
SUFFIXES = (".pth", ".pt", ".bin", ".safetensors")


def load_weights(module: nn.Module, source: str, model_name: str, *, in_channels: int) -> list[str]:
    """Copy the tensors of a file into the module; return the names of those that keep their random first values.

    source: "imagenet", or a file: .pth, .pt, .bin (tensors only; nothing in it is executed) or .safetensors. Convolutions that read
    the image are adapted to in_channels. The last layer keeps its random values where its number of outputs is another (transfer
    learning) or the file lacks it. Running statistics are taken where the module has batch norm and the file holds them, else
    ignored; a group or instance norm takes batch norm's scale and shift.
    PlanError for a file that holds other things than tensors, or those of another network; DataError for one that cannot be read.
    """
    path = file_of(source, model_name)
    found = read_tensors(path)
    if source == IMAGENET and model_name == PACKAGED:
        found["_conv_stem.weight"] *= 0.5  # trained on grey values in -1..1; data.normalise = "fixed" gives -2..2, the others nearly so
    own = module.state_dict()
    adapted = {name: _for_channels(found[name], in_channels) if name in found and name in _first(module, in_channels) else found.get(name)
               for name in own}
    fits = {name: tensor for name, tensor in adapted.items() if tensor is not None and tensor.shape == own[name].shape}
    head = _head(module, own, adapted)
    _refuse(model_name, path, own, found, fits, head)
    with torch.no_grad():
        for name, tensor in fits.items():
            own[name].copy_(tensor)
    return [name for name in own if name not in fits and not name.endswith(STATISTICS)]


def file_of(source: str, model_name: str) -> Path:
    """The file that model.weights means."""
    return imagenet_file(model_name) if source == IMAGENET else Path(source).expanduser()


def digest_of(source: str, model_name: str) -> str:
    """SHA-256 of that file, DataError if it is absent. A run that goes on must find the same."""
    path = file_of(source, model_name)
    _check_there(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The named tensors of a file, without "module." before all names; a checkpoint's "state_dict" is looked into.

    PlanError if it holds anything but tensors, NaN or infinite numbers; DataError if it is absent or damaged.
    """
    if path.suffix not in SUFFIXES:
        raise PlanError(f"model.weights = \"{path}\": weights are \"imagenet\" or a file ({', '.join(SUFFIXES)})")
    _check_there(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch doubts pickles of other protocols; whether it can read this one is seen below
            stored = load_file(path) if path.suffix == ".safetensors" else _unpickled(path)
    except pickle.UnpicklingError as error:
        raise PlanError(f"{path} holds Python objects, not only tensors; nothing of it was executed. Where the model can be trusted, save "
                        "its tensors alone: torch.save(model.state_dict(), path).") from error
    except _DAMAGED as error:
        raise DataError(f"{path} cannot be read as weights: it is damaged, or of another format ({type(error).__name__})") from error
    if isinstance(stored, Mapping) and isinstance(stored.get("state_dict"), Mapping):
        stored = stored["state_dict"]
    if not isinstance(stored, Mapping) or not all(isinstance(tensor, Tensor) for tensor in stored.values()):
        raise PlanError(f"{path} must hold tensors by name (a state dict), or such under \"state_dict\"")
    num_bytes = sum(tensor.numel() * tensor.element_size() for tensor in stored.values())
    if num_bytes > MOST_SHARED * path.stat().st_size or len(stored) > MOST_TENSORS:
        raise PlanError(f"{path} holds {len(stored):,} tensors of {num_bytes:,} bytes: far more than the file has, or more than "
                        f"{MOST_TENSORS:,} tensors. Save them whole: {{name: tensor.contiguous() ...}}.")
    if odd := [str(name) for name, tensor in stored.items() if tensor.dtype not in KINDS or tensor.layout != torch.strided]:
        raise PlanError(f"{path} holds tensors of other numbers than {', '.join(map(str, KINDS))}: {_few(odd)}")
    infinite = [name for name, tensor in stored.items() if not tensor.isfinite().all()]
    if infinite:
        raise PlanError(f"{path} holds NaN or infinite numbers: {_few(infinite)}")
    prefix = "module." if stored and all(str(name).startswith("module.") for name in stored) else ""
    return {str(name).removeprefix(prefix): tensor for name, tensor in stored.items()}


def _unpickled(path: Path) -> Any:
    """A file of torch.save, tensors only. torch.save never compresses: an entry that is may be a bomb, and torch would unpack it."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError("a compressed entry")
            for name in archive.namelist():
                if name.endswith("data.pkl"):
                    _check_texts(io.BytesIO(archive.read(name)), num=1)
    else:
        with path.open("rb") as file:
            _check_texts(file, num=5)  # as torch.save wrote before its zip format
    return torch.load(path, map_location="cpu", weights_only=True)


def _check_texts(file: BinaryIO, num: int) -> None:
    """UnpicklingError for a long name or text in the next pickles, which are listed and not run: torch's search in the message that
    refuses it would take a time that grows with its square. Damage is left to torch, which comes no further."""
    for _ in range(num):
        try:
            for opcode, argument, _ in pickletools.genops(file):
                if isinstance(argument, str) and len(argument) > LONGEST_TEXT:
                    raise pickle.UnpicklingError(f"a text of {len(argument):,} signs ({opcode.name})")
        except ValueError:
            return


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"model.weights: no file {path} (looked for {path.resolve()})")


def _first(module: nn.Module, in_channels: int) -> set[str]:
    """Names of the weights that may read the image: a network with shortcuts has more than one."""
    return {f"{name}.weight" for name, layer in module.named_modules()
            if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d) and layer.groups == 1 and layer.in_channels == in_channels}


def _for_channels(weight: Tensor, in_channels: int) -> Tensor:
    """The weights (out, channels, ...) for another number of channels, so that an image equal in all of them gives the same result:
    summed for a single one, else repeated and divided by how many times they are then counted."""
    stored = weight.shape[1] if weight.ndim > 1 else in_channels
    if stored == in_channels:
        return weight
    if in_channels == 1:
        return weight.sum(1, keepdim=True)
    return weight[:, [channel % stored for channel in range(in_channels)]] * (stored / in_channels)


def _head(module: nn.Module, own: Mapping[str, Tensor], found: Mapping[str, Tensor | None]) -> set[str]:
    """Names of tensors that may differ: those of the last layer, and those that differ from the file in the number of outputs only."""
    layers = [(name, layer) for name, layer in module.named_modules() if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)]
    if not layers:
        return set()
    last, layer = layers[-1]
    names = {name for name in own if name.rpartition(".")[0] == last}
    stored = found.get(f"{last}.weight")
    if stored is None:
        return names
    here, there = layer.weight.shape[0], stored.shape[0]
    return names | {name for name, tensor in found.items() if tensor is not None and tensor.ndim == own[name].ndim and all(
        a == b or (a, b) == (here, there) for a, b in zip(own[name].shape, tensor.shape, strict=True))}


def _refuse(model_name: str, path: Path, own: Mapping[str, Tensor], found: Mapping[str, Tensor], fits: Mapping[str, Tensor],
            head: set[str]) -> None:
    """PlanError unless all but the head and the running statistics fit, and nothing of the file is left over."""
    here = [name for name in own if not name.endswith(STATISTICS)]
    wrong = [name for name in own if name not in fits and name not in head and (name in found or name in here)]
    extra = [name for name in found if name not in own and not name.endswith(STATISTICS)]
    problems = [*(_difference(name, own, found) for name in wrong), *(f"{name} (unknown to the model)" for name in extra)]
    num_fit = sum(name in fits for name in here)
    if 2 * num_fit < len(here):
        raise PlanError(f"{path} does not hold weights of this model ('{model_name}'): {num_fit} of its {len(here)} tensors fit. Not so: "
                        f"{_few(problems)}.{_hint(model_name)}")
    if problems:
        raise PlanError(f"{path} holds weights of another network than '{model_name}': {_few(problems)}.{_hint(model_name)}")


def _difference(name: str, own: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str:
    if name not in found:
        return f"{name} (not in the file)"
    return f"{name} ({list(found[name].shape)} in the file, {list(own[name].shape)} in the model)"


def _hint(model_name: str) -> str:
    return " torchvision's ResNets need model.stem = \"7x7\" and width 1." if model_name.startswith("resnet") else ""


def _few(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
