"""Commands of a study's coordinator: study new, admit, revoke, plan, start, status, pause, stop, resume, results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wardround.cli.folders import study_at
from wardround.cli.options import Overrides, PlanName, examples, plan_of

sub = typer.Typer(help="A study over a network of hospitals, for its coordinator. The whole way: docs/network.md", no_args_is_help=True)

StudyPath = Annotated[Path | None, typer.Argument(metavar="STUDY", help="The study's folder; not needed where only one is here.",
                                                  show_default=False)]
StudyOption = Annotated[Path | None, typer.Option("--study", metavar="DIR", help="The study's folder; not needed where only one is here.",
                                                  show_default=False)]
Name = Annotated[str, typer.Argument(metavar="NAME", help="What the study is called: letters, digits, '-' and '_'.", show_default=False)]
StudyPlan = Annotated[str, typer.Option("--plan", metavar="PLAN", help="A plan file, or the name of a shipped plan.", show_default=False)]
SiteNames = Annotated[str, typer.Option("--sites", metavar="A,B,...", help="Names of the hospitals.", show_default=False)]
Address = Annotated[str, typer.Option("--address", metavar="HOST:PORT", help="Where hospitals reach the server: a DNS name and a port.",
                                      show_default=False)]
Place = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="The study's folder.", show_default="./NAME")]
Requests = Annotated[list[Path], typer.Argument(metavar="REQUEST...", help="Files SITE.request that hospitals sent.", show_default=False)]
Again = Annotated[bool, typer.Option("--again", help="The site has made a new key, as it said over the phone: its old one is revoked.")]
SiteName = Annotated[str, typer.Argument(metavar="SITE", help="A hospital's name in the study.", show_default=False)]
WaitFor = Annotated[str, typer.Option("--wait-for", metavar="all|N", help="How many sites must be ready before round 1.")]
WithLocal = Annotated[bool, typer.Option("--with-local", help="Each site also trains alone at the end, for comparison; that model stays.")]
Detach = Annotated[bool, typer.Option("--detach", help="Return at once and let the study run; see: study status.")]
Serve = Annotated[bool, typer.Option("--serve", help="Be the server, in the foreground, also when the run is over: for systemd.")]
Watch = Annotated[bool, typer.Option("--watch", help="Go on looking until the run is over.")]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
Timeout = Annotated[float, typer.Option("--timeout", metavar="S", min=0, help="Seconds to wait until it is so; the wish stands anyway.")]


@sub.command(epilog=examples("wardround study new clinics --plan plan.toml --sites north,south,east --address fl.example.org:8102"))
def new(name: Name, plan: StudyPlan, sites: SiteNames, address: Address, out: Place = None, overrides: Overrides = None) -> None:
    """Make a study: its folder, its own authority, and a small invitation file for each hospital."""
    chosen = plan_of(plan, overrides)
    from wardround.cli import standing
    from wardround.network.study import new_study

    standing.made(new_study(name, chosen, [site.strip() for site in sites.split(",") if site.strip()], address, out))


@sub.command(epilog=examples("wardround study admit north.request south.request", "wardround study admit north.request --again"))
def admit(requests: Requests, study: StudyOption = None, again: Again = False) -> None:
    """Sign hospitals' requests and write their kits. The same request again renews a certificate."""
    from wardround.cli import standing
    from wardround.network import kits

    folder, sign = study_at(study), kits.readmit if again else kits.admit
    standing.admitted([sign(folder, request) for request in requests])


@sub.command(epilog=examples("wardround study revoke north"))
def revoke(site: SiteName, study: StudyPath = None) -> None:
    """Withdraw a site's certificate: the server lets it in no more."""
    from wardround.cli import console
    from wardround.network import kits

    kits.dismiss(study_at(study), site)
    console.say(f"The certificates of site {site} are revoked. It can come back with a new key: wardround study admit {site}.request")


@sub.command(epilog=examples("wardround study plan plan.toml --set rounds.num=30"))
def plan(plan: PlanName, study: StudyPath = None, overrides: Overrides = None) -> None:
    """Put another plan in the study's place. Every site must approve it before it trains again, and the run begins anew."""
    chosen = plan_of(plan, overrides)
    from wardround.cli import console
    from wardround.network.study import change_plan

    console.say(f"Hash of the plan: {change_plan(study_at(study), chosen)}")
    console.say("Each site is offered it when the study is started, and trains it once it has approved: wardround site approve")


@sub.command(epilog=examples("wardround study start", "wardround study start clinics --wait-for 3 --with-local --detach"))
def start(study: StudyPath = None, wait_for: WaitFor = "all", with_local: WithLocal = False, detach: Detach = False,
          serve: Serve = False) -> None:
    """Start the server, wait for the sites, train, test, and send everyone the model. Ctrl-C leaves the watching, not the study."""
    from wardround.cli import standing
    from wardround.network import steering

    folder = study_at(study)
    number = steering.number_of(folder, wait_for)
    if serve:
        steering.serve(folder, wait_for=number, with_local=with_local)
    steering.begin(folder, wait_for=number, with_local=with_local)
    steering.see_to_hub(folder)
    if detach:
        return standing.begun(folder)
    with standing.following(folder) as show:
        status = steering.follow(folder, show)
    return standing.end(status)


@sub.command(epilog=examples("wardround study status", "wardround study status clinics --watch"))
def status(study: StudyPath = None, watch: Watch = False, as_json: Json = False) -> None:
    """Show where a study stands: the run, the sites, what keeps them away, certificates that end soon. Needs no running server."""
    from wardround.cli import console, standing
    from wardround.network import steering
    from wardround.network.status import look

    folder = study_at(study)
    if watch:
        with standing.following(folder) as show:
            steering.follow(folder, show)
    found = look(folder)
    console.say(standing.as_json(found)) if as_json else standing.study(found)


@sub.command(epilog=examples("wardround study pause"))
def pause(study: StudyPath = None, timeout: Timeout = 600) -> None:
    """Let the study rest when the round ends that has begun; 'study resume' goes on from there."""
    from wardround.cli import standing
    from wardround.network import steering

    standing.study(steering.rest(study_at(study), "pause", timeout_s=timeout))


@sub.command(epilog=examples("wardround study stop"))
def stop(study: StudyPath = None, timeout: Timeout = 600) -> None:
    """End the run when the round ends that has begun: its best round so far is tested, and sent to the sites."""
    from wardround.cli import standing
    from wardround.network import steering

    standing.study(steering.rest(study_at(study), "stop", timeout_s=timeout))


@sub.command(epilog=examples("wardround study resume"))
def resume(study: StudyPath = None) -> None:
    """Go on with a study that was paused, or whose server was ended in whatever way; the same numbers come out."""
    from wardround.cli import standing
    from wardround.network import steering

    folder = study_at(study)
    steering.go_on(folder)
    steering.see_to_hub(folder)
    standing.begun(folder)


@sub.command(epilog=examples("wardround study results"))
def results(study: StudyPath = None) -> None:
    """Show what came of a study: the result, each hospital's own, where report and models lie, and who was dropped."""
    from wardround.cli import standing
    from wardround.network.status import look

    standing.results(look(study_at(study)))
