"""Commands of a hospital in a study: site join, ready, approve, withdraw, plan, limits, start, status."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wardround.cli.folders import site_at
from wardround.cli.options import examples

sub = typer.Typer(help="A hospital's part in a study over a network. The whole way: docs/network.md", no_args_is_help=True)

Invitation = Annotated[Path, typer.Argument(metavar="INVITATION", help="The file SITE.invitation that the coordinator sent.",
                                            show_default=False)]
Place = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="The site's folder.", show_default="./STUDY-SITE")]
Kit = Annotated[Path, typer.Argument(metavar="KIT", help="The file SITE.kit that the coordinator sent.", show_default=False)]
Folder = Annotated[Path | None, typer.Option("--folder", metavar="DIR", help="The site's folder; not needed where only one is here.",
                                             show_default=False)]
Images = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="This hospital's images, in the layout of the plan's data set.",
                                             show_default="as told before")]
Weights = Annotated[Path | None, typer.Option("--weights", metavar="FILE", help="The file of first weights, if the plan begins from one.",
                                              show_default="as told before")]
Yes = Annotated[bool, typer.Option("--yes", help="Approve without being asked, for scripts: whoever wrote them has read the plan.")]
By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who approves or withdraws.", show_default="the login name")]
Unit = Annotated[bool, typer.Option("--unit", help="Print a unit for systemd instead, so that it starts with the machine.")]


@sub.command(epilog=examples("wardround site join north.invitation"))
def join(invitation: Invitation, out: Place = None) -> None:
    """Make this site's folder and key, and the request that goes back to the coordinator. The key never leaves this machine."""
    from wardround.cli import standing
    from wardround.network import kits

    standing.joined(kits.join(invitation, out))


@sub.command(epilog=examples("wardround site ready north.kit --data FOLDER"))
def ready(kit: Kit, data: Images = None, weights: Weights = None, yes: Yes = False, by: By = None, folder: Folder = None) -> None:
    """Accept the coordinator's kit, look whether everything is here, show the plan in plain words and ask for its approval."""
    from wardround.cli import consent, console
    from wardround.network import kits
    from wardround.network.ready import examine

    site = site_at(folder)
    kits.accept(site, kit)
    allowed = consent.allowed(site, yes=yes)
    with console.watching() as watch:
        found = examine(site, data=data, weights=weights, kit=kit, allowed=allowed, watch=watch)
    consent.decide(site, found, yes=yes, by=by)


@sub.command(epilog=examples("wardround site approve"))
def approve(yes: Yes = False, by: By = None, folder: Folder = None) -> None:
    """Look at the plan that is offered now, with what has changed since the last one, and approve it."""
    from wardround.cli import consent, console
    from wardround.network.ready import examine

    site = site_at(folder)
    allowed = consent.allowed(site, yes=yes)
    with console.watching() as watch:
        found = examine(site, allowed=allowed, watch=watch)
    consent.decide(site, found, yes=yes, by=by)


@sub.command(epilog=examples("wardround site withdraw"))
def withdraw(by: By = None, folder: Folder = None) -> None:
    """Take back the approval: from now on no order of this plan is done, whatever the server asks for."""
    from wardround.cli import console
    from wardround.network.approval import login_name
    from wardround.network.ready import withdraw as taken_back

    approval = taken_back(site_at(folder), by or login_name())
    console.say(f"The approval that {approval.by} gave on {approval.when} is withdrawn (plan {approval.hash}).")


@sub.command(epilog=examples("wardround site plan"))
def plan(folder: Folder = None) -> None:
    """Show the plan in plain words, what leaves this site under it, and what never does. No image is read."""
    from wardround.cli import consent
    from wardround.network.ready import described, offered

    site = site_at(folder)
    consent.show(described(site, offered(site)))


@sub.command(epilog=examples("wardround site limits"))
def limits(folder: Folder = None) -> None:
    """Show which limits this hospital has set, and in which file."""
    from wardround.cli import consent, console
    from wardround.network.policy import limits_of

    site = site_at(folder)
    console.pairs(consent.limits(limits_of(site.limits_file).model_dump()))
    console.say(f"They are set in {site.limits_file}, and hold from the next order on; of threads and memory_mb from the next job on.")


@sub.command(epilog=examples("wardround site start", "wardround site start --unit"))
def start(folder: Folder = None, unit: Unit = False) -> None:
    """Take part: call the server and do what the approved plan says, until Ctrl-C. Nobody can call this machine."""
    from wardround.cli import console
    from wardround.network import sitehost

    site = site_at(folder)
    if unit:
        return console.say(sitehost.systemd_unit(site))
    with console.watching() as watch:
        return sitehost.serve(site, watch)


@sub.command(epilog=examples("wardround site status"))
def status(folder: Folder = None) -> None:
    """Show what this site has done: connection, last order, what left it, approvals, models that came back."""
    from wardround.cli import standing
    from wardround.network.status import look_at_site

    standing.site(look_at_site(site_at(folder)))
