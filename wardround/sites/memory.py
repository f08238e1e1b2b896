"""What a site remembers from round to round: named tensors that stay at the site (momentum, control variates)."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

Memory = dict[str, Tensor]


def write(memory: Memory, path: Path) -> None:
    """Write to a file; an empty memory leaves an empty safetensors file."""
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in memory.items()}, path)


def read(path: Path | None) -> Memory:
    """Read what write wrote; None is the memory before the first round."""
    return {} if path is None else load_file(path)


def part(memory: Memory, prefix: str) -> Memory:
    """The entries whose name begins with "prefix.", without it."""
    return {name.removeprefix(prefix + "."): tensor for name, tensor in memory.items() if name.startswith(prefix + ".")}


def put(memory: Memory, prefix: str, entries: Memory) -> None:
    """Store entries under "prefix."."""
    memory.update({f"{prefix}.{name}": tensor for name, tensor in entries.items()})
