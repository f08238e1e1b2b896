"""What a hospital reads before it approves a plan, and the question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from wardround.cli import console
from wardround.errors import NetworkError
from wardround.network import ready
from wardround.network.approval import login_name
from wardround.network.approved import parsed
from wardround.report.words import size

if TYPE_CHECKING:
    from wardround.network.folders import SiteFolder
    from wardround.network.ready import Check, Described, Examined
    from wardround.network.words import Leaving


def allowed(site: SiteFolder, *, yes: bool) -> list[str]:
    """What of the code of others that the plan names may be imported to look at images and model."""
    names = ready.foreign(parsed(ready.offered(site)))
    if not names:
        return []
    console.say(f"The plan names code that is not wardround's and must be installed here: {', '.join(names)}")
    return names if yes or _says_yes("Has somebody read it, and may it be imported now?") else []


def decide(site: SiteFolder, found: Examined, *, yes: bool, by: str | None) -> None:
    """Show what was found and what the plan says, ask, and note the answer. NetworkError where it cannot be approved or is declined."""
    for check in found.checks:
        _show_check(check)
    show(found.described)
    if found.obstacles:
        raise NetworkError("the plan cannot be approved yet: " + "; ".join(f"{check.text}. {check.remedy}" for check in found.obstacles))
    if not (yes or found.described.is_approved or _says_yes("Approve this plan for this site?")):
        raise NetworkError("the plan was not approved, and nothing of it is trained here. Look again: wardround site ready KIT --data "
                           "FOLDER, or wardround site approve; in scripts with --yes")
    approval = ready.approve(site, found, by or login_name())
    console.say(f"Approved by {approval.by} on {approval.when}. Take part: wardround site start --folder {site.path}")


def show(plan: Described) -> None:
    """The plan in words, what leaves, what stays, what has changed, the hash."""
    _list("The plan", plan.words)
    _list("What leaves this site", [_leaving(part) for part in plan.leaving] or ["It cannot be told before code of others is imported."])
    _list("What never leaves it", plan.staying)
    if plan.differences is not None and plan.former is not None:
        _list(f"Changed since the plan that {plan.former.by} approved on {plan.former.when}", plan.differences or ["nothing"])
    console.say(f"Hash of the plan: {plan.hash}")


def limits(told: Mapping[str, object]) -> dict[str, str]:
    """Limits in words."""
    return {name: "no limit" if value in (None, "") else str(value) for name, value in told.items()}


def _show_check(check: Check) -> None:
    sign = "ok" if check.ok else "PROBLEM" if check.is_grave else "note"
    console.say(f"{sign:<8} {check.name}: {check.text}{'. ' + check.remedy if check.remedy else ''}")


def _leaving(part: Leaving) -> str:
    about = f", about {size(part.num_bytes)} at most" if part.num_bytes is not None else ""
    names = ", ".join(part.names)
    tensors = ", ".join(f"{name} {'x'.join(map(str, shape)) or '1'}" for name, shape in part.tensors.items())
    return (f"{part.what}: {part.shape}{about}, {part.how_often}. {part.reveals}{f' Fields: {names}.' if names else ''}"
            f"{f' Tensors: {tensors}.' if tensors else ''}")


def _says_yes(question: str) -> bool:
    """No also where nobody is there to answer."""
    try:
        return typer.confirm(question)
    except typer.Abort:
        return False


def _list(heading: str, items: Sequence[str]) -> None:
    console.say(f"\n{heading}")
    for item in items:
        console.say(f"- {item}")
