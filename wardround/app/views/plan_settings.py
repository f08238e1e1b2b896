"""The settings that the page Plan offers, in its order: choices with their uses, numbers with their limits, switches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from wardround.app.views.plan_texts import EXPLAINED, NAMES, USES
from wardround.plan.schema import Plan, Section


@dataclass(frozen=True)
class Option:
    """A value of a choice: when to use it, what it costs, where that is from."""

    value: Any
    use_when: str
    costs: str = ""
    source: str = ""


@dataclass(frozen=True)
class Choice:
    """A setting that takes one of a few values. is_open: any other text too, e.g. one's own file."""

    key: str
    label: str
    options: tuple[Option, ...]
    is_open: bool = False

    def option(self, value: Any) -> Option | None:
        return next((option for option in self.options if option.value == value), None)


@dataclass(frozen=True)
class Number:
    """A number between low and high, infinite where there is no limit. is_optional: may be none. default: what then holds, which is all
    that can be said where explained is ""."""

    key: str
    label: str
    explained: str
    low: float
    high: float
    is_whole: bool
    is_optional: bool = False
    default: str = "none"

    def read(self, text: str) -> float | int | None:
        """The number that a text says, None for none; ValueError, with what is allowed, if it says another."""
        if not text.strip() and self.is_optional:
            return None
        try:
            value = int(text) if self.is_whole else float(text)
        except ValueError:
            raise ValueError(self.allowed()) from None
        if not self.low <= value <= self.high or not math.isfinite(value):
            raise ValueError(self.allowed())
        return value

    def allowed(self) -> str:
        """ "a whole number of at least 1" """
        kind = "a whole number" if self.is_whole else "a number"
        low, high = _near(self.low), _near(self.high)
        limits = [f"above {low:g}" if low != self.low else f"of at least {low:g}"] if self.low > -math.inf else []
        limits += [f"below {high:g}" if high != self.high else f"of at most {high:g}"] if self.high < math.inf else []
        return " ".join(filter(None, [kind, " and ".join(limits), "or nothing" if self.is_optional else ""]))


@dataclass(frozen=True)
class Switch:
    """Something that is done or not."""

    key: str
    label: str
    explained: str


Setting = Choice | Number | Switch


@dataclass(frozen=True)
class Group:
    """Settings under a heading. more: those that most plans leave as they are."""

    name: str
    settings: tuple[Setting, ...]
    more: tuple[Setting, ...] = ()


LAYOUT: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Model": (("model.name", "model.weights", "model.norm"), ()),
    "Recipe": (("recipe.optimizer", "recipe.lr", "recipe.batch_size", "recipe.local_epochs", "recipe.schedule", "recipe.loss"),
               ("recipe.warmup", "recipe.momentum", "recipe.keep_optimizer", "recipe.weight_decay", "recipe.local_steps",
                "recipe.clip_norm", "recipe.class_weights", "recipe.label_skew", "recipe.label_smoothing", "recipe.mixup",
                "recipe.single_step")),
    "Augmentation": ((), ("augment.flip", "augment.rotate_deg", "augment.scale", "augment.shift", "augment.intensity")),
    "Rounds": (("rounds.num", "rounds.metric"),
               ("rounds.evaluate_every", "rounds.patience", "rounds.average", "cohort.fraction", "cohort.min_sites")),
    "Strategy": (("strategy.name",), ()),
    "Aggregation": (("aggregation.rule", "aggregation.attackers", "aggregation.secure"),
                    ("aggregation.root", "aggregation.weights", "exchange.updates", "exchange.top_share")),
    "Privacy": (("privacy.unit", "privacy.epsilon"), ("privacy.clip_norm", "privacy.noise_multiplier", "privacy.images_per_patient")),
}
OPEN = ("model.name", "strategy.name", "model.weights", "aggregation.root")


@cache
def groups() -> tuple[Group, ...]:
    """All settings of the page."""
    return tuple(Group(name, tuple(map(setting, first)), tuple(map(setting, more))) for name, (first, more) in LAYOUT.items())


def _near(bound: float) -> float:
    """The limit that a bound stands for which is itself not allowed: limits() has moved it by as little as can be."""
    return bound if math.isinf(bound) else float(f"{bound:.12g}") if abs(bound) > 1e-300 else 0.0


def setting(key: str) -> Setting:
    """What a key takes."""
    if key in ("model.name", "strategy.name", "aggregation.root") or key in USES:
        return Choice(key, NAMES[key], tuple(_options(key)), is_open=key in OPEN)
    field = _field(key)
    kinds = set(get_args(field.annotation)) or {field.annotation}
    if bool in kinds:
        return Switch(key, NAMES[key], _explained(key))
    low, high = limits(field)
    return Number(key, NAMES[key], _explained(key), low, high, is_whole=int in kinds, is_optional=type(None) in kinds)


def limits(field: FieldInfo) -> tuple[float, float]:
    """The least and the greatest value that the schema takes; a bound that is itself too small or large is moved by a little."""
    low, high = -math.inf, math.inf
    for bound in _bounds(field):
        match bound:
            case Ge():
                low = max(low, float(bound.ge))  # type: ignore[arg-type]
            case Gt():
                low = max(low, math.nextafter(float(bound.gt), math.inf))  # type: ignore[arg-type]
            case Le():
                high = min(high, float(bound.le))  # type: ignore[arg-type]
            case Lt():
                high = min(high, math.nextafter(float(bound.lt), -math.inf))  # type: ignore[arg-type]
    return low, high


def _bounds(field: FieldInfo) -> Iterator[Any]:
    yield from field.metadata
    for part in get_args(field.annotation):  # Positive | None
        yield from (bound for entry in getattr(part, "__metadata__", ()) for bound in getattr(entry, "metadata", ()))


def _field(key: str) -> FieldInfo:
    section, _, name = key.partition(".")
    kind = Plan.model_fields[section].annotation
    if not (isinstance(kind, type) and issubclass(kind, Section)):
        raise KeyError(key)
    return kind.model_fields[name]


def _explained(key: str) -> str:
    """The sentence of a number or switch, of those that act like algorithms their use."""
    if key in EXPLAINED:
        return EXPLAINED[key]
    from wardround.strategies.advice import OPTIONS

    return next(f"{said.use_when}; {said.costs}" if said.costs != "none" else said.use_when
                for name, said in OPTIONS.items() if name.startswith(f"{key}="))


def _options(key: str) -> Iterator[Option]:
    if key == "model.name":
        yield from _models()
        return
    if key == "strategy.name":
        yield from _strategies()
        return
    yield from (Option(value, *use) for value, use in USES.get(key, {}).items())
    from wardround.strategies.advice import OPTIONS

    for name, said in OPTIONS.items():
        known, _, value = name.partition("=")
        if known == key and value not in USES.get(key, {}):
            yield Option(value, said.use_when, "" if said.costs == "none" else said.costs, said.source)


def _models() -> Iterator[Option]:
    from wardround.models import MODELS
    from wardround.models.advice import ADVICE

    for name in MODELS.table:
        said = ADVICE[name]
        yield Option(name, said.use_when, said.costs, said.source)


def _strategies() -> Iterator[Option]:
    from wardround.strategies.advice import ADVICE

    for name, said in ADVICE.items():
        yield Option(name, said.use_when, "" if said.costs == "none" else said.costs, said.source)
