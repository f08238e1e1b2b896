"""A network defined in Keras 3 as a torch module, so that it trains like any other. Keras is never imported here for other networks."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from wardround.errors import PlanError
from wardround.extras import need

FINAL = {"softmax", "sigmoid", "log_softmax", "hard_sigmoid", "log_sigmoid"}  # activations that no last layer may have
MAX_SEED = 2**31 - 1


def is_keras(model: object) -> bool:
    """Whether this is a keras.Model; false where nobody has imported Keras."""
    kind = getattr(sys.modules.get("keras"), "Model", None)
    return kind is not None and isinstance(model, kind)


def from_keras(model: Any, *, in_channels: int, shape: Sequence[int]) -> KerasModule:
    """Wrap a keras.Model on (H, W, C), (D, H, W, C), or channels first where Keras is set so.

    It must give logits: a last softmax or sigmoid is refused, for the losses apply it. model.norm of the plan does not reach Keras
    layers, and their regularisers are not applied: recipe.weight_decay is. PlanError if Keras runs on another backend than torch.
    """
    keras = need("keras", extra="keras", purpose="a Keras model")
    if keras.config.backend() != "torch":
        raise PlanError(f"Keras was imported with the backend '{keras.config.backend()}', but training needs 'torch'. Set the environment "
                        "variable KERAS_BACKEND=torch before Python starts.")
    activation = _last_activation(model)
    if activation in FINAL:
        raise PlanError(f"the Keras model ends in {activation}; it must give logits, for the loss applies the activation. Remove it: "
                        "Dense(num_outputs) without activation.")
    last = keras.config.image_data_format() == "channels_last"
    for variable in model.variables:  # Keras made them on a GPU where there is one; FlatModel moves the module as the plan says
        variable.value.data = variable.value.data.cpu()
    with keras.device("cpu"):  # a model without Input gets its variables here
        output = model(torch.zeros((1, *shape, in_channels) if last else (1, in_channels, *shape)))
    if isinstance(output, Tensor) and _are_probabilities(output, -1 if last else 1):
        raise PlanError("the Keras model's outputs sum to 1, as softmax makes them; it must give logits, for the loss applies softmax")
    return KerasModule(model, keras.device, last)


class KerasModule(nn.Module):
    """(B, C, ...) -> (B, num_outputs), or (B, num_outputs, ...) for masks.

    Tensors are named by layer, "dense_1.kernel", numbered by their place in this model however many were built before. Those that
    Keras does not train, such as moving averages, are parameters without gradient: they share memory with Keras' variables.
    """

    _model: Any

    def __init__(self, model: Any, device: Any, channels_last: bool) -> None:
        super().__init__()
        self.__dict__["_model"] = model  # past nn.Module, which would list every tensor twice
        self._device, self._channels_last = device, channels_last
        floats = [variable for variable in model.variables if variable.value.is_floating_point()]
        for name, variable in zip(_names(model, floats), floats, strict=True):
            owner, _, leaf = name.rpartition(".")
            _submodule(self, owner).register_parameter(leaf, variable.value)
        self._seeds = [variable for variable in model.variables if variable.path.endswith("seed_generator_state")]

    def forward(self, images: Tensor) -> Tensor:
        with self._device(str(images.device)):
            if self.training:
                self._draw_seeds()
            output: Tensor = self._model(images.movedim(1, -1) if self._channels_last else images, training=self.training)
        return output.movedim(-1, 1) if self._channels_last and output.ndim == images.ndim else output

    def train(self, mode: bool = True) -> KerasModule:
        """As nn.Module; layers whose parameters have all been frozen are told so: Keras keeps their moving averages then."""
        super().train(mode)
        for layer in self._model._flatten_layers():
            if layer.trainable_variables and not any(variable.value.requires_grad for variable in layer.trainable_variables):
                layer.trainable = False
        return self

    def _draw_seeds(self) -> None:
        """Random layers count their calls; seeds from torch's generator instead make a round the same on any worker, and resumable."""
        for variable in self._seeds:
            seeds = torch.randint(MAX_SEED, tuple(variable.value.shape))
            with torch.no_grad():
                variable.value.copy_(seeds)


def _names(model: Any, variables: Sequence[Any]) -> list[str]:
    """A stable name for each variable: its path, without the model's own name, with "conv2d_7" counted from this model's first."""
    automatic = {type(layer).__name__.lower() for layer in model._flatten_layers()}
    places: dict[str, list[str]] = {}
    names: list[str] = []
    for variable in variables:
        parts = variable.path.removeprefix(f"{model.name}/").replace(".", "_").split("/")
        for index, part in enumerate(parts[:-1]):
            base = re.sub(r"_\d+$", "", part)
            if base.replace("_", "") in automatic:
                same = places.setdefault(base, [])
                same.extend([] if part in same else [part])
                parts[index] = f"{base}_{same.index(part)}" if same.index(part) else base
        name = ".".join(parts)
        names.append(name if name not in names else f"{name}_{len(names)}")
    return names


def _submodule(module: nn.Module, path: str) -> nn.Module:
    """The module of this path below another, made where it is absent."""
    for name in path.split(".") if path else []:
        if name not in module._modules:
            module.add_module(name, nn.Module())
        module = module.get_submodule(name)
    return module


def _are_probabilities(output: Tensor, dim: int) -> bool:
    sums = output.sum(dim)
    return output.shape[dim] > 1 and bool((output >= 0).all()) and torch.allclose(sums, torch.ones_like(sums))


def _last_activation(model: Any) -> str:
    """Name of what the model's last layer applies; "" if it is unknown or nothing."""
    layers = getattr(model, "layers", None)
    if layers:
        return _last_activation(layers[-1])
    kind = type(model).__name__.lower()
    return kind if kind in FINAL else str(getattr(getattr(model, "activation", None), "__name__", ""))
