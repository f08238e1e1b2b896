"""What a round costs of a site's own privacy budget, written down at the site before it trains."""

from __future__ import annotations

from wardround.build import ArmBlueprint
from wardround.errors import PrivacyError
from wardround.network.envelope import Envelope
from wardround.network.folders import SiteFolder


def spend(folder: SiteFolder, blueprint: ArmBlueprint, site: str, envelope: Envelope) -> None:
    """Spend the round's part; PrivacyError, before anything is trained, if the budget would be passed. A plan without privacy of images
    or patients costs nothing.

    The ledger is the plan's, whatever the server calls its runs: a run of another name begins with what was spent before."""
    terms = getattr(blueprint, "terms", {}).get(site)
    if terms is None:
        return
    from wardround.fleet.budget import spend_of  # with the accountants, which are an extra
    from wardround.privacy.ledger import Ledger

    folder.privacy.mkdir(exist_ok=True)
    ledger = Ledger(folder.privacy / f"{envelope.plan}.jsonl", epsilon=terms.epsilon, delta=terms.delta,
                    num_steps=blueprint.plan.rounds.num * terms.steps_per_round)
    spending = spend_of(terms)
    if not ledger.allow(spending):  # in words that name no file, for they go to the server
        raise PrivacyError(ledger.refusal(spending, envelope.round))
    ledger.spend(spending, round=envelope.round, run=envelope.run)
