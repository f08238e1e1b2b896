"""What a round costs of a privacy budget: a site's own, written down at the site before it trains, or that of all sites at the server."""

from __future__ import annotations

from wardround.build import ArmBlueprint
from wardround.errors import PrivacyError
from wardround.fleet.budget import BudgetedFleet, spend_of
from wardround.fleet.wrapped import Watched
from wardround.network.envelope import Envelope
from wardround.network.folders import SiteFolder
from wardround.plan.schema import Plan
from wardround.privacy.ledger import Ledger, open_ledgers
from wardround.privacy.terms import SERVER, Terms, terms_of
from wardround.runs.folder import RunFolder


def spend(folder: SiteFolder, blueprint: ArmBlueprint, site: str, envelope: Envelope) -> None:
    """Spend the round's part; PrivacyError, before anything is trained, if the budget would be passed. A plan without privacy of images
    or patients costs nothing.

    The ledger is the plan's, whatever the server calls its runs: a run of another name begins with what was spent before."""
    terms = blueprint.terms.get(site)
    if terms is None:
        return
    folder.privacy.mkdir(exist_ok=True)
    ledger = Ledger(folder.privacy / f"{envelope.plan}.jsonl", epsilon=terms.epsilon, delta=terms.delta,
                    num_steps=blueprint.plan.rounds.num * terms.steps_per_round)
    spending = spend_of(terms)
    if not ledger.allow(spending):  # in words that name no file, for they go to the server
        raise PrivacyError(ledger.refusal(spending, envelope.round))
    ledger.spend(spending, round=envelope.round, run=envelope.run)


def server_terms(plan: Plan) -> dict[str, Terms]:
    """What the server promises where whole sites are hidden; {} of other plans."""
    return {SERVER: terms_of(plan, plan.sites.num, 0)} if plan.privacy.unit == "site" else {}


def budgeted(fleet: Watched, plan: Plan, folder: RunFolder, *, done: int) -> Watched:
    """The fleet, with every round paid for from the server's ledger where whole sites are hidden. done: rounds of the last checkpoint."""
    terms = server_terms(plan)
    if not terms:
        return fleet
    ledgers = open_ledgers(folder.path / "privacy", plan, terms, done=done)
    return BudgetedFleet(fleet, ledgers, terms, folder.name, min_sites=plan.cohort.min_sites)
