"""An engine that writes down what a round spends of each site's privacy budget before the round's orders leave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from wardround.core.exchange import Order, SiteFailed, Update
from wardround.errors import PrivacyError
from wardround.fleet.wrapped import Watched, Wrapped
from wardround.privacy.accountant import Spend
from wardround.privacy.ledger import Ledger
from wardround.privacy.terms import SERVER, Terms


class BudgetSpent(PrivacyError):
    """Fewer sites than a round needs have budget left; the rounds before it stand."""


class BudgetedFleet(Wrapped):
    """Asks only sites that can pay for the round, and has each pay first.

    ledgers, terms: by site; or both by SERVER alone, where whole sites are hidden and one ledger pays for all. A site that has neither
    spends nothing (none of a plan with privacy). run: name of the run, for the ledgers. min_sites: of the plan's cohort. The outermost of
    wrapped engines: what is inside sees only orders that are paid for.
    """

    def __init__(self, inner: Watched, ledgers: Mapping[str, Ledger], terms: Mapping[str, Terms], run: str, *, min_sites: int = 1) -> None:
        super().__init__(inner)
        if ledgers.keys() != terms.keys():
            raise PrivacyError(f"ledgers of {sorted(ledgers)} do not fit the terms of {sorted(terms)}")
        self.ledgers, self.terms, self.run, self.min_sites = ledgers, terms, run, min_sites

    def train(self, order: Order, cohort: Sequence[str]) -> Iterator[Update | SiteFailed]:
        """See Fleet. Spends at once, not when the first reply is asked for; a round that is repeated is paid for again.

        BudgetSpent, with nothing spent, if fewer than min_sites sites of the cohort can pay."""
        refused = self._refused(order.round, cohort)
        paying = [site for site in cohort if site not in refused]
        if len(paying) < max(1, self.min_sites):
            causes = "; ".join(f"{site}: {reason}" for site, reason in refused.items())
            raise BudgetSpent(f"round {order.round}: {len(paying)} of {len(cohort)} sites have privacy budget left, the plan needs "
                              f"cohort.min_sites = {self.min_sites}. {causes}. Fewer rounds, a larger privacy.noise_multiplier or a larger "
                              "privacy.epsilon would go further, in a new run.")
        for payer in self._payers(paying):
            self.ledgers[payer].spend(spend_of(self.terms[payer]), round=order.round, run=self.run)
        return with_refusals(self.inner.train(order, paying), refused, cohort)

    def _payers(self, sites: Sequence[str]) -> list[str]:
        """Whose ledgers pay for these sites."""
        return [SERVER] if is_central(self.terms) else [site for site in sites if site in self.ledgers]

    def _refused(self, round: int, cohort: Sequence[str]) -> dict[str, str]:
        """Sites that cannot pay, and why."""
        reasons: dict[str, str] = {}
        for payer in self._payers(cohort):
            spend = spend_of(self.terms[payer])
            if not self.ledgers[payer].allow(spend):
                reasons[payer] = self.ledgers[payer].refusal(spend, round)
        return dict.fromkeys(cohort, reasons[SERVER]) if is_central(self.terms) and reasons else reasons


def is_central(terms: Mapping[str, Terms]) -> bool:
    """Whether one ledger at the server pays for all sites."""
    return terms.keys() == {SERVER} and terms[SERVER].unit == "site"


def spend_of(terms: Terms) -> Spend:
    """What one round spends."""
    return Spend(noise_multiplier=terms.noise_multiplier, sample_rate=terms.sample_rate, steps=terms.steps_per_round)


def with_refusals(replies: Iterator[Update | SiteFailed], refused: Mapping[str, str],
                  cohort: Sequence[str]) -> Iterator[Update | SiteFailed]:
    """The replies with those of the refused sites put in, in the order of the cohort. A secure sum, which is of no single site, stays
    where it is."""
    places = {site: place for place, site in enumerate(cohort)}
    due = [SiteFailed(site=site, reason=refused[site]) for site in cohort if site in refused]
    for reply in replies:
        while due and places[due[0].site] < places.get(reply.site, -1):
            yield due.pop(0)
        yield reply
    yield from due
