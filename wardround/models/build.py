"""From the [model] section of a plan to a network that was tried once on a batch of the plan's size."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from wardround.errors import PlanError
from wardround.lookup import suggestion
from wardround.models import MODELS
from wardround.models.norms import use_norm
from wardround.plan.schema import ModelPlan
from wardround.rng import global_torch_stream

FROM_DATA = {"in_channels": "data.channels", "num_outputs": "the data set's classes", "size": "data.size"}


def build_model(plan_model: ModelPlan, *, in_channels: int, num_outputs: int, size: int, seed: int) -> nn.Module:
    """Build the named network with the plan's arguments and norm; its first weights depend on the seed only.

    The builder is a function or an nn.Module class; of in_channels, num_outputs and size (pixels) it is given those it accepts.
    PlanError if an argument is unknown, missing or impossible, or if a batch (2, in_channels, size, size) does not become finite
    numbers (2, num_outputs); UnknownName if there is no such network.
    """
    builder = MODELS.find(plan_model.name)
    given = {"in_channels": in_channels, "num_outputs": num_outputs, "size": size}
    arguments = _arguments(plan_model, builder, given)
    with global_torch_stream(seed, "model"):
        try:
            model = builder(**arguments)
        except (TypeError, ValueError, RuntimeError) as error:
            raise PlanError(f"model '{plan_model.name}' cannot be built with {_text(plan_model.arguments())}: {error}") from error
        if not isinstance(model, nn.Module):
            raise PlanError(f"model '{plan_model.name}' must give a torch.nn.Module, got {type(model).__name__}")
        _try_once(model, plan_model.name, (2, in_channels, size, size), num_outputs)
    return use_norm(model, plan_model.norm).train()


def _arguments(plan_model: ModelPlan, builder: Callable[..., Any], given: Mapping[str, int]) -> dict[str, Any]:
    """The keyword arguments for the builder: those given that it accepts, and all of the plan's."""
    if not callable(builder):
        raise PlanError(f"model '{plan_model.name}' must be a function or a class, got {type(builder).__name__}")
    signature = inspect.signature(builder)
    parameters = signature.parameters.values()
    accepted = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    takes_all = any(p.kind is p.VAR_KEYWORD for p in parameters)
    own = [name for name in accepted if name not in given]
    for name in plan_model.arguments():
        if name in given:
            raise PlanError(f"model.{name} cannot be set: it follows from {FROM_DATA[name]}. Remove it from the plan.")
        if name not in accepted and not takes_all:
            raise PlanError(f"model '{plan_model.name}' has no argument '{name}'.{suggestion(name, own)} "
                            f"Known: {', '.join(own) or 'none'}.")
    arguments = {name: value for name, value in given.items() if takes_all or name in accepted} | plan_model.arguments()
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise PlanError(f"model '{plan_model.name}': {error}. Set it under [model] in the plan.") from error
    return arguments


@torch.no_grad()
def _try_once(model: nn.Module, name: str, shape: tuple[int, int, int, int], num_outputs: int) -> None:
    """Check the output on black images, in evaluation and in training; running statistics are as before afterwards."""
    _check_output(model.eval(), name, shape, num_outputs)  # first: lazy layers find their sizes here
    before = {key: buffer.clone() for key, buffer in model.named_buffers()}
    _check_output(model.train(), name, shape, num_outputs)
    for key, buffer in model.named_buffers():
        buffer.copy_(before[key])


def _check_output(model: nn.Module, name: str, shape: tuple[int, int, int, int], num_outputs: int) -> None:
    try:
        output = model(torch.zeros(shape))
    except (RuntimeError, ValueError, TypeError) as error:
        raise PlanError(f"model '{name}' fails on a batch of shape {shape}: {error}") from error
    found = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    if not isinstance(output, Tensor) or found != (shape[0], num_outputs):
        raise PlanError(f"model '{name}' must turn a batch of shape {shape} into {(shape[0], num_outputs)} "
                        f"(a number for each class), got {found}{' in training' if model.training else ''}")
    if not output.isfinite().all():
        raise PlanError(f"model '{name}' gives NaN or infinite numbers on black images (all zeros)")


def _text(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value!r}" for name, value in arguments.items()) or "its defaults"
