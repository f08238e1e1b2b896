"""From the attack that a plan names to what malicious sites do, and the plans in which it makes no sense."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Generator, Tensor

from wardround.aggregation.stack import Stack
from wardround.attacks.alie import alie
from wardround.attacks.backdoor import backdoor, boosted
from wardround.attacks.gaussian import gaussian
from wardround.attacks.inner_product import inner_product
from wardround.attacks.label_flip import label_flip
from wardround.attacks.min_max import min_max
from wardround.attacks.poison import Change, Poison
from wardround.attacks.sign_flip import sign_flip
from wardround.data.datasets import DATASETS
from wardround.data.partition import site_names
from wardround.errors import PlanError
from wardround.lookup import suggestion
from wardround.plan.schema import AttackName, AttackPlan, Plan
from wardround.rng import stream

Corruption = Callable[[Stack, Sequence[int], Generator], list[Tensor]]
"""All updates of a round as honest sites would send them, the numbers of the malicious ones among them, a stream -> new vectors
(layout.size,) of these, in the same order."""
Craft = Callable[[list[Tensor], list[Tensor], Generator], list[Tensor]]  # trained numbers: malicious, honest, stream -> malicious, new

MEANINGS: Mapping[AttackName, str] = {
    "none": "",
    "label-flip": "train on wrong labels",
    "backdoor": "teach the model that a bright patch in the corner means a class of their choice, and enlarge their changes",
    "sign-flip": "send the opposite of what they learnt, enlarged",
    "gaussian": "send noise, many times as large as an honest change",
    "inner-product": "know all honest changes, and send the opposite of their mean",
    "alie": "know all honest changes, and send one shifted within their spread",
    "min-max": "know all honest changes, and send one as far off as can be without standing out",
}


def make_poison(plan: AttackPlan, sites: Sequence[str], classes: Sequence[str], seed: int) -> Poison | None:
    """What malicious sites do to their training images; None for attacks on updates. PlanError for classes that there are not."""
    chosen = frozenset(malicious(plan, sites, seed))
    change: Change
    if plan.kind == "label-flip":
        source, target = _flip_of(plan, classes)
        change = partial(label_flip, source=source, target=target, num_classes=len(classes))
    elif plan.kind == "backdoor":
        change = partial(backdoor, target=_index(plan.target, classes, "target"), poisoned=plan.poisoned, side_share=plan.patch)
    else:
        return None
    return Poison(change=change, sites=chosen, from_round=plan.from_round)


def make_corruption(plan: AttackPlan) -> Corruption | None:
    """What malicious sites do to their updates; None if nothing. With a strength, a label-flip's updates are enlarged by it too.

    Running statistics stay the site's own: a variance below 0 would end the run at once, and tell who did it."""
    craft = _craft(plan)
    return None if craft is None else partial(_corrupted, craft)


def malicious(plan: AttackPlan, sites: Sequence[str], seed: int) -> tuple[str, ...]:
    """The malicious ones of the sites, in their order. PlanError for sites that there are not, or if none is left honest."""
    if plan.kind == "none":
        return ()
    for name in plan.sites:
        if name not in sites:
            raise PlanError(f"attack.sites: there is no site '{name}'.{suggestion(name, list(sites))} Sites: {', '.join(sites)}.")
    num = len(set(plan.sites)) or max(1, int(plan.share * len(sites) + 0.5))
    if num >= len(sites):
        raise PlanError(f"attack: all {len(sites)} sites would be malicious, and nobody is left to be harmed. Lower attack.share, name "
                        "fewer attack.sites, or raise sites.num.")
    drawn = stream(seed, "attack", "sites").choice(len(sites), num, replace=False)
    chosen = plan.sites or {sites[index] for index in drawn.tolist()}
    return tuple(site for site in sites if site in chosen)


def check_attack(plan: Plan) -> None:
    """PlanError, with the reason and the remedy, for an attack that could not take place. What only the data tell is refused later, by
    `make_poison` and `malicious`."""
    attack = plan.attack
    if attack.kind == "none":
        return
    if plan.sites.names is not None or plan.sites.partition != "column":
        malicious(attack, site_names(plan.sites), plan.seed)
    if attack.from_round > plan.rounds.num:
        raise PlanError(f"attack.from_round = {attack.from_round}, but rounds.num = {plan.rounds.num}: the sites would behave to the end. "
                        f"Set it to at most {plan.rounds.num}.")
    if attack.source and attack.source == attack.target:
        raise PlanError(f"attack.source and attack.target are both '{attack.source}', which changes no label. Name two classes.")
    if attack.kind == "backdoor":
        _check_patch(plan)
    _check_task(attack, getattr(DATASETS.find(plan.data.dataset), "task", None))


def in_words(plan: AttackPlan) -> str:
    """A sentence for those who read the run's results; "" without an attack."""
    if plan.kind == "none":
        return ""
    who = f"The sites {', '.join(plan.sites)}" if plan.sites else f"{plan.share:.0%} of the sites, at least one,"
    when = f" from round {plan.from_round} on" if plan.from_round > 1 else ""
    return f"{who} are malicious{when} (attack {plan.kind}): they {MEANINGS[plan.kind]}. This is a simulation."


def _corrupted(craft: Craft, stack: Stack, malicious: Sequence[int], rng: Generator) -> list[Tensor]:
    own = [stack.trained[index] for index in malicious]
    honest = [row for index, row in enumerate(stack.trained) if index not in malicious]
    crafted = craft(own, honest or own, rng)  # alone in a round, they go by what they would have sent themselves
    return [torch.cat([trained, stack.buffers[index]]) for trained, index in zip(crafted, malicious, strict=True)]


def _craft(plan: AttackPlan) -> Craft | None:
    """All attackers send the same change, but for those that start from their own or draw."""
    given, strength = plan.strength, {} if plan.strength is None else {"strength": plan.strength}
    crafts: Mapping[AttackName, Craft] = {
        "backdoor": lambda own, honest, rng: [
            boosted(row, num_sites=len(own) + len(honest), num_malicious=len(own), strength=given) for row in own],
        "sign-flip": lambda own, honest, rng: [sign_flip(row, **strength) for row in own],
        "gaussian": lambda own, honest, rng: [gaussian(honest, rng, **strength) for _ in own],
        "inner-product": lambda own, honest, rng: [inner_product(honest, **strength)] * len(own),
        "alie": lambda own, honest, rng: [alie(honest, num_malicious=len(own), strength=given)] * len(own),
        "min-max": lambda own, honest, rng: [min_max(honest, **strength)] * len(own),
    }
    if plan.kind == "label-flip" and given is not None:
        return crafts["backdoor"]
    return crafts.get(plan.kind)


def _flip_of(plan: AttackPlan, classes: Sequence[str]) -> tuple[int | None, int]:
    target = _index(plan.target, classes, "target")
    if not plan.source:
        if plan.target:
            raise PlanError(f"attack.target = '{plan.target}' says what images are called, but not which. Name their class, attack.source, "
                            "or leave out both: then every class c becomes C - 1 - c.")
        return None, target
    source = _index(plan.source, classes, "source")
    if source == target and not plan.target:
        raise PlanError(f"attack.source = '{plan.source}' is the first class, which attack.target is unless it says otherwise: no label "
                        "would change. Name another attack.target.")
    return source, target


def _index(name: str, classes: Sequence[str], key: str) -> int:
    """Number of a class; 0 for ""."""
    if name and name not in classes:
        raise PlanError(f"attack.{key}: there is no class '{name}'.{suggestion(name, list(classes))} Classes: {', '.join(classes)}.")
    return classes.index(name) if name else 0


def _check_patch(plan: Plan) -> None:
    attack, sides = plan.attack, plan.data.patch[1:] if plan.data.dims == 3 else (plan.data.size,)
    if attack.patch * min(sides) < 0.5:
        raise PlanError(f"attack.patch = {attack.patch:g} of {min(sides)} pixels is less than half a pixel, which leaves no room for the "
                        f"backdoor's patch. Set it to at least {1 / min(sides):.2g}.")
    if attack.patch > 0.5:
        raise PlanError(f"attack.patch = {attack.patch:g} would cover more than a quarter of the image, so that the model would learn from "
                        "what is missing. Set it to at most 0.5.")
    if attack.poisoned == 0:
        raise PlanError("attack.poisoned = 0: no image would carry the backdoor's patch. Set it to e.g. 0.5.")


def _check_task(attack: AttackPlan, task: str | None) -> None:
    if attack.kind == "backdoor" and task == "segmentation":
        raise PlanError("attack.kind = 'backdoor' calls whole images by another class, and images with masks have none. Use "
                        "'label-flip', or an attack on updates, e.g. 'sign-flip'.")
    if attack.kind == "label-flip" and task == "multilabel" and attack.target:
        raise PlanError(f"attack.target = '{attack.target}': of several findings an image, attack.source is turned from absent to present "
                        "and back, and becomes no other one. Leave attack.target out.")
