"""Where in an image a class's score comes from: Grad-CAM, Selvaraju et al. 2017 (arXiv:1610.02391), as MONAI computes it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from wardround.core.events import Note, Progress, Watch
from wardround.data.readers.image import load, to_uint8
from wardround.errors import ImageError, PlanError
from wardround.lookup import suggestion
from wardround.models.monai import part
from wardround.runs.folder import RunFolder, write_bytes
from wardround.session.notebook import watching
from wardround.session.painting import as_png, beside
from wardround.session.prediction import images_of, opened, picture_tensor
from wardround.session.trained import Trained

CAUTION = ("A heat map shows where the score of one class reacts to the image, in fields as coarse as a late layer of the network and "
           "scaled to the map's own maximum: neither what was seen there, nor why. It looks as convincing for wrong answers as for right "
           "ones and can mark places that hardly count, so it is no evidence for a finding. Method: Grad-CAM (Selvaraju et al. 2017, "
           "arXiv:1610.02391); what such maps fail to show: Adebayo et al. 2018, arXiv:1810.03292.")
FEWEST = 4  # fields in height and width: a coarser layer tells no more than the quarter of the image

Heat = Callable[[Tensor, int], Tensor]  # (C, H, W) in network units, class -> (rows, columns) in 0..1


@dataclass(frozen=True, eq=False)
class Saliency:
    """Where one class's score comes from.

    probability: of that class, as `predict` gives it. heat: (H, W) float32, 1 where the score reacts most; 0 everywhere if nothing
    speaks for the class. fields: rows and columns of the layer that was looked at; between their centres heat is interpolated.
    """

    label: str
    probability: float
    heat: np.ndarray
    fields: tuple[int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Explained:
    """One image's heat in the square size that the network sees, and the picture of both; or the reason why there is none."""

    path: Path
    picture: Path | None = None
    saliency: Saliency | None = None
    error: str = ""


def explain_arrays(run: Path | RunFolder, images: np.ndarray, label: str | None = None, *, own_code: bool = False) -> list[Saliency]:
    """Heat maps in the size of the images. images: (n, C, H, W) uint8, grey values as the network was trained on (harmonised, if it
    was). label: a class or finding; without it each image's most probable. PlanError for a model without heat maps."""
    trained, _ = opened(run, own_code=own_code, watch=_unheard)
    seer = _Seer(trained, label)
    return [seer.saliency(picture_tensor(trained, pixels), pixels.shape[1:]) for pixels in images]


def explain(run: Path | RunFolder, paths: Sequence[Path | str], out: Path, *, label: str | None = None, site: str | None = None,
            own_code: bool = False, watch: Watch | None = None) -> list[Explained]:
    """Write OUT/NAME_heat.png for images and all images below folders: the image, and beside it the same under its heat.

    label: a class or finding; without it each image's most probable. Other arguments, notes and failures as of `predict`: an
    unreadable image gets an error, the others go on. PlanError for a model without heat maps."""
    with watching(watch) as told:
        trained, table = opened(run, site, own_code=own_code, watch=told)
        seer = _Seer(trained, label)
        told(Note(text=CAUTION))
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PlanError(f"pictures cannot be written to {out}: {error.strerror}. Choose another folder with --out DIR.") from error
        chosen, found = list(images_of([Path(path) for path in paths], tuple(trained.record["suffixes"]))), list[Explained]()
        for path, root, image in chosen:
            try:
                pixels = to_uint8(load(root, image))
                saliency = seer.saliency(picture_tensor(trained, pixels, table))
                picture = _free(out, path.stem, {done.picture for done in found})
                write_bytes(picture, as_png(beside(pixels, saliency.heat)))
                found.append(Explained(path=path, picture=picture, saliency=saliency))
            except ImageError as error:
                found.append(Explained(path=path, error=str(error)))
            if len(chosen) > 1:
                told(Progress(stage="explain", done=len(found), total=len(chosen)))
    return found


def explain_picture(run: Path | RunFolder, path: Path, label: str | None = None, *, site: str | None = None, own_code: bool = False,
                    watch: Watch | None = None) -> Saliency:
    """Heat of one picture in the square size that the network sees; arguments as of `explain`, ImageError if it cannot be read."""
    trained, table = opened(run, site, own_code=own_code, watch=watch)
    seer = _Seer(trained, label)
    [(_, root, image)] = images_of([path], ())
    return seer.saliency(picture_tensor(trained, to_uint8(load(root, image)), table))


class _Seer:
    """A run's model with Grad-CAM at a layer of it. Its network is changed for good: it answers as before, but trains no more."""

    def __init__(self, trained: Trained, label: str | None) -> None:
        """PlanError for a model that draws masks or reads volumes, or an unknown label."""
        if trained.task == "segmentation":
            raise PlanError("this model draws masks: the mask itself says where (wardround predict). Heat maps are for models that tell "
                            "classes of pictures.")
        if trained.data.dims == 3:
            raise PlanError("this model reads volumes, and heat maps are made of pictures only: choose a run with data.dims = 2")
        if label is not None and label not in trained.classes:
            raise PlanError(f"this model tells no class '{label}'.{suggestion(label, list(trained.classes))} It tells: "
                            f"{', '.join(trained.classes)}.")
        self._trained, self._label = trained, label
        self._heat = grad_cam(trained.model.module, (trained.data.channels, trained.data.size, trained.data.size))

    def saliency(self, image: Tensor, shape: tuple[int, ...] | None = None) -> Saliency:
        """image: (C, H, W) in network units. shape: of the heat, the image's if None."""
        probabilities = self._trained.probabilities(image[None])[0]
        index = int(probabilities.argmax()) if self._label is None else self._trained.classes.index(self._label)
        fields = self._heat(image, index)
        heat = functional.interpolate(fields[None, None], shape or image.shape[1:], mode="bicubic", align_corners=False)[0, 0]
        heat = _to_one(heat.clamp_min(0))
        return Saliency(self._trained.classes[index], float(probabilities[index]), heat.numpy(), (fields.shape[0], fields.shape[1]))


def grad_cam(module: nn.Module, shape: tuple[int, ...]) -> Heat:
    """Grad-CAM at the last layer of the network that still tells places apart. shape: (C, H, W) of images.

    The layer's maps are weighted by the mean of the class score's gradient over all places, summed, and what speaks against the
    class is left out. In float32, whatever arithmetic the run has. The module is changed for good: its parameters take no
    gradient, nothing in it works in place. PlanError for a network without such a layer.
    """
    module.eval().requires_grad_(False)
    for layer in module.modules():
        if getattr(layer, "inplace", None) is True:
            setattr(layer, "inplace", False)  # noqa: B010 (typed as Tensor); hooks see what a layer gave, which the next would overwrite
    layer_name = target_layer(module, torch.zeros(1, *shape))
    seen = part("visualize", "GradCAM")(module, layer_name, upsampler=_as_they_are, postprocessing=_to_one)

    def heat(image: Tensor, index: int) -> Tensor:
        try:
            fields: Tensor = seen(image[None].detach().clone().requires_grad_(), class_idx=index)
        except (RuntimeError, LookupError) as error:
            raise PlanError(f"Grad-CAM cannot look into this network ({str(error)[:200]}): layers that work in place, or off the path to "
                            "the answer, hide their gradients") from error
        return fields[0, 0].detach()

    return heat


def target_layer(module: nn.Module, image: Tensor) -> str:
    """Name of the last layer that gives at least 4 x 4 fields (else: more than one), before any pooling of what it gave.

    image: (1, C, H, W). PlanError if there is none."""
    names, ended, pooled = {layer: name for name, layer in module.named_modules()}, list[tuple[nn.Module, Any]](), list[Any]()

    def note(layer: nn.Module, _: Any, output: Any) -> None:
        ended.append((layer, output))
        if "Pool" in type(layer).__name__:
            pooled.append(output)

    hooks = [layer.register_forward_hook(note) for layer in module.modules()]
    try:
        with torch.no_grad():
            module(image)
    finally:
        for hook in hooks:
            hook.remove()
    calls = [layer for layer, _ in ended]
    fitting: list[tuple[int, str]] = [
        (min(output.shape[2:]), names[layer]) for layer, output in ended
        if isinstance(output, Tensor) and output.ndim == 4 and len(output) == 1 and output.shape[2] * output.shape[3] > 1
        and calls.count(layer) == 1 and names[layer] and not any(output is other for other in pooled)]
    if not fitting:
        raise PlanError("this network has no layer that tells places of the image apart (of its own torch modules), so no heat map")
    return next((name for fields, name in reversed(fitting) if fields >= FEWEST), fitting[-1][1])


def _as_they_are(shape: Sequence[int]) -> Callable[[Tensor], Tensor]:
    """MONAI's upsampler that leaves the fields."""
    return lambda fields: fields


def _to_one(fields: Tensor) -> Tensor:
    """Scaled to a maximum of 1, all zeros as they are; MONAI's own would turn hot into cold. None may be below 0."""
    most = fields.max()
    return fields / most if most > 0 and most.isfinite() else torch.zeros_like(fields)


def _free(out: Path, stem: str, taken: Collection[Path | None]) -> Path:
    """OUT/STEM_heat.png, or OUT/STEM-2_heat.png ... where that was just written."""
    names = (out / f"{stem}{'' if number == 1 else f'-{number}'}_heat.png" for number in count(1))
    return next(path for path in names if path not in taken)


def _unheard(_: object) -> None:
    """A watcher of notes that were given with the run's own results."""
