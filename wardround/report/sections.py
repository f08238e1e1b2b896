"""The sections of a report, in reading order: done, images, left out, how good, how sure, hospitals, errors, limits, to repeat."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from wardround.plan.load import dump_plan
from wardround.plan.schema import Plan
from wardround.report import classes, findings, segmentation, story, tables, words
from wardround.report.checklist import Facts
from wardround.report.figures import Figures
from wardround.report.material import Comparison, RunMaterial, ordered_arms, value_of
from wardround.report.page import Block, Code, Items, Rows, Section, Text
from wardround.report.view import View

VIEWS: Mapping[str, View] = {"binary": classes.VIEW, "multiclass": classes.VIEW, "multilabel": findings.VIEW,
                             "segmentation": segmentation.VIEW}


def done(facts: Facts, runs: Sequence[RunMaterial]) -> Section:
    """The plan in words, and how the runs ended."""
    texts = [Text(text=text) for text in story.what_was_done(facts.plan, facts.run)]
    arms = ordered_arms(facts.compare) if facts.compare else [run.scores["arm"] for run in runs]
    explained: list[Block] = []
    if len(arms) > 1:
        explained = [Items(items=tuple((words.arm(name), words.ARM_MEANINGS.get(name, "")) for name in arms))]
    elif "federated" not in arms:
        explained = [Text(text=f"This is the {words.arm(facts.run.scores['arm']).lower()} arm of the plan: the same steps as federated "
                               "training, with another division of the images.")]
    ends = [(run.folder.name if len(runs) > 1 else "", story.outcome(run)) for run in runs]
    return Section(anchor="done", title="What was done", blocks=(*texts[:1], *explained, *texts[1:], Items(items=tuple(ends))))


def images(facts: Facts, figures: Figures) -> Section:
    """Source, licence, counts of classes and hospitals."""
    data = facts.run.data
    if not data:
        return Section(anchor="images", title="The images", blocks=(Text(text="Not recorded: provenance.json is absent."),))
    kind = "Phantoms: images drawn by a program in the layout of this data set" if facts.run.scores["phantom"] else "Real images"
    items = [("Data set", str(data.get("name") or "not named")), ("Kind", kind),
             ("Licence", str(data.get("licence") or "not recorded")), ("Source", str(data.get("citation") or "not recorded")),
             ("Patients", _patients(facts.run))]
    blocks: list[Block] = [Items(items=tuple(items))]
    if data.get("class_counts"):
        blocks.append(Rows(table=tables.class_table(data["class_counts"])))
    if facts.run.site_counts:
        counts = facts.run.site_counts
        blocks += [*figures.partition(facts.run), Rows(table=tables.told_sites_table(facts.run.scores, counts) if facts.run.is_network else
                                                       tables.sites_table(counts))]
    return Section(anchor="images", title="The images", blocks=tuple(blocks))


def _patients(run: RunMaterial) -> str:
    """What stands for a patient, and what was made sure of."""
    if run.is_network:
        return "stayed at the hospitals; within a hospital none is in two splits"
    if run.patients_known:
        return "known: no patient is in two splits"
    return (f"not named by the data set; {words.plural(int(run.data.get('groups') or 0), 'group')} of near-duplicate images stand "
            "for them")


def left_out(facts: Facts) -> Section:
    """Images that were not used, and leaks between the splits."""
    run, blocks = facts.run, list[Block]()
    if run.is_network:
        return Section(anchor="left-out", title="What was left out", blocks=(
            Text(text="Each hospital has its own list of the images that were not used, with the reasons, and looked for leaks between its "
                      "own splits. These lists stayed there."),))
    if run.data:
        blocks.append(Rows(table=tables.data_table(run.data)))
    elif run.ledger:
        counted = {status: sum(reasons.values()) for status, reasons in run.ledger.items()}
        blocks.append(Items.of([f"{status}: {words.plural(number, 'image')}" for status, number in counted.items()]))
    if run.data.get("leaks"):
        blocks.append(Rows(table=tables.leak_counts_table(run.data["leaks"])))
    if (table := tables.leak_table(run.scores, facts.metric)) is not None:
        blocks.append(Rows(table=table))
    elif run.data:
        blocks.append(Text(text="No result on a published test split with leaks is reported: there was no such leak, or no such "
                                "split."))
    return Section(anchor="left-out", title="What was left out",
                   blocks=tuple(blocks) or (Text(text="Not recorded: provenance.json and ledger.csv are absent."),))


def how_good(facts: Facts, comparison: Comparison | None, figures: Figures) -> Section:
    """Results with intervals: side by side and paired for a comparison, one column for a single run."""
    shown = tables.shown_metrics(facts.run.scores, facts.metric)
    blocks: list[Block] = []
    if comparison is None:
        blocks.append(Rows(table=tables.scores_table(facts.run.scores, facts.metric)))
    else:
        overall = [name for name in shown if not name.startswith("recall_")]
        blocks += [*figures.arms(comparison), Rows(table=tables.arm_table(comparison.compare))]
        blocks += figures.paired(comparison, overall)
        blocks += [Rows(table=tables.pair_table(comparison.compare, pair, overall)) for pair in comparison.compare["paired"]]
    blocks += VIEWS[facts.task].details(facts, comparison)
    blocks.append(Text(text="What the words mean:"))
    meanings = [(words.metric(name), words.meaning(name)) for name in shown if not words.parts(name)[1]]
    meanings += VIEWS[facts.task].meanings(facts)
    blocks.append(Items(items=tuple((term, meaning) for term, meaning in meanings if meaning)))
    return Section(anchor="good", title="How good", blocks=tuple(blocks))


def how_sure(facts: Facts, comparison: Comparison | None) -> Section:
    """Intervals and verdicts explained."""
    texts = [Text(text=text) for text in story.how_sure(facts.plan, facts.run, is_comparison=comparison is not None)]
    return Section(anchor="sure", title="How sure", blocks=tuple(texts))


def per_hospital(facts: Facts, figures: Figures, own: Mapping[str, float]) -> Section:
    """The model at each hospital, worst first. own: what each hospital's own local model reaches at home."""
    scores = facts.run.scores
    values = {site: value_of(part, facts.metric) for site, part in scores["per_site"].items()}
    known = {site: value for site, value in values.items() if math.isfinite(value)}
    if not scores["per_site"]:
        return Section(anchor="hospitals", title="Hospital by hospital", blocks=(Text(text="The run has no results by hospital."),))
    blocks: list[Block] = []
    view = VIEWS[facts.task]
    if len(known) > 1:
        low, high = min(known, key=lambda s: known[s]), max(known, key=lambda s: known[s])
        blocks.append(Text(text=f"From {words.number(known[low])} at {low} to {words.number(known[high])} at {high}; standard "
                                f"deviation over hospitals {words.number(statistics.pstdev(known.values()))}.{view.hospital_note(known)} "
                                f"At a hospital with few test {facts.run.unit}s the interval is wide, and a difference between hospitals "
                                "may be chance."))
    untested = {site: part["untested"] for site, part in scores["per_site"].items() if "untested" in part}
    if untested:
        named = words.listing([f"{site} ({reason})" for site, reason in untested.items()])
        blocks.append(Text(text=f"Not tested: {named}. The results over all hospitals are without.", is_caution=True))
    table = tables.per_site_table(scores, facts.metric, own=own, counts=facts.run.site_counts, further=view.hospital_columns(facts))
    blocks += [*figures.per_site(facts.run, facts.metric, own), Rows(table=table)]
    return Section(anchor="hospitals", title="Hospital by hospital", blocks=tuple(blocks))


def training(facts: Facts, figures: Figures) -> Section:
    """Learning curves and what training cost."""
    run, scores = facts.run, facts.run.scores
    blocks: list[Block] = [*figures.learning_curves(run)]
    if not run.rounds:
        blocks.append(Text(text="The learning curves cannot be drawn: the journal of rounds is absent or empty."))
    early = " It stopped early: validation no longer improved." if run.stopped_early else ""
    blocks.append(Text(text=f"{words.plural(int(scores['rounds']), 'round')} in {words.duration(scores['seconds'])}; training at all "
                            f"hospitals added up to {words.duration(scores['train_seconds'])}. Sent up by the hospitals: "
                            f"{words.size(scores['bytes_up'])}; sent down to them: {words.size(scores['bytes_down'])}.{early}"))
    if run.sent_share is not None and facts.plan.model.share:
        blocks.append(Text(text=f"One exchange is {words.size(run.provenance['model']['bytes'])} a hospital and direction, "
                                f"{words.percent(run.sent_share, 1)} of what the whole network would take: only "
                                f"{words.listing(facts.plan.model.share)} is trained and exchanged."))
    if run.failures:
        blocks += [Text(text=f"Failed in some round: {words.listing(list(run.failures))}.", is_caution=True),
                   Rows(table=tables.failures_table(run.failures))]
    return Section(anchor="training", title="How training went", blocks=(*blocks, *_apart(run)))


def _apart(run: RunMaterial) -> list[Block]:
    """Which hospitals' changes lay far from the others', where a rule compared them."""
    if not run.suspicion:
        return []
    return [Text(text=words.APART, is_caution=True), Rows(table=tables.suspicion_table(run.suspicion))]


def limits(facts: Facts, comparison: Comparison | None) -> Section:
    """What was not measured, and files that were missing."""
    seeds = len(comparison.compare["seeds"]) if comparison is not None else 1
    found = story.limits(facts.plan, facts.run, num_seeds=seeds)
    missing = facts.run.missing if comparison is None else comparison.missing
    return Section(anchor="limits", title="Limits", blocks=(Items.of([*found, *missing]),))


def repeat(facts: Facts, commands: Sequence[str]) -> Section:
    """Versions, seed, hashes, plan and commands."""
    found = facts.run.provenance
    model = found.get("model") or {}
    parameters = f"{facts.plan.model.name}, {words.count(model.get('parameters'))} parameters ({words.size(model.get('bytes'))})"
    if model.get("frozen"):
        parameters += f" trained and exchanged; {words.count(model['frozen'], hide_small=False)} further numbers stay as they began"
    hashes = [(f"SHA-256 of {name}", digest) for name, digest in facts.run.hashes.items()]
    items = [("wardround", found.get("wardround")), ("Python", found.get("python")), ("PyTorch", found.get("torch")),
             ("System", found.get("platform")), ("Processor", f"{found.get('cpu')}, {found.get('cores')} cores" if found else None),
             ("Started", found.get("started")),
             *([("SHA-256 of the approved plan", found["plan_hash"])] if found.get("plan_hash") else []),
             ("Seed", facts.plan.seed), ("Model", parameters),
             ("Fingerprint of the images", facts.run.data.get("fingerprint")), *hashes]
    shown = tuple((term, str(value if value is not None else "not recorded")) for term, value in items)
    machines = [Rows(table=tables.machines_table(found["sites"]))] if found.get("sites") else []
    return Section(anchor="repeat", title="To repeat this", blocks=(
        Items(items=shown), *machines, Code(title="Commands", text="\n".join(commands)),
        Code(title="The whole plan", text=dump_plan(_shareable(facts.plan))),
        Text(text="On the same type of processor, the same plan and seed give the same numbers, " + (
            "where every hospital trains with one thread." if facts.run.is_network else "with any number of workers."))))


def _shareable(plan: Plan) -> Plan:
    """The plan without paths on this machine: they may tell who works there, and on whom."""
    folder = None if plan.data.folder is None else Path("FOLDER")
    return plan.model_copy(update={"data": plan.data.model_copy(update={"folder": folder}),
                                   "model": plan.model.model_copy(update={"weights": Path(plan.model.weights).name})})
