"""What can be wrong with a secure aggregation, each by a name that tests and journals can hold on to."""

from __future__ import annotations

from typing import Literal

from wardround.errors import AggregationError

Fault = Literal[
    "few-sites",  # fewer sites than the threshold: nothing can be opened, nothing is revealed
    "manifest",  # the manifest is impossible, or not the one this site approved
    "attempt",  # belongs to another round or attempt, or to one this process does not know (it was restarted)
    "stage",  # a stage skipped, asked twice or answered too late
    "size",  # a message of another length than its stage has
    "format",  # not a message of this protocol, or sites in it that are unknown, repeated or out of order
    "signature",  # not signed by the site's pinned key for this round and attempt: swapped, replayed or damaged
    "own-key",  # the server shows this site's keys other than they were sent
    "same-key",  # one public key twice
    "weak-key",  # a public key with which every shared secret is zero
    "ciphertext",  # shares that cannot be decrypted: damaged, or meant for another site, round or sender
    "share",  # shares do not give the secret that was committed to
    "survivors",  # survivors who never shared keys, or without the site that is asked
    "both-secrets",  # a second set of survivors: with it both secrets of one site would be known
    "consent",  # too few survivors signed the set that this site was shown, or one signed another
    "reopened",  # this round's sum is open already for another set of sites: the difference is one site's update
    "vector",  # wrong shape or type, NaN or inf
    "clipped",  # more than 0.1 % of the numbers lie beyond the bound
    "weight",  # not an integer in 1..largest
    "sum",  # the opened sum is impossible: some site's masks were wrong
]


class SecureError(AggregationError):
    """A secure aggregation cannot go on; nothing of any site was revealed. site: that the message is about; stage: one of STAGES or ""."""

    def __init__(self, message: str, *, fault: Fault, site: str = "", stage: str = "") -> None:
        place = ", ".join(part for part in (f"site {site}" if site else "", f"stage {stage}" if stage else "") if part)
        super().__init__(f"secure aggregation{f' ({place})' if place else ''}: {message}")
        self.message = message
        self.fault: Fault = fault
        self.site = site
        self.stage = stage

    def at(self, site: str, stage: str) -> SecureError:
        """The same, with the place filled in where it was not known."""
        return SecureError(self.message, fault=self.fault, site=self.site or site, stage=self.stage or stage)


def refuse(message: str, fault: Fault, stage: str, site: str = "") -> SecureError:
    """A SecureError of this stage; `site` is the one that it is about."""
    return SecureError(message, fault=fault, site=site, stage=stage)
