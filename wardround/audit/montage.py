"""Pictures side by side, for the eye: what was true and what an attack drew."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

SIDE = 128  # pixels of a picture, enlarged without smoothing
GAP, HEAD = 8, 20  # pixels between pictures, and above them for a column's name
WHITE = 255


def montage(columns: Mapping[str, Tensor]) -> bytes:
    """A PNG file: a named column for each (B, C, H, W) in 0 ... 1, images from top to bottom. C: 3 is colour, else the first is shown."""
    height = HEAD + max(map(len, columns.values())) * (SIDE + GAP)
    page = Image.new("RGB", (len(columns) * (SIDE + GAP) + GAP, height), (WHITE,) * 3)
    draw = ImageDraw.Draw(page)
    for index, (name, images) in enumerate(columns.items()):
        left = GAP + index * (SIDE + GAP)
        draw.text((left, 4), name, fill=(0, 0, 0))
        for place, image in enumerate(images):
            shown = image if len(image) == 3 else image[:1].expand(3, -1, -1)
            pixels = (shown * WHITE).round().byte().permute(1, 2, 0).numpy()
            page.paste(Image.fromarray(np.ascontiguousarray(pixels)).resize((SIDE, SIDE), Image.Resampling.NEAREST),
                       (left, HEAD + place * (SIDE + GAP)))
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()
