"""Pickled models of PyTorch as named tensors: a file of torch.save(model), of a state_dict or of a checkpoint that holds one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wardround.data.legacy import inert, names, tensors
from wardround.data.legacy.inert import Stub
from wardround.data.legacy.tensors import Stored
from wardround.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

HELD = ("state_dict", "model_state_dict", "model", "net", "network", "weights")  # where checkpoints keep the model
MOST_PARTS = 100_000  # a graph of objects can be walked without end
DEEPEST = 100


@dataclass(frozen=True, kw_only=True)
class Extracted:
    """What `convert` wrote: number of tensors and of numbers in them."""

    file: Path
    num_tensors: int
    num_numbers: int

    def facts(self) -> dict[str, str]:
        """The report, by name."""
        return {"model": f"{self.num_tensors} tensors, {self.num_numbers} numbers in {self.file}", "executed": "nothing",
                "use": f'model.weights = "{self.file}"'}


def convert(source: Path, target: Path) -> Extracted:
    """Write a pickled model's tensors to a .safetensors file, for model.weights. Nothing in the file is executed."""
    from safetensors.torch import save_file

    if target.exists():
        raise DataError(f"{target} is there already; nothing is written over. Name a new file.")
    found = state_of(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    save_file(found, part)
    part.replace(target)
    return Extracted(file=target, num_tensors=len(found), num_numbers=sum(tensor.numel() for tensor in found.values()))


def state_of(path: Path) -> dict[str, Tensor]:
    """The tensors of a model by the names of its state_dict(), from a file of torch.save.

    Classes are never imported: inert stubs stand for them. DataError if the file holds no model, is damaged, or asks for anything
    but classes and tensors.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file.")
    if not tensors.is_torch_file(path):
        raise DataError(f"{path}: not a file of torch.save. {_hint(path)}")
    root = _model_in(tensors.read_torch(path, names.for_model))
    with inert.guarded(str(path)):
        found = dict(_entries(root) if isinstance(root, Stub) else _flat(root))
        cut = {name: value.tensor() for name, value in found.items()}
    if not cut:
        raise DataError(f"{path}: no model in it. Expected torch.save(model), torch.save(model.state_dict()), or a dict that holds one "
                        f"under {', '.join(HELD)}.")
    return {name.removeprefix("module."): tensor for name, tensor in cut.items()} if _is_wrapped(cut) else cut


def _hint(path: Path) -> str:
    with path.open("rb") as file:
        is_hdf5 = file.read(8) == b"\x89HDF\r\n\x1a\n"
    return "It is an HDF5 file, as Keras writes them." if is_hdf5 else "A pickled data set is converted to a folder, not to .safetensors."


def _model_in(root: object, depth: int = 3) -> object:
    """The part of a checkpoint that is the model."""
    if not isinstance(root, Mapping) or not depth or any(isinstance(value, Stored) for value in root.values()):
        return root
    inside = next((root[key] for key in HELD if isinstance(root.get(key), Mapping | Stub)), None)
    return root if inside is None else _model_in(inside, depth - 1)


def _flat(root: object) -> Iterator[tuple[str, Stored]]:
    """The tensors of a state_dict."""
    if isinstance(root, Mapping):
        yield from ((name, value) for name, value in root.items() if isinstance(name, str) and isinstance(value, Stored))


def _entries(root: Stub) -> Iterator[tuple[str, Stored]]:
    """Names and tensors in the order of state_dict(): parameters, lasting buffers, then the parts."""
    waiting: list[tuple[str, object, int]] = [("", root, 0)]
    num = 0
    while waiting:
        prefix, module, depth = waiting.pop()
        num += 1
        if num > MOST_PARTS or depth > DEEPEST:
            raise ValueError("parts within parts without end")
        if not isinstance(module, Stub):
            continue
        passing = module.attributes.get("_non_persistent_buffers_set")
        for kind in ("_parameters", "_buffers"):
            for name, value in _dict(module, kind).items():
                if isinstance(value, Stored) and not (kind == "_buffers" and isinstance(passing, set) and name in passing):
                    yield f"{prefix}{name}", value
        waiting += [(f"{prefix}{name}.", part, depth + 1) for name, part in reversed(_dict(module, "_modules").items())]


def _dict(module: Stub, name: str) -> dict[str, object]:
    found = module.attributes.get(name)
    return found if isinstance(found, dict) else {}


def _is_wrapped(found: Mapping[str, object]) -> bool:
    """Whether DataParallel wrapped the model."""
    return all(name.startswith("module.") for name in found)
