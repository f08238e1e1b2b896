"""When to use which network of the table: shown where a plan is made, and held to be complete by tests.

Parameters are those of one channel, four classes and the network's own settings; of masks in two dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wardround.models import MODELS


@dataclass(frozen=True)
class Advice:
    """use_when: a line. costs: its size, and what it asks of the images."""

    use_when: str
    costs: str
    source: str


ADVICE: Mapping[str, Advice] = {
    "cnn": Advice("first, and wherever an answer is wanted in minutes on a CPU", "0.3 million parameters", "models/cnn.py"),
    "resnet18": Advice("pictures with labels, when cnn is not enough; model.width = 0.5 makes it 3.5 times faster",
                       "11.2 million parameters", "He et al. 2016, arXiv:1512.03385"),
    "resnet34": Advice("as resnet18, with more images and a GPU", "21.3 million parameters", "He et al. 2016, arXiv:1512.03385"),
    "resnet50": Advice("large sets and a GPU, from pretrained weights", "23.5 million parameters", "He et al. 2016, arXiv:1512.03385"),
    "densenet121": Advice("chest X-rays with several findings: what CheXNet used", "7.0 million parameters; images of 32 px and more",
                          "Huang et al. 2017, arXiv:1608.06993"),
    "efficientnet-lite0": Advice("few images: its pretrained weights come as a package, nothing is downloaded", "3.4 million parameters",
                                 "Tan & Le 2019, arXiv:1905.11946"),
    "slice-sequence": Advice("a label for a whole volume: it reads the slices in their order", "0.1 million parameters; volumes only",
                             "Cho et al. 2014, arXiv:1406.1078"),
    "unet": Advice("masks, in 2-D and 3-D; the first to try", "0.4 million parameters; sides must halve depth - 1 times",
                   "Ronneberger et al. 2015, arXiv:1505.04597"),
    "attention-unet": Advice("masks of something small in a large image: gates say where to look",
                             "0.5 million parameters; sides must halve depth - 1 times", "Oktay et al. 2018, arXiv:1804.03999"),
}


def advice(name: str) -> Advice:
    """What is said of a network; of one that another package brought along the first line of its docstring."""
    if name in ADVICE:
        return ADVICE[name]
    lines = (MODELS.find(name).__doc__ or "").strip().splitlines()
    return Advice(lines[0] if lines else "", "", "")
