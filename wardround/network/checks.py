"""Whether an order keeps to the approved plan. A site trusts no number that comes from outside."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import torch

from wardround.build import ArmBlueprint
from wardround.core.exchange import EvaluateOrder, Order
from wardround.core.params import Params
from wardround.network.envelope import Envelope
from wardround.network.messages import TestOrder
from wardround.network.reasons import Refusal
from wardround.plan.schema import Plan, Recipe

MAX_LR = 10.0  # times the plan's learning rate
MAX_TEMPERATURES = 256
ANEW = "What differs from the approved plan has to be approved anew."


def check_order(plan: Plan, order: Order, envelope: Envelope) -> None:
    """Refusal of an order to train that differs from the plan in more than what strategies change from round to round."""
    check_finite(order)
    check_round(plan, order.round, envelope)
    _check_recipe(plan.recipe, order.recipe)


def check_round(plan: Plan, number: int, envelope: Envelope) -> None:
    """Refusal of a round that the plan does not have, or not the envelope's."""
    if number != envelope.round or not 1 <= number <= plan.rounds.num:
        raise Refusal(f"an order of round {number} in an envelope of round {envelope.round}; the approved plan has rounds 1 to "
                      f"{plan.rounds.num}.")


def check_evaluation(order: EvaluateOrder) -> None:
    """Refusal of an order to evaluate that asks for more than sums over validation rows."""
    check_finite(order)
    if order.detail:
        raise Refusal("results of single rows do not leave a site (detail).")
    if order.rows != "val":
        raise Refusal(f"the model is chosen on validation rows, not on '{order.rows}': test rows are read once, by a TestOrder.")
    if len(order.temperatures) > MAX_TEMPERATURES or any(temperature <= 0 for temperature in order.temperatures):
        raise Refusal(f"temperatures are at most {MAX_TEMPERATURES} numbers above 0.")


def check_test(order: TestOrder) -> None:
    """Refusal of an order to test at a temperature or a threshold that cannot be."""
    check_finite(order)
    if order.temperature is not None and order.temperature <= 0:
        raise Refusal(f"a temperature is above 0, got {order.temperature:g}.")
    if order.threshold is not None and not 0 <= order.threshold <= 1:
        raise Refusal(f"a threshold is within 0 to 1, got {order.threshold:g}.")


def check_weights(blueprint: ArmBlueprint, envelope: Envelope) -> None:
    """Refusal of class weights that the plan does not ask for, that are missing, or that are not one a class."""
    weights, is_balanced = envelope.weights, blueprint.plan.recipe.class_weights == "balanced"
    if is_balanced != (weights is not None):
        raise Refusal(f"the approved plan has recipe.class_weights = \"{blueprint.plan.recipe.class_weights}\", and the order brings "
                      f"{'none' if weights is None else 'weights'}. {ANEW}")
    if weights is not None and len(weights) != len(blueprint.classes):
        raise Refusal(f"{len(weights)} class weights for the {len(blueprint.classes)} classes of the approved plan.")


def check_finite(message: Any) -> None:
    """Refusal of a message with a NaN or an infinity in it."""
    for field in dataclasses.fields(message):
        if not _is_finite(getattr(message, field.name)):
            raise Refusal(f"{type(message).__name__}.{field.name} holds a number that is not finite (NaN or infinity).")


def _is_finite(value: Any) -> bool:
    if isinstance(value, Params):
        return bool(torch.isfinite(value.flat).all())
    if isinstance(value, np.ndarray):
        return bool(np.isfinite(value).all())
    if isinstance(value, tuple | list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _check_recipe(approved: Recipe, ordered: Recipe) -> None:
    if not 0 < ordered.lr <= MAX_LR * approved.lr:
        raise Refusal(f"the order's recipe.lr is {ordered.lr:g}; with the approved plan's {approved.lr:g} it may be up to {MAX_LR:g} times "
                      f"that, by a schedule. {ANEW}")
    for name in Recipe.model_fields:
        told, expected = getattr(ordered, name), getattr(approved, name)
        if name != "lr" and told != expected:
            raise Refusal(f"the order's recipe.{name} is {told}, the approved plan's is {expected}. {ANEW}")
