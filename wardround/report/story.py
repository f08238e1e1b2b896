"""The sentences of a report: what was reached, what was done, how far it can be trusted."""

from __future__ import annotations

import math

from wardround.plan.schema import Plan
from wardround.report import words
from wardround.report.material import Comparison, RunMaterial, value_of
from wardround.report.tables import spread, verdict_words

PARTITIONS = {
    "iid": "at random, so that the hospitals resemble each other",
    "dirichlet": "unevenly: each class is shared out by a Dirichlet distribution (alpha {alpha:g}; small is uneven)",
    "shards": "in pieces sorted by class ({shards} pieces a hospital)",
    "quantity": "in unequal amounts (Dirichlet, alpha {alpha:g})",
    "missing-classes": "so that each hospital lacks some classes: {common} at every hospital, each other class at one only",
    "feature-shift": "at random, and each hospital's images were changed as by another scanner (strength {strength:g})",
    "column": "by the column '{column}' of the data set",
}
POLICIES = {
    "published": "The published split was kept; test images that leak into training were dropped.",
    "grouped": "All images were split anew by {unit}: {train} training, {val} validation, {test} test.",
    "folds": "The images were split by {unit} into {folds} folds; fold {fold} is the test set.",
}


def comparison_headline(comparison: Comparison) -> str:
    """One sentence with the primary metric of the federated arm and its distance to the others."""
    arms, metric = comparison.compare["arms"], comparison.metric
    first = next((arm for arm in ("federated", "pooled", "local") if arms.get(arm)), None)
    if first is None:
        return "No arm has finished."
    paired = comparison.compare["paired"]
    parts = []
    if (found := (paired.get("federated/pooled") or {}).get(metric)) and words.is_number(found["ratio"]):
        parts.append(f"{words.interval(found['ratio'], found['low'], found['high'])} of what pooling all images reaches")
    if (found := (paired.get("federated/local") or {}).get(metric)) and words.is_number(found["difference"]):
        gap = words.interval(found["difference"], found["difference_low"], found["difference_high"], signed=True)
        parts.append(f"{gap} compared with a hospital alone")
    text = f"{_trained(first, comparison.lead)} reached {_result(spread(arms[first], metric), metric)}"
    return f"{text}{': ' if parts else ''}{words.listing(parts)}."


def verdict_sentences(comparison: Comparison) -> list[str]:
    """What the intervals allow to be said, a sentence for each pair of arms."""
    against = {"pooled": "pooling all images", "local": "each hospital alone"}
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
    return (f"{_trained(scores['arm'], run)} reached {_result(words.estimate(scores['metrics'], metric), metric)} on "
            f"{words.plural(int(scores['num_test']), 'test image')} that it had never seen.")


def _result(estimate: str, metric: str) -> str:
    is_known = estimate != words.NOT_ESTIMABLE
    return f"{estimate} {words.metric(metric)}" if is_known else f"a {words.metric(metric)} that is {words.NOT_ESTIMABLE}"


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


def what_was_done(plan: Plan, run: RunMaterial) -> list[str]:
    """The plan in words, a paragraph each: sites, split, images, training, choice."""
    return [_sites(plan, run), _split(plan, run), _images(plan), _training(plan), _choice(plan, run)]


def _sites(plan: Plan, run: RunMaterial) -> str:
    how = PARTITIONS[plan.sites.partition].format(alpha=plan.sites.alpha, shards=plan.sites.shards, strength=plan.sites.strength,
                                                  column=plan.sites.column, common=words.listing(plan.sites.common) or "no class")
    kind = "hospital" if plan.sites.partition == "column" else "simulated hospital"
    num = len(run.site_counts) or plan.sites.num
    unit = "patient" if run.patients_known else "group of near-duplicate images"
    return f"The images were divided among {words.plural(num, kind)} {how}. No {unit} is at two hospitals."


def _split(plan: Plan, run: RunMaterial) -> str:
    split = plan.split
    text = POLICIES[split.policy].format(unit="patient" if run.patients_known else "group of near-duplicate images",
                                         train=words.percent(1 - split.val - split.test), val=words.percent(split.val),
                                         test=words.percent(split.test), folds=split.folds, fold=split.fold + 1)
    return f"{text} The test images were read once, after all choices had been made."


def _images(plan: Plan) -> str:
    augment = plan.augment
    amounts = (("rotation", augment.rotate_deg, "°"), ("scale", 100 * augment.scale, " %"), ("shift", 100 * augment.shift, " %"),
               ("brightness and contrast", 100 * augment.intensity, " %"))
    changes = [f"{name} ±{value:g}{unit}" for name, value, unit in amounts if value]
    changes += ["left-right flips"] if augment.flip else []
    channels = "grey" if plan.data.channels == 1 else "colour"
    scale = "the same fixed scale for all" if plan.data.normalise == "fixed" else "zero mean and unit variance in each image"
    return (f"Images were resized to {plan.data.size} × {plan.data.size} pixels ({channels}), with brightness brought to {scale}. "
            f"Random changes while training: {words.listing(changes) or 'none'}.")


def _training(plan: Plan) -> str:
    recipe = plan.recipe
    passes = "one pass" if recipe.local_epochs == 1 else f"{recipe.local_epochs:g} passes"
    amount = words.plural(recipe.local_steps, "batch") if recipe.local_steps else f"{passes} over its images"
    weights = ", classes weighted to count the same" if recipe.class_weights == "balanced" else ""
    extras = "".join(f", {name} = {value}" for name, value in plan.strategy.arguments().items())
    cohort = "All hospitals" if plan.cohort.fraction == 1 else f"{words.percent(plan.cohort.fraction)} of the hospitals"
    loss = recipe.loss.replace("_", " ")
    return (f"In each of up to {words.plural(plan.rounds.num, 'round')} the hospitals trained a network ({plan.model.name}, "
            f"{plan.model.norm} normalisation) on {amount}, in batches of {recipe.batch_size}, and sent back only the change of "
            f"its numbers; the method {plan.strategy.name}{extras} combined the changes. {cohort} took part in a round. Optimiser "
            f"{recipe.optimizer}, learning rate {recipe.lr:g} ({recipe.schedule}), loss {loss}{weights}.")


def _choice(plan: Plan, run: RunMaterial) -> str:
    threshold = run.scores.get("threshold")
    direction = "lowest" if plan.rounds.metric in words.LOWER_IS_BETTER else "highest"
    text = f"The round with the {direction} {words.metric(plan.rounds.metric)} on validation images was kept"
    if plan.rounds.patience is not None:
        text += f"; training stops after {words.plural(plan.rounds.patience, 'evaluation')} without a better one"
    if threshold is None:
        return f"{text}. An image is given the class with the highest probability."
    return f"{text}. An image is called positive from a probability of {words.number(threshold)}, chosen on validation images."


def how_sure(plan: Plan, run: RunMaterial, *, is_comparison: bool) -> list[str]:
    """What intervals and verdicts mean, a paragraph each."""
    unit = "test patients" if run.patients_known else "groups of near-duplicate test images (the data set names no patients)"
    times = words.count(plan.evaluation.resamples, hide_small=False)
    found = [f"The figures in square brackets are {words.percent(plan.evaluation.level)} intervals. To find them, the {unit} were "
             f"drawn again with replacement, {times} times, and the result was worked out each time. A narrow interval means that "
             "another test set of this kind would give much the same result. It does not cover other hospitals, scanners or "
             "years, nor another training run."]
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
    if plan.sites.partition != "column":
        found.append("The hospitals are simulated: one data set was divided among them. Real hospitals differ in more ways.")
    found.append("No external test set: training and test images come from the same data set, so results elsewhere may be worse.")
    if not run.patients_known:
        found.append("The data set names no patients. Groups of near-duplicate images stand for them, so different images of one "
                     "patient may lie on both sides of the split: results may be too good and intervals too narrow.")
    if not run.scores["phantom"]:
        found.append("Labels are taken as published. How they were made, and how many are wrong, was not examined.")
    found += ["Sex, age, scanner and other subgroups were not examined.",
              "All hospitals ran on one machine, without differential privacy and without encrypted sums. What the exchanged "
              "numbers could reveal about images was not tested, nor were attacks by a hospital."]
    if num_seeds == 1:
        found.append("One random seed: how much another training run would differ was not measured.")
    return found + _incidents(run)


def _incidents(run: RunMaterial) -> list[str]:
    found = []
    if without := list(run.scores.get("without") or ()):
        found.append(f"Dropped out in some round: {words.listing(without)}. The run finished without.")
    if run.num_restarts:
        found.append(f"A worker process was started again {words.plural(run.num_restarts, 'time')}; its work was repeated.")
    unknown = [words.metric(name) for name in run.scores["metrics"] if math.isnan(value_of(run.scores, name))]
    if unknown:
        found.append(f"Not estimable on these test images: {words.listing(unknown)}.")
    return found
