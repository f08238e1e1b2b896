"""The yardstick: federated averaging written by hand in plain PyTorch, as fast as one file can be.

One thread a process; one model a process, whose tensors are views into a flat vector; images stay uint8 in memory that the processes
share; sites are dealt out statically; a round costs two barriers. Nothing of wardround's engine is used, only its seeds and networks.
"""

from __future__ import annotations

import argparse
import mmap
import os
import time
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stamps import first_step, write_result
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from workloads import LR, MOMENTUM, SEED, WORKLOADS, Arrays, Workload, batches, cohort, load

from wardround.rng import global_torch_stream

EVALUATE = 128  # images at a time
PATIENCE_S = 300  # until a process that does not come to the barrier counts as dead


class Flat:
    """A model whose parameters and BatchNorm statistics are views into a flat vector.

    Gradients are made anew in each step: zeroing and adding to kept ones was measured 8 to 15 % slower in steps of four images."""

    def __init__(self, module: nn.Module, layout: str) -> None:
        self.module = module
        self.is_last = layout == "channels_last"
        self.parameters = list(module.parameters())
        tensors = [*module.named_parameters(), *((name, kept) for name, kept in module.named_buffers() if kept.is_floating_point())]
        self.numbers = torch.empty(sum(tensor.numel() for _, tensor in tensors))
        velocity = torch.zeros(sum(parameter.numel() for parameter in self.parameters))
        self.values: list[Tensor] = []
        self.velocities: list[Tensor] = []
        start = 0
        for name, tensor in tensors:
            view = self._view(self.numbers, start, tensor)
            view.copy_(tensor.detach())
            if isinstance(tensor, nn.Parameter):
                tensor.data = view
                self.values.append(view)
                self.velocities.append(self._view(velocity, start, tensor))
            else:
                owner, _, leaf = name.rpartition(".")
                module.get_submodule(owner)._buffers[leaf] = view
            start += tensor.numel()

    def _view(self, vector: Tensor, start: int, tensor: Tensor) -> Tensor:
        piece = vector[start : start + tensor.numel()]
        if self.is_last and tensor.ndim == 4:
            out, into, height, width = tensor.shape
            return piece.view(out, height, width, into).permute(0, 3, 1, 2)
        return piece.view(tensor.shape)

    def step(self, is_first: bool) -> None:
        """SGD with momentum, in place; the gradients are used up."""
        for parameter, value, velocity in zip(self.parameters, self.values, self.velocities, strict=True):
            assert parameter.grad is not None
            if is_first:
                velocity.copy_(parameter.grad)
            else:
                velocity.mul_(MOMENTUM).add_(parameter.grad)
            value.sub_(velocity, alpha=LR)
            parameter.grad = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Shared:
    """Memory that both processes see. current: the global model. sums: each process's weighted sum of a round.

    tallies: (processes, 4) float64: steps, training loss of the last round, loss and right answers of the last evaluation."""

    current: Tensor
    sums: list[Tensor]
    tallies: Tensor
    barrier: Any

    @staticmethod
    def allocate(size: int, processes: int) -> Shared:
        def vector(num: int, kind: type) -> Tensor:
            memory = mmap.mmap(-1, num * np.dtype(kind).itemsize)
            return torch.from_numpy(np.frombuffer(memory, kind, num))

        return Shared(current=vector(size, np.float32), sums=[vector(size, np.float32) for _ in range(processes)],
                      tallies=vector(4 * processes, np.float64).view(processes, 4),
                      barrier=get_context("fork").Barrier(processes, timeout=PATIENCE_S))


class Process:
    """One process's part of a run."""

    def __init__(self, work: Workload, arrays: Arrays, model: Flat, shared: Shared, rank: int) -> None:
        self.work, self.arrays, self.model, self.shared, self.rank = work, arrays, model, shared, rank
        self.processes = len(shared.sums)
        images = np.ascontiguousarray(arrays.images.transpose(0, 2, 3, 1)) if model.is_last else arrays.images
        self.images = torch.from_numpy(images)  # uint8
        self.truth = torch.from_numpy(arrays.truth)
        self.names = list(arrays.train)
        val = torch.from_numpy(np.concatenate(list(arrays.val.values())))
        self.val = val.tensor_split(self.processes)[rank]

    def run(self) -> None:
        for t in range(1, self.work.rounds + 1):
            chosen = cohort(self.work, self.names, t)
            self.train(chosen, t)
            self.combine()
            self.evaluate()

    def train(self, chosen: list[str], t: int) -> None:
        """This process's share of the sites, and their weighted sum."""
        model, total = self.model, self.shared.sums[self.rank].zero_()
        num_all = sum(len(self.arrays.train[name]) for name in chosen)
        model.module.train()
        steps, loss_sum = 0, 0.0
        for name in chosen[self.rank :: self.processes]:
            model.numbers.copy_(self.shared.current)
            rows = self.arrays.train[name]
            for index, batch in enumerate(batches(self.work, name, rows, t)):
                first_step()
                images, truth = self.batch(torch.from_numpy(batch))
                loss = cross_entropy(model.module(images), truth)
                loss.backward()
                model.step(is_first=index == 0)
                loss_sum += loss.item() * len(batch)
                steps += 1
            total.add_(model.numbers, alpha=len(rows) / num_all)
        self.shared.tallies[self.rank, 0] += steps
        self.shared.tallies[self.rank, 1] = loss_sum / num_all

    def combine(self) -> None:
        """Each process adds up its own stretch of the vector."""
        shared = self.shared
        shared.barrier.wait()
        if self.processes == 1:
            shared.current.copy_(shared.sums[0])
        else:
            mine = [vector.tensor_split(self.processes)[self.rank] for vector in (shared.current, *shared.sums)]
            torch.add(mine[1], mine[2], out=mine[0])
        shared.barrier.wait()

    @torch.inference_mode()
    def evaluate(self) -> None:
        """This process's share of the validation images."""
        self.model.numbers.copy_(self.shared.current)
        self.model.module.eval()
        loss_sum, right = 0.0, 0.0
        for rows in self.val.split(self.work.mask_slices or EVALUATE):
            images, truth = self.batch(rows)
            logits = self.model.module(images)
            loss_sum += cross_entropy(logits, truth).item() * len(rows)
            right += (logits.argmax(1) == truth).float().mean().item() * len(rows)
        self.shared.tallies[self.rank, 2] = loss_sum
        self.shared.tallies[self.rank, 3] = right

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        images = self.images[rows].float().mul_(4 / 255).sub_(2)
        return images.permute(0, 3, 1, 2) if self.model.is_last else images, self.truth[rows].long()


def network(work: Workload) -> nn.Module:
    """The workload's network with its seeded first weights."""
    given = {"in_channels": work.channels, "num_outputs": work.num_classes}
    build: partial[nn.Module]
    if work.model == "cnn":
        from networks import cnn

        build = partial(cnn, **given, size=work.size)
    elif work.model == "resnet18":
        from wardround.models.resnet import resnet18

        build = partial(resnet18, **given, size=work.size, stem="7x7")
    else:
        from wardround.models.unet import unet

        build = partial(unet, **given, shape=(work.size, work.size))
    with global_torch_stream(SEED, "model"):
        return build()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", choices=list(WORKLOADS))
    parser.add_argument("--processes", type=int, default=2, choices=(1, 2))
    parser.add_argument("--layout", default="contiguous", choices=("contiguous", "channels_last"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("--params", type=Path, help="also write the last global model, a .npy")
    given = parser.parse_args()
    torch.set_num_threads(1)
    work = WORKLOADS[given.workload].quick() if given.quick else WORKLOADS[given.workload]
    began = time.time()
    arrays = load(work, given.data)
    data_s = time.time() - began
    model = Flat(network(work), given.layout)
    shared = Shared.allocate(len(model.numbers), given.processes)
    shared.current.copy_(model.numbers)
    child = os.fork() if given.processes == 2 else 0  # no exec: pages and imported modules are shared
    rank = 1 if given.processes == 2 and child == 0 else 0
    Process(work, arrays, model, shared, rank).run()
    if rank == 1:
        os._exit(0)
    loop_end = time.time()
    if child and os.waitpid(child, 0)[1]:
        raise SystemExit("the second process failed")
    steps, train_loss, loss, right = shared.tallies.sum(0).tolist()
    if given.params:
        np.save(given.params, shared.current.numpy())
    write_result(given.result, data_s=data_s, loop_end=loop_end, steps=int(steps), train_loss=train_loss, val_loss=loss / work.num_val,
                 val_accuracy=right / work.num_val)


if __name__ == "__main__":
    main()
