"""A new study: its folder, its plan as hospitals will run it, its authority and the invitations."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from typing import Any

import wardround
from wardround.build import Design, build_strategy, check_names
from wardround.data.datasets import DATASETS
from wardround.data.datasets.base import Reader
from wardround.errors import NetworkError, PlanError
from wardround.network import authority
from wardround.network.approval import login_name, plan_hash
from wardround.network.auditlog import AuditLog
from wardround.network.folders import StudyFolder
from wardround.network.kits import invite
from wardround.plan.load import dump_plan
from wardround.plan.schema import Plan
from wardround.privacy.secagg.manifest import LEAST_SITES, least_threshold
from wardround.runs.folder import write_json, write_text

PART = ".part"  # what is not yet a study


def new_study(name: str, plan: Plan, sites: Sequence[str], address: str, out: Path | None = None) -> StudyFolder:
    """Make STUDY (default ./NAME). address: HOST:PORT under which hospitals reach the server. NetworkError or PlanError, and nothing is
    made, for names, an address or a plan that cannot be."""
    study = StudyFolder(out or Path(authority.check_name("study", name)))
    authority.check_name("study", name)
    host, port = _address(address)
    _check_sites(sites, host)
    is_new = not study.path.exists()
    if not is_new and not _is_empty(study.path):
        raise NetworkError(f"{study.path} is there already and not empty. Take another name, or another place with --out DIR.")
    text = dump_plan(plan_for(plan, sites))
    part = StudyFolder(study.path / PART)
    study.path.mkdir(parents=True, exist_ok=True)
    study.path.chmod(0o700)  # whatever the umask, and of a folder that was there before
    shutil.rmtree(part.path, ignore_errors=True)
    try:
        part.path.mkdir()
        _fill(part, text, {
            "name": name, "host": host, "port": port, "admin_port": port + 1, "sites": list(sites), "version": wardround.__version__,
            "made": datetime.now(UTC).isoformat(timespec="seconds"), "by": login_name()})
        for path in sorted(part.path.iterdir(), key=lambda path: path.name == "study.json"):  # without which it is no study
            path.rename(study.path / path.name)
        part.path.rmdir()
    except BaseException:
        shutil.rmtree(study.path if is_new else part.path, ignore_errors=True)
        raise
    return study


def _is_empty(folder: Path) -> bool:
    """Whether nothing lies there but what a study left that was not made to its end."""
    return folder.is_dir() and all(path.name == PART for path in folder.iterdir())


def _fill(study: StudyFolder, plan: str, record: Mapping[str, Any]) -> None:
    write_json(study.path / "study.json", record)
    write_text(study.plan_file, plan)
    authority.found(study, name=record["name"], host=record["host"])
    invite(study, record["sites"])
    AuditLog(study.audit_file).write("study-made", by=record["by"], sites=record["sites"], plan=plan_hash(plan))


def _check_sites(sites: Sequence[str], host: str) -> None:
    for site in sites:
        authority.check_name("site", site)
        if site.lower() in ("server", host.lower()):
            raise NetworkError(f"'{site}' cannot name a site: the study's server is called so. Take another name.")
    if len({site.lower() for site in sites}) != len(sites) or not sites:
        raise NetworkError("name each site once, and not with other capitals: --sites north,south,east")


def change_plan(study: StudyFolder, plan: Plan) -> str:
    """Put another plan in the study's place; returns its hash. Each site must approve it before it trains again; the run begins anew."""
    text = dump_plan(plan_for(plan, study.record()["sites"]))
    write_text(study.plan_file, text)
    AuditLog(study.audit_file).write("plan-changed", by=login_name(), plan=plan_hash(text))
    return plan_hash(text)


def plan_for(plan: Plan, sites: Sequence[str]) -> Plan:
    """The plan as a network runs it: every hospital has its own folder, and nothing is left to what a machine prefers.

    PlanError for what hospitals could not run alike: code of one's own in a file, grey values learnt over sites, classes not known; for
    malicious sites, for secure sums of too few, and for a model that cannot be built."""
    if plan.attack.kind != "none":
        raise PlanError(f"attack.kind = '{plan.attack.kind}' makes sites malicious, which is for simulations only: a study is of "
                        "hospitals' own images. Try it with wardround run, and leave [attack] out here.")
    if plan.aggregation.secure:
        _check_secure(plan, len(sites))
    for section, key in (("data", "dataset"), ("model", "name"), ("strategy", "name")):
        if ".py:" in getattr(getattr(plan, section), key):
            raise PlanError(f"{section}.{key} names a file of your own. No code travels in a study: make it a package that every site "
                            "installs, and name it as package.module:Name.")
    if plan.data.harmonise != "none":
        raise PlanError(f"data.harmonise = '{plan.data.harmonise}' learns from all sites' grey values before round 1, which a network does "
                        "not do. Leave it out; data.normalise = 'image' makes each image its own scale.")
    reader: Reader = DATASETS.find(plan.data.dataset)
    classes = plan.data.classes or reader.classes
    if not classes and reader.task != "segmentation":
        raise PlanError(f"data.classes must be written out for '{plan.data.dataset}': a hospital that lacks a class could not know of it. "
                        "E.g. --set 'data.classes=[\"healthy\", \"ill\"]'")
    if plan.cohort.min_sites > len(sites):
        raise PlanError(f"cohort.min_sites = {plan.cohort.min_sites}, but the study has {len(sites)} sites.")
    engine = plan.engine
    record = plan.model_dump()
    record["data"].update(folder=None, classes=tuple(classes))
    record["sites"].update(partition="folders", names=tuple(sites), num=len(sites))
    record["engine"].update(name="local", precision="fp32" if engine.precision == "auto" else engine.precision,
                            layout="contiguous" if engine.layout == "auto" else engine.layout)
    made = Plan.model_validate(record)
    check_names(made)
    if classes:
        Design(plan=made, strategy=build_strategy(made), task=reader.task, classes=tuple(classes)).model(is_tried=False)
    return made


def _check_secure(plan: Plan, num: int) -> None:
    """PlanError if no secure sum of so many sites could ever be opened."""
    if num < LEAST_SITES:
        raise PlanError(f"aggregation.secure needs at least {LEAST_SITES} sites, and the study has {num}: of the sum of two each knows the "
                        "other's part.")
    asked, needed = max(plan.cohort.min_sites, ceil(plan.cohort.fraction * num - 1e-9)), least_threshold(num)
    if asked < needed:
        raise PlanError(f"cohort.fraction = {plan.cohort.fraction:g} asks {asked} of {num} sites, and a secure sum is opened by "
                        f"{needed} at least. Set it to {needed / num:.2g} or more, best to 1: sites may drop out.")


def _address(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    is_port = port.isascii() and port.isdigit() and 0 < int(port) < 65535  # the one after it is the coordinator's own
    if not colon or not authority.HOST.fullmatch(host) or not is_port:
        raise NetworkError(f"--address {address}: give the name under which hospitals reach the server (DNS or IPv4), and a port from 1 to "
                           "65534: fl.hospital.org:8102")
    return host, int(port)
