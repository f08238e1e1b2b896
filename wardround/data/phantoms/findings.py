"""The signs of 14 findings on a drawn chest film, each by its own pencil, and what some of them do to the anatomy.

A pencil takes the film before its bones are drawn: (rng, chest, picture, strength) -> picture. strength: 0 invisible to 1 plain.
x and y are those of chest.py; the patient's right is at the left of the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from wardround.data.phantoms import drawing
from wardround.data.phantoms.chest import Build, Chest
from wardround.data.phantoms.drawing import Array, ellipse, line, paint, step

Pencil = Callable[[np.random.Generator, Chest, Array, float], Array]

DENSE = 0.66  # brightness of fluid and airless lung; soft tissue is 0.5 to 0.6
FREE_AIR = 0.1


def build_of(strengths: Mapping[str, float], body: np.random.Generator, *, is_supine: bool) -> Build:
    """The anatomy of an adult with these findings: a wide heart, flat low diaphragms and dark lungs, a raised diaphragm.

    body: the patient's stream. is_supine: taken from the front (AP), which enlarges the heart and raises both diaphragms.
    """
    wide, flat, lost = (strengths.get(name, 0.0) for name in ("Cardiomegaly", "Emphysema", "Atelectasis"))
    heart = body.uniform(0.75, 1.0) * (1.1 if is_supine else 1.0) * (1.05 + 0.5 * wide if wide else 1.0) * (1 - 0.25 * flat)
    floors = np.full(2, 0.11 * flat - (0.07 if is_supine else 0.0))
    floors[int(body.integers(2))] -= 0.13 * lost
    return Build(width=(1.0, 1.2), field=0.97, girth=body.uniform(1.04, 1.25), slope=0.5, heart=heart, dome=1 - 0.8 * flat,
                 air=1 - 0.45 * flat, floors=(float(floors[0]), float(floors[1])))


def _side(rng: np.random.Generator) -> int:
    return int(rng.choice([-1, 1]))


def _wall(chest: Chest) -> Array:
    """How far the lungs reach from the midline at each height: the curve that chest.chest_of draws them with."""
    t = np.clip((chest.y + 0.78) / 1.26, 0, 1)
    wall: Array = 0.3 + 0.44 * np.sqrt(t) * (1 - 0.05 * t)
    return wall


def _somewhere(rng: np.random.Generator) -> tuple[float, float]:
    """A point within the lungs, not too near their edges."""
    y = rng.uniform(-0.5, 0.3)
    return _side(rng) * rng.uniform(0.26, 0.36 + 0.2 * (y + 0.5)), y


def _opacity(chest: Chest, picture: Array, mask: Array, value: float = DENSE) -> Array:
    """Airless lung where the mask is."""
    return paint(picture, np.clip(mask, 0, 1).astype(np.float32) * chest.lungs, value)


def atelectasis(rng: np.random.Generator, chest: Chest, picture: Array, strength: float) -> Array:
    """One to three thin plates above the diaphragm; the lost volume shows in build_of."""
    side = _side(rng)
    x, low = side * chest.x, rng.uniform(0.12, 0.26)
    for number in range(rng.integers(1, 4)):
        tilt, start, width = rng.normal(0, 0.18), rng.uniform(0.15, 0.3), rng.uniform(0.016, 0.03)
        plate = line(chest.y - low + 0.09 * number - tilt * (x - 0.4), width) * step(x - start, 0.05) * step(start + 0.38 - x, 0.08)
        picture = _opacity(chest, picture, (0.25 + 0.4 * strength) * plate)
    return picture


def effusion(rng: np.random.Generator, chest: Chest, picture: Array, strength: float) -> Array:
    """Fluid in the angle between ribs and diaphragm, rising to the side as a meniscus; sometimes on both sides."""
    sides = (-1, 1) if rng.random() < 0.3 else (_side(rng),)
    for side in sides:
        level = 0.62 - 0.55 * strength * rng.uniform(0.7, 1)
        rise = 0.28 * np.square(np.clip((side * chest.x - 0.2) / 0.5, 0, 1))
        fluid = step(chest.y - level + rise, 0.06) * step(side * chest.x - 0.08, 0.04) * step(_wall(chest) + 0.03 - side * chest.x, 0.03)
        picture = paint(picture, 0.95 * fluid * step(0.62 - chest.y, 0.06), DENSE + 0.02)
    return picture


def infiltration(rng: np.random.Generator, chest: Chest, picture: Array, strength: float) -> Array:
    """Faint patches without edges over a wide part of one lung or both."""
    x, y = _somewhere(rng)
    cloud = drawing.clouds(rng, 7, octaves=3)
    away = np.abs(chest.x) - abs(x) if rng.random() < 0.4 else chest.x - x
    spread = np.exp(-np.square(away / 0.28) - np.square((chest.y - y) / 0.36))
    return _opacity(chest, picture, (0.2 + 0.5 * strength) * spread * np.clip(0.4 + 0.5 * cloud, 0, 1))


def _round(rng: np.random.Generator, chest: Chest, picture: Array, size: float, strength: float) -> Array:
    """A round shadow with a slightly uneven edge."""
    where = _somewhere(rng)
    x, y = chest.x - where[0], chest.y - where[1]
    r = drawing.radius(x, y, rx=size, ry=size * rng.uniform(0.8, 1.2)) * drawing.outline(rng, x, y, strength=0.08, waves=(2, 3, 5))
    return _opacity(chest, picture, (0.3 + 0.6 * strength) * step(1 - r, 0.25))


def mass(rng: np.random.Generator, chest: Chest, picture: Array, strength: float) -> Array:
    """A large round shadow."""
    return _round(rng, chest, picture, rng.uniform(0.11, 0.2), strength)


def nodule(rng: np.random.Generator, chest: Chest, picture: Array, strength: float) -> Array:
    """One to three small round shadows."""
    for _ in range(rng.integers(1, 4)):
        picture = _round(rng, chest, picture, rng.uniform(0.035, 0.065), strength)
    return picture


def pneumonia(rng: np.random.Generator, chest: Chest, picture: Array, strength: float) -> Array:
    """One soft-edged patch, dense in its middle."""
    x, y = _somewhere(rng)
    cloud = drawing.clouds(rng, 8, octaves=3)
    r = drawing.radius(chest.x - x, chest.y - y, rx=rng.uniform(0.16, 0.28), ry=rng.uniform(0.16, 0.28))
    return _opacity(chest, picture, (0.3 + 0.55 * strength) * step(1 - r + 0.2 * cloud, 0.6))


def pneumothorax(rng: np.random.Generator, chest: Chest, picture: Array, strength: float) -> Array:
    """Black air without vessels around the top and side of a lung that has shrunk behind a fine white line."""
    side = _side(rng)
    x, y = side * chest.x, chest.y
    gap = (0.04 + 0.16 * strength) * np.clip(1.15 - 0.9 * (y + 0.78), 0.25, 1.1)
    sideways, upwards = _wall(chest) - gap - x, 0.8 * (y + 0.78 - 1.6 * gap)
    inside = -np.logaddexp(-12 * sideways, -12 * upwards) / 12  # the smaller of both, rounded where they meet; > 0 in the shrunk lung
    air = step(-inside, 0.015) * step(x - 0.1, 0.03) * chest.lungs
    picture = paint(picture, (0.4 + 0.5 * strength) * air, FREE_AIR)
    with_line: Array = picture + (0.1 + 0.1 * strength) * line(inside, 0.014) * chest.lungs * step(x - 0.1, 0.03)
    return with_line


def consolidation(rng: np.random.Generator, chest: Chest, picture: Array, strength: float) -> Array:
    """A lobe full of fluid, ending sharply at a fissure; the air in its bronchi stays dark."""
    side, above = _side(rng), rng.random() < 0.5
    fissure = rng.uniform(-0.2, 0.05) + rng.normal(0, 0.2) * (side * chest.x - 0.4)
    lobe = step((fissure - chest.y) if above else (chest.y - fissure), 0.03)
    depth = np.exp(-np.square((chest.y - fissure) / rng.uniform(0.3, 0.45)))
    bronchi = 1 - 0.22 * line(drawing.clouds(rng, 11, octaves=2), 0.22)
    return _opacity(chest, picture, (0.35 + 0.55 * strength) * lobe * depth * bronchi * step(side * chest.x - 0.05, 0.05))


def edema(rng: np.random.Generator, chest: Chest, picture: Array, strength: float) -> Array:
    """Wings of haze around both hila, with short level lines at the sides of the bases."""
    away = np.abs(chest.x)
    wings = np.exp(-np.square((away - 0.27) / 0.22) - np.square((chest.y + 0.02) / 0.38))
    picture = _opacity(chest, picture, (0.25 + 0.55 * strength) * wings * (0.85 + 0.15 * drawing.clouds(rng, 9, octaves=2)))
    levels = np.square(np.cos(chest.y * np.float32(np.pi / 0.055)))
    base = step(chest.y - 0.12, 0.06) * step(away - _wall(chest) + 0.16, 0.03)
    streaked: Array = picture + 0.1 * strength * levels * base * chest.lungs
    return streaked


def emphysema(rng: np.random.Generator, chest: Chest, picture: Array, strength: float) -> Array:
    """Few vessels in dark lungs, and thin-walled bullae near the tops; the flat diaphragm shows in build_of."""
    faded = drawing.enlarged(drawing.enlarged(picture, 12), drawing.DRAW_PX)
    picture = paint(picture, 0.5 * strength * chest.lungs * step(np.abs(chest.x) - 0.3, 0.1), 0.8 * faded)
    for _ in range(rng.integers(0, 3)):
        x, y, size = _side(rng) * rng.uniform(0.28, 0.42), rng.uniform(-0.6, -0.3), rng.uniform(0.07, 0.13)
        r = drawing.radius(chest.x - x, chest.y - y, rx=size, ry=size)
        picture = paint(picture, 0.7 * strength * step(1 - r, 0.1) * chest.lungs, FREE_AIR) + 0.07 * line(r - 1, 0.12) * chest.lungs
    return picture


def fibrosis(rng: np.random.Generator, chest: Chest, picture: Array, strength: float) -> Array:
    """A net of fine lines, densest at the sides and below."""
    net = np.maximum(line(drawing.clouds(rng, 17, octaves=2), 0.22), line(drawing.clouds(rng, 22, octaves=2), 0.2))
    where = np.clip(0.25 + 0.9 * (chest.y + 0.2), 0, 1) * step(np.abs(chest.x) - 0.24, 0.15)
    netted: Array = picture + (0.07 + 0.2 * strength) * net * where * chest.lungs
    return netted


def pleural_thickening(rng: np.random.Generator, chest: Chest, picture: Array, strength: float) -> Array:
    """An uneven white rim between lung and ribs, often with a cap over the top."""
    side = _side(rng)
    x, uneven = side * chest.x, 1 + 0.3 * drawing.clouds(rng, 4)
    thick = (0.035 + 0.06 * strength) * uneven
    low = rng.uniform(-0.1, 0.5)
    rim = step(x - _wall(chest) + thick, 0.02) * step(low - chest.y, 0.15)
    cap = step(-0.7 + 1.5 * thick - chest.y, 0.03) * step(x - 0.1, 0.03) if rng.random() < 0.6 else np.zeros_like(x)
    return _opacity(chest, picture, (0.5 + 0.4 * strength) * np.maximum(rim, cap))


def hernia(rng: np.random.Generator, chest: Chest, picture: Array, strength: float) -> Array:
    """A round shadow behind the heart, above the diaphragm, with air over a level of fluid."""
    x, y, size = rng.uniform(-0.02, 0.14), rng.uniform(0.3, 0.4), 0.12 + 0.1 * strength
    sac = ellipse(chest.x, chest.y, centre=(x, y), size=(size * 1.15, size), softness=0.025)
    picture = paint(picture, (0.4 + 0.5 * strength) * sac, 0.72)
    bubble = ellipse(chest.x, chest.y, centre=(x, y), size=(size * 0.9, size * 0.78), softness=0.025)
    return paint(picture, (0.3 + 0.45 * strength) * bubble * step(y + rng.uniform(-0.04, 0.03) - chest.y, 0.012), 0.42)


def cardiomegaly(rng: np.random.Generator, chest: Chest, picture: Array, strength: float) -> Array:
    """The wide heart is drawn by build_of; nothing is added."""
    return picture


PENCILS: dict[str, Pencil] = {  # in the order in which they are drawn: air and fluid last
    "Cardiomegaly": cardiomegaly, "Emphysema": emphysema, "Fibrosis": fibrosis, "Edema": edema, "Infiltration": infiltration,
    "Pneumonia": pneumonia, "Consolidation": consolidation, "Nodule": nodule, "Mass": mass, "Atelectasis": atelectasis,
    "Hernia": hernia, "Pleural_Thickening": pleural_thickening, "Pneumothorax": pneumothorax, "Effusion": effusion}
