"""The sentences of a report: what was reached, what was done, how far it can be trusted."""

from __future__ import annotations

import math
from pathlib import Path

from wardround.attacks.choose import in_words as attack_in_words
from wardround.plan.schema import Plan
from wardround.report import words
from wardround.report.material import Comparison, RunMaterial, tested, value_of
from wardround.report.tables import spread, verdict_words

PARTITIONS = {
    "iid": "at random, so that the hospitals resemble each other",
    "dirichlet": "unevenly: each class is shared out by a Dirichlet distribution (alpha {alpha:g}; small is uneven)",
    "shards": "in pieces sorted by class ({shards} pieces a hospital)",
    "quantity": "in unequal amounts (Dirichlet, alpha {alpha:g})",
    "missing-classes": "so that each hospital lacks some classes: {common} at every hospital, each other class at one only",
    "feature-shift": "at random, and each hospital's images were changed as by another scanner (strength {strength:g})",
    "column": "by the column '{column}' of the data set",
    "folders": "as they lie: each hospital's images are in a folder of its own, and were split there",
}
POLICIES = {
    "published": "The published split was kept; test images that leak into training were dropped.",
    "grouped": "All images were split anew by {unit}: {train} training, {val} validation, {test} test.",
    "folds": "The images were split by {unit} into {folds} folds; fold {fold} is the test set.",
}

SCALES = {"fixed": "the same fixed scale for all", "image": "zero mean and unit variance in each image",
          "imagenet": "the scale of ImageNet's images"}
HARMONISED = {
    "none": "", "site": " Before that, each hospital's grey values were shifted and stretched to a mean and a deviation common to all.",
    "percentiles": " Before that, the percentiles of each hospital's grey values were mapped onto those common to all."}
WEIGHTED = dict.fromkeys(("binary", "multiclass", "segmentation"), ", classes weighted to count the same") | {
    "multilabel": ", in which the images with a finding count as much as those without (a weight of at most 20)"}
DECISIONS = dict.fromkeys(("binary", "multiclass"), "An image is given the class with the highest probability.") | {
    "multilabel": "No threshold was chosen: each finding is judged by how the model ranks the images.",
    "segmentation": "Each pixel or voxel is given the class with the highest probability."}
TRUTHS = {
    "multilabel": "Findings are taken as published, often read from reports by a program. How many are wrong was not examined.",
    "segmentation": "The published outlines are taken as the truth. How far other experts would have drawn them differently was not "
                    "examined."}


def comparison_headline(comparison: Comparison) -> str:
    """One sentence with the primary metric of the federated arm and its distance to the others."""
    arms, metric = comparison.compare["arms"], comparison.metric
    first = next((arm for arm in ("federated", "pooled", "local") if arms.get(arm)), None)
    if first is None:
        return "No arm has finished."
    title = words.title(metric, arms[first][0]["metrics"])
    paired = comparison.compare["paired"]
    parts = []
    if (found := (paired.get("federated/pooled") or {}).get(metric)) and words.is_number(found["ratio"]):
        parts.append(f"{words.interval(found['ratio'], found['low'], found['high'])} of what pooling all images reaches")
    if (found := (paired.get("federated/local") or {}).get(metric)) and words.is_number(found["difference"]):
        gap = words.interval(found["difference"], found["difference_low"], found["difference_high"], words.digits(metric), signed=True)
        parts.append(f"{gap} compared with a hospital alone")
    text = f"{_trained(first, comparison.lead)} reached {_result(spread(arms[first], metric), title)}"
    return f"{text}{': ' if parts else ''}{words.listing(parts)}."


def verdict_sentences(comparison: Comparison) -> list[str]:
    """What the intervals allow to be said, a sentence for each pair of arms."""
    against = {"pooled": "pooling all images", "ensemble": "the ensemble of the hospitals' own models", "local": "each hospital alone"}
    found = []
    for pair, by_metric in comparison.compare["paired"].items():
        first, _, second = pair.partition("/")
        if comparison.metric in by_metric:
            verdict = verdict_words(by_metric[comparison.metric], comparison.metric)
            found.append(f"{words.arm(first)} training against {against.get(second, second)}: {verdict}.")
    dropped = [run for runs in comparison.runs.values() for run in runs if run.scores.get("without")]
    return found + [f"{run.folder.name} finished without {words.listing(list(run.scores['without']))}." for run in dropped]


def run_headline(run: RunMaterial, metric: str) -> str:
    """One sentence with a single run's result."""
    scores = run.scores
    reached = _result(words.estimate(scores["metrics"], metric), words.title(metric, scores["metrics"]))
    return f"{_trained(scores['arm'], run)} reached {reached} on {tested(scores)} that it had never seen."


def _result(estimate: str, title: str) -> str:
    return f"{estimate} {title}" if estimate != words.NOT_ESTIMABLE else f"a {title} that is {words.NOT_ESTIMABLE}"


def _trained(arm: str, run: RunMaterial) -> str:
    num_sites = len(run.site_counts) or run.plan.sites.num
    hows = {"federated": f"federated training of {words.plural(num_sites, 'hospital')}", "local": "training at one hospital alone",
            "pooled": "training on all images in one place"}
    how = hows.get(arm, f"{arm} training")
    return f"On phantom images, {how}" if run.scores["phantom"] else words.sentence(how)


def outcome(run: RunMaterial) -> str:
    """How the run ended; one in which a site was dropped is "finished without" it."""
    scores = run.scores
    without = list(scores.get("without") or ())
    ended = f"finished without {words.listing(without)}" if without else "finished"
    return f"The run {ended} after {words.plural(int(scores['rounds']), 'round')}; round {scores['best_round']} was kept."


def remarks(run: RunMaterial) -> list[str]:
    """What else stands at the top of a run's page."""
    if not run.is_network:
        return []
    found = ["Images and single predictions stayed at the hospitals; they sent model updates, sums and rates. "
             f"Counts of {words.FEW} images are hidden."]
    if untested := list(run.scores.get("untested") or ()):
        found.append(f"The final test is without {words.listing(untested)}.")
    return found


def what_was_done(plan: Plan, run: RunMaterial) -> list[str]:
    """The plan in words, a paragraph each: sites, split, images, training, choice."""
    return [_sites(plan, run), _split(plan, run), _images(plan, run), _training(plan, run), _choice(plan, run)]


def _sites(plan: Plan, run: RunMaterial) -> str:
    how = PARTITIONS[plan.sites.partition].format(alpha=plan.sites.alpha, shards=plan.sites.shards, strength=plan.sites.strength,
                                                  column=plan.sites.column, common=words.listing(plan.sites.common) or "no class")
    kind = "hospital" if plan.sites.partition in ("column", "folders") else "simulated hospital"
    num = len(run.site_counts) or plan.sites.num
    apart = ("Whether a patient is at two hospitals was not examined." if plan.sites.partition == "folders" else
             f"No {run.grouping} is at two hospitals.")
    return f"The images were divided among {words.plural(num, kind)} {how}. {apart}"


def _split(plan: Plan, run: RunMaterial) -> str:
    split = plan.split
    text = POLICIES[split.policy].format(unit=run.grouping,
                                         train=words.percent(1 - split.val - split.test), val=words.percent(split.val),
                                         test=words.percent(split.test), folds=split.folds, fold=split.fold + 1)
    return f"{text} The test images were read once, after all choices had been made."


def _images(plan: Plan, run: RunMaterial) -> str:
    augment = plan.augment
    amounts = (("rotation", augment.rotate_deg, "°"), ("scale", 100 * augment.scale, " %"), ("shift", 100 * augment.shift, " %"),
               ("brightness and contrast", 100 * augment.intensity, " %"))
    changes = [f"{name} ±{value:g}{unit}" for name, value, unit in amounts if value]
    changes += ["left-right flips"] if augment.flip else []
    channels = "grey" if plan.data.channels == 1 else "colour" if run.task != "segmentation" else f"{plan.data.channels} channels"
    prepared = (f"Images were resized to {plan.data.size} × {plan.data.size} pixels ({channels}), with brightness brought to "
                f"{SCALES[plan.data.normalise]}.") if plan.data.dims == 2 else _volumes(plan, run)
    return f"{prepared}{HARMONISED[plan.data.harmonise]} Random changes while training: {words.listing(changes) or 'none'}."


def _volumes(plan: Plan, run: RunMaterial) -> str:
    data = plan.data
    cubes = f"resampled to cubes of {data.spacing_mm:g} mm, " if data.spacing_mm else ""
    text = (f"Volumes were {cubes}cropped to what is not empty, and each of their {words.plural(data.channels, 'channel')} was brought to "
            "zero mean and unit variance over what is not empty.")
    depth, height, width = data.patch
    if run.task != "segmentation":
        return text
    drawn = f", {words.percent(data.foreground)} of them around a marked voxel" if data.foreground else ""
    if depth == 1:
        return f"{text} The network saw single slices of {height} × {width} voxels{drawn}; whole volumes were tested slice by slice."
    return (f"{text} The network was trained on patches of {depth} × {height} × {width} voxels{drawn}; whole volumes were tested patch by "
            "patch.")


def _training(plan: Plan, run: RunMaterial) -> str:
    recipe = plan.recipe
    passes = "one pass" if recipe.local_epochs == 1 else f"{recipe.local_epochs:g} passes"
    amount = words.plural(recipe.local_steps, "batch") if recipe.local_steps else f"{passes} over its images"
    weights = WEIGHTED[run.task] if recipe.class_weights == "balanced" else ""
    extras = "".join(f", {name} = {value}" for name, value in plan.strategy.arguments().items())
    cohort = "All hospitals" if plan.cohort.fraction == 1 else f"{words.percent(plan.cohort.fraction)} of the hospitals"
    method = f"{plan.strategy.name}{extras}"
    loss = recipe.loss.replace("_", " ")
    steps = " that together made one step" if recipe.single_step else ""
    return (f"In each of up to {words.plural(plan.rounds.num, 'round')} the hospitals trained a network ({plan.model.name}, "
            f"{plan.model.norm} normalisation) on {amount}, in batches of {recipe.batch_size}{steps}, and sent back only the change of "
            f"its numbers; the method {method} combined the changes{_rule(plan)}. {cohort} took part in a round. Optimiser "
            f"{recipe.optimizer}, learning rate {recipe.lr:g} ({recipe.schedule}), loss {loss}{weights}.{_options(plan)}{_began(plan)}"
            f"{_shared(plan, run)}{_private(plan)}{_attacked(plan)}")


def _rule(plan: Plan) -> str:
    """By which rule, if not by their mean."""
    wanted = plan.aggregation
    if wanted.rule == "mean":
        alike = ", which counted all hospitals alike" if wanted.weights == "equal" else ""
        return f"{alike}, in sums that hid each hospital's own change from the server" if wanted.secure else alike
    guards = f", made to withstand {words.plural(wanted.attackers, 'malicious hospital')}" if wanted.attackers else ""
    return f" by the rule {wanted.rule}{guards}, which counts all hospitals alike"


def _private(plan: Plan) -> str:
    """What was hidden, and within which budget. What was spent of it is a section of its own, where it is known."""
    hidden = {"image": "each image", "patient": "each patient", "site": "each hospital as a whole"}.get(plan.privacy.unit)
    if hidden is None:
        return ""
    who = "the server, which is trusted" if plan.privacy.unit == "site" else "each hospital"
    return (f" Training hid {hidden} by noise that was added at {who}, within a budget of epsilon {plan.privacy.epsilon:g} "
            "(differential privacy).")


def _attacked(plan: Plan) -> str:
    """Who was malicious in a simulation."""
    return f" {attack_in_words(plan.attack)}" if plan.attack.kind != "none" else ""


def _options(plan: Plan) -> str:
    """Settings that act like algorithms, where they are on."""
    recipe = plan.recipe
    found = {"logits changed by each hospital's class counts": recipe.label_skew if recipe.label_skew != "none" else "",
             "images of a batch mixed in pairs": f"mixup {recipe.mixup:g}" if recipe.mixup else "",
             "the model's mean over rounds kept": plan.rounds.average if plan.rounds.average != "none" else "",
             "changes sent in fewer bytes": plan.exchange.updates if plan.exchange.updates != "float32" else ""}
    told = [f"{what} ({how})" for what, how in found.items() if how]
    return f" Further: {words.listing(told)}." if told else ""


def _began(plan: Plan) -> str:
    weights = plan.model.weights
    if not weights:
        return ""
    return " Training began with weights learnt on ImageNet." if weights == "imagenet" else (
        f" Training began with the weights in {Path(weights).name}.")


def _shared(plan: Plan, run: RunMaterial) -> str:
    """Which part of the model is trained and exchanged, where it is not all."""
    if not plan.model.share:
        return ""
    amount = "" if run.sent_share is None else f", {words.percent(run.sent_share, 1)} of the network's numbers"
    return (f" Only a part of the network was trained and exchanged ({words.listing(plan.model.share)}{amount}); the rest stayed as it "
            "began.")


def _choice(plan: Plan, run: RunMaterial) -> str:
    threshold = run.scores.get("threshold")
    direction = "lowest" if words.lower_is_better(plan.rounds.metric) else "highest"
    title = words.title(plan.rounds.metric, run.scores["metrics"])
    text = f"The round with the {direction} {title} on validation images was kept"
    if plan.rounds.patience is not None:
        text += f"; training stops after {words.plural(plan.rounds.patience, 'evaluation')} without a better one"
    if threshold is None:
        return f"{text}. {DECISIONS[run.task]}"
    return f"{text}. An image is called positive from a probability of {words.number(threshold)}, chosen on validation images."


def temperature(run: RunMaterial) -> list[tuple[str, str]]:
    """The temperature as a term and what it changed; [] where the run records none."""
    value, before = run.scores.get("temperature"), run.scores.get("uncalibrated")
    if value is None or (before is None and not run.is_network):
        return []
    if value == 1:
        return [("temperature", "1: the probabilities are the network's own")]
    changed = f"validation images chose it, to make the network's answers {'less' if value > 1 else 'more'} sure"
    told = "" if before is None else f"; before, the {words.metric('ece')} was {words.number(before['ece'])}"
    return [("temperature", f"{words.number(value, 2)}: {changed}{told}")]


def how_sure(plan: Plan, run: RunMaterial, *, is_comparison: bool) -> list[str]:
    """What intervals and verdicts mean, a paragraph each."""
    unit = ("test patients" if run.patients_known or run.is_network else
            "groups of near-duplicate test images (the data set names no patients)")
    times = words.count(plan.evaluation.resamples, hide_small=False)
    found = [f"The figures in square brackets are {words.percent(plan.evaluation.level)} intervals. To find them, the {unit} were "
             f"drawn again with replacement, {times} times, and the result was worked out each time. A narrow interval means that "
             "another test set of this kind would give much the same result. It does not cover other hospitals, scanners or "
             "years, nor another training run."]
    if run.is_network:
        found.append("No patient left a hospital for this. For the figures of all hospitals together, each drew its own test patients "
                     f"again, {words.count(run.scores['resamples'], hide_small=False)} times, and sent only sums, which were added up: "
                     "every hospital keeps its share of the test patients.")
    if is_comparison:
        found.append("Models are compared on the same drawings of the same patients. Where the interval of the difference "
                     "includes zero, the verdict is “no difference shown”: this does not prove that the models are equally good.")
    return found


def limits(plan: Plan, run: RunMaterial, *, num_seeds: int) -> list[str]:
    """What this page does not show, each a sentence or two."""
    found = ["This is research software. It is not a medical device, and no figure here supports a decision about a patient."]
    if run.scores["phantom"]:
        found.append("The images are phantoms, drawn by a program. The results show that the method runs; they say nothing about "
                     "patients.")
    if plan.sites.partition == "folders":
        found.append("Each hospital's folder was taken as it is. If they were dealt out of one data set, the hospitals are simulated, and "
                     "real ones differ in more ways. A patient of two hospitals may be on both sides of the split.")
    elif plan.sites.partition != "column":
        found.append("The hospitals are simulated: one data set was divided among them. Real hospitals differ in more ways.")
    found.append("No external test set: training and test images come from the same data set, so results elsewhere may be worse.")
    if run.is_network:
        found.append("Single predictions, images and lists of images stayed at the hospitals, which sent sums and rates: no curve here is "
                     "finer than that, no worst error can be shown, and two such models cannot be compared patient by patient. Where a "
                     "hospital's data name no patients, groups of near-duplicate images stand for them.")
    elif not run.patients_known:
        found.append("The data set names no patients. Groups of near-duplicate images stand for them, so different images of one "
                     "patient may lie on both sides of the split: results may be too good and intervals too narrow.")
    if not run.scores["phantom"]:
        found.append(TRUTHS.get(run.task, "Labels are taken as published. How they were made, and how many are wrong, was not examined."))
    where = "The hospitals' programs talked over a network" if run.is_network else "All hospitals ran on one machine"
    found += ["Sex, age, scanner and other subgroups were not examined.",
              f"{where}, without differential privacy and without encrypted sums. What the exchanged numbers could reveal about images "
              "was not tested, nor were attacks by a hospital."]
    if num_seeds == 1:
        found.append("One random seed: how much another training run would differ was not measured.")
    return found + _incidents(run)


def _incidents(run: RunMaterial) -> list[str]:
    found = []
    if without := list(run.scores.get("without") or ()):
        found.append(f"Dropped out in some round: {words.listing(without)}. The run finished without.")
    if run.num_restarts:
        found.append(f"A worker process was started again {words.plural(run.num_restarts, 'time')}; its work was repeated.")
    metrics = run.scores["metrics"]
    hidden = [words.metric(name) for name, entry in metrics.items() if entry.get("reason") == "few"]
    if hidden:
        found.append(f"Hidden, because it rests on {words.FEW} {run.unit}s: {words.listing(hidden)}.")
    unknown = [name for name, entry in metrics.items() if math.isnan(value_of(run.scores, name)) and "reason" not in entry]
    if run.task == "segmentation" and not words.has_spacing(metrics):
        found.append("The size of a pixel is not recorded: distances are in pixels, and volumes cannot be given.")
        unknown = [name for name in unknown if words.parts(name)[0] != "volume_error"]
    if unknown := [words.metric(name) for name in unknown]:
        found.append(f"Not estimable on these test images: {words.listing(unknown)}.")
    return found
