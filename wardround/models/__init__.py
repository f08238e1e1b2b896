"""Networks by name: MODELS.find(name)(in_channels=, num_outputs=, size=, dims=, shape=, **arguments) -> nn.Module."""

from __future__ import annotations

import os
import sys
from typing import Any

from wardround.lookup import Names

DRAWING = ("unet", "attention-unet")  # networks that give a mask; the others of the table give a number for each class
ON_VOLUMES = ("slice-sequence",)  # networks that give a number for each class of a volume


class ModelNames(Names):
    """As Names; a user's file may define its network in Keras, which chooses its backend once, when it is first imported."""

    def find(self, name: str) -> Any:
        if ":" in name and "keras" not in sys.modules:
            os.environ.setdefault("KERAS_BACKEND", "torch")
        return super().find(name)


MODELS = ModelNames("model", {
    "cnn": "wardround.models.cnn:build",
    "resnet18": "wardround.models.resnet:resnet18",
    "resnet34": "wardround.models.resnet:resnet34",
    "resnet50": "wardround.models.resnet:resnet50",
    "densenet121": "wardround.models.densenet:densenet121",
    "efficientnet-lite0": "wardround.models.efficientnet_lite:efficientnet_lite0",
    "slice-sequence": "wardround.models.slice_sequence:build",
    "unet": "wardround.models.unet:unet",
    "attention-unet": "wardround.models.unet:attention_unet",
}, group="wardround.models")


def fitting(*, dense: bool, dims: int) -> list[str]:
    """Names of the table whose networks draw masks (dense) or tell classes, of pictures (dims = 2) or volumes (3)."""
    if dense:
        return list(DRAWING)
    return list(ON_VOLUMES) if dims == 3 else [name for name in MODELS.table if name not in (*DRAWING, *ON_VOLUMES)]
