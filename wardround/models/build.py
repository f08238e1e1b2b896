"""From the [model] section of a plan to a network that was tried once on a batch of the plan's size."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.lazy import LazyModuleMixin

from wardround.errors import PlanError
from wardround.lookup import suggestion
from wardround.models import DRAWING, MODELS, ON_VOLUMES, fitting
from wardround.models.keras import from_keras, is_keras
from wardround.models.norms import use_norm
from wardround.models.quick import quickened
from wardround.models.weights import load_weights
from wardround.plan.schema import ModelPlan
from wardround.rng import global_python_stream, global_torch_stream

FROM_DATA = {"in_channels": "data.channels", "num_outputs": "the data set's classes", "size": "data.size or data.patch",
             "dims": "data.dims", "shape": "data.size or data.patch"}


def build_model(plan_model: ModelPlan, *, in_channels: int, num_outputs: int, shape: tuple[int, ...], dense: bool = False,
                seed: int, is_tried: bool = False) -> nn.Module:
    """Build the named network with the plan's arguments, norm and first weights; random ones depend on the seed only.

    shape: of an image, (H, W) or (D, H, W). dense: masks, a class for each position, rather than one for the image.
    The builder is a function or an nn.Module class, or gives a keras.Model; of in_channels, num_outputs, shape, dims (2 or 3) and
    size (the last of shape) it is given those it accepts.
    is_tried: the same network has been tried before; once is enough.
    PlanError if an argument is unknown, missing or impossible, or if a batch (2, in_channels, *shape) does not become finite
    numbers (2, num_outputs), or (2, num_outputs, *shape) if dense; UnknownName if there is no such network.
    """
    name = plan_model.name
    _check_kind(name, dense, len(shape))
    builder = MODELS.find(name)
    given = {"in_channels": in_channels, "num_outputs": num_outputs, "shape": shape, "dims": len(shape), "size": shape[-1]}
    arguments = _arguments(plan_model, builder, given)
    had_keras = "keras" in sys.modules
    batch, expected = (2, in_channels, *shape), (2, num_outputs, *(shape if dense else ()))
    with global_torch_stream(seed, "model"), global_python_stream(seed, "model"):
        try:
            model = builder(**arguments)
            if is_keras(model):
                if not had_keras:  # its first import drew from the generators: once more, so that every process has the same weights
                    return build_model(plan_model, in_channels=in_channels, num_outputs=num_outputs, shape=shape, dense=dense, seed=seed,
                                       is_tried=is_tried)
                model = from_keras(model, in_channels=in_channels, shape=shape)
        except (TypeError, ValueError, RuntimeError) as error:
            raise PlanError(f"model '{name}' cannot be built with {_text(plan_model.arguments())}: {error}") from error
        if not isinstance(model, nn.Module):
            raise PlanError(f"model '{name}' must give a torch.nn.Module or a keras.Model, got {type(model).__name__}")
        if any(isinstance(part, LazyModuleMixin) for part in model.modules()):
            _check_output(model.eval(), name, batch, expected)  # lazy layers find their sizes here, before norms are exchanged
        model = use_norm(model, plan_model.norm)
        if plan_model.norm == "frozen" and not plan_model.weights:
            raise PlanError("model.norm = 'frozen' keeps the statistics of first weights, and there are none. Set model.weights, or choose "
                            "norm = 'group'.")
        if plan_model.weights:
            load_weights(model, plan_model.weights, name, in_channels=in_channels)
        model = quickened(model)
        if not is_tried:
            _try_once(model, name, batch, expected)
    return model.train()


def _check_kind(name: str, dense: bool, dims: int) -> None:
    """PlanError for a network of the table that does another thing than the data set asks for."""
    choose = fitting(dense=dense, dims=dims)
    if name not in MODELS.table or name in choose:
        return
    if (name in DRAWING) != dense:
        does = "draws masks; this data set has labels" if name in DRAWING else "tells classes; this data set has masks to draw"
    else:
        does = "reads volumes; this data set has pictures" if name in ON_VOLUMES else "reads pictures; this data set has volumes"
    raise PlanError(f"model '{name}' {does}: choose {', '.join(choose)}, or your own 'file.py:name'")


def _arguments(plan_model: ModelPlan, builder: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
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
def _try_once(model: nn.Module, name: str, batch: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Check the output on black images, in evaluation and in training; running statistics are as before afterwards."""
    untrained = [tensor for tensor in (*model.buffers(), *model.parameters()) if not tensor.requires_grad]
    before = [tensor.clone() for tensor in untrained]
    _check_output(model.eval(), name, batch, expected)
    _check_output(model.train(), name, batch, expected)
    for tensor, value in zip(untrained, before, strict=True):
        tensor.copy_(value)


@torch.no_grad()
def _check_output(model: nn.Module, name: str, batch: tuple[int, ...], expected: tuple[int, ...]) -> None:
    try:
        output = model(torch.zeros(batch))
    except (RuntimeError, ValueError, TypeError) as error:
        raise PlanError(f"model '{name}' fails on a batch of shape {batch}: {error}") from error
    found = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    if not isinstance(output, Tensor) or found != expected:
        what = "a number for each class" if len(expected) == 2 else "a number for each class at each position"
        raise PlanError(f"model '{name}' must turn a batch of shape {batch} into {expected} ({what}), got {found}"
                        f"{' in training' if model.training else ''}")
    if not output.isfinite().all():
        raise PlanError(f"model '{name}' gives NaN or infinite numbers on black images (all zeros)")


def _text(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value!r}" for name, value in arguments.items()) or "its defaults"
