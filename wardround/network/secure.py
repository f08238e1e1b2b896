"""Secure sums over a network: a site's half, at its desk, and the server's, over the orders of a fleet.

The server is not trusted with single updates. It carries the sites' messages (privacy/secagg/) and could put keys of its own among theirs,
so a site pins the keys that it is first told for an approved plan, tells their fingerprint, and signs for no others. Everything else that
the sites must agree on (who takes part, how numbers are rounded, how large they are) it takes from the plan that it has approved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wardround.core.exchange import Order, SiteFailed, Update
from wardround.core.params import Layout
from wardround.fleet.nvflare import NvflareFleet
from wardround.fleet.secure import Secure, manifest_of, vector_of, weight_of
from wardround.network import keys
from wardround.network.approval import Approvals
from wardround.network.auditlog import AuditLog
from wardround.network.checks import check_round
from wardround.network.envelope import Envelope
from wardround.network.folders import SiteFolder
from wardround.network.messages import SecureOrder, SecureReply, Stage
from wardround.network.reasons import Refusal
from wardround.plan.schema import Plan
from wardround.privacy.secagg.drive import Replies
from wardround.privacy.secagg.faults import SecureError
from wardround.privacy.secagg.manifest import Manifest
from wardround.privacy.secagg.site import SecureSite
from wardround.rounds.arrivals import fault, norms_of
from wardround.runs.folder import RunFolder, read_json, write_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FIRST_S, STEP_S = 300.0, 60.0  # a step's deadline, if the plan's is no shorter: the first, for which a site may have to load images; others
AFRESH = "Its program was started again since, or the server left out a step; it takes part again from the next attempt."
REMEDY = "Ask the coordinator what has changed; then withdraw the plan's approval and approve it again, and these keys are taken."


@dataclass
class SiteHalf:
    """A site's half. Keys of an attempt are in this process only: one that was started again knows none, and can reveal none."""

    folder: SiteFolder
    site: str
    approvals: Approvals
    note: Callable[[str], None]  # tells the coordinator

    def __post_init__(self) -> None:
        self._half: SecureSite | None = None
        self._manifest: Manifest | None = None
        self._largest = 0
        self._opened: dict[int, bytes] = {}  # round -> of which sites this one has helped to open the sum
        self._due: tuple[int, bytes] | None = None  # round that may be trained now, and the other sites' shares for it

    def identity(self) -> str:
        """The site's public key in hex; a key is made if there is none yet."""
        if not self.folder.identity_file.exists():
            keys.save(self.folder.identity_file, keys.new_identity())
        return self._key().public_key().public_bytes_raw().hex()

    def answer(self, order: SecureOrder, envelope: Envelope, plan: Plan, layout: Layout) -> SecureReply:
        """The reply to a step. Refusal or SecureError of a step that is out of its turn, or of keys that are not the pinned ones."""
        self._check(order, envelope, plan)
        manifest = self._pinned(order, envelope, plan, layout)
        body = order.body.tobytes()
        if order.stage == "advertise":
            self._begin(manifest, order, envelope)
        half = self._half_of(manifest)
        if order.stage == "shares":
            self._due = order.round, body
            return self._reply("shares", b"")
        self._due = None
        reply = half.answer(order.stage, body)
        if order.stage == "unmask":  # on disk before it leaves: no other process of this site opens another sum of the round
            self._write(envelope, manifest, self._opened)
        return self._reply(order.stage, reply)

    def check_due(self, order: Order) -> None:
        """Refusal of an order to train whose update could only leave as it is."""
        if self._due is None or self._due[0] != order.round:
            raise Refusal("the approved plan has aggregation.secure = true: an update leaves this site only under masks, and the site has "
                          f"no shares of the others for an update of round {order.round}. {AFRESH}")

    def masked(self, update: Update, order: Order, num_train: int) -> SecureReply:
        """The update under masks. Refusal of one that is spoilt: nobody could find it in the sum."""
        if self._due is None or self._half is None or self._manifest is None:
            raise Refusal(AFRESH)
        request, self._due = self._due[1], None
        if why := fault(update, order, {self.site: num_train}, norms_of(update)):
            raise SecureError(f"{why}; it is kept out of the sum", fault="vector", site=self.site, stage="masked")
        weight = weight_of(num_train, self._largest, self._manifest)
        return self._reply("masked", self._half.masked(request, vector_of(update), weight))

    def _check(self, order: SecureOrder, envelope: Envelope, plan: Plan) -> None:
        check_round(plan, order.round, envelope)
        if order.body.dtype != np.uint8 or order.body.ndim != 1:
            raise Refusal(f"SecureOrder.body is {order.body.dtype} of {order.body.ndim} dimensions, expected bytes.")
        names = plan.sites.names
        if names is not None and set(order.keys) != set(names):
            raise Refusal(f"keys of the sites {', '.join(sorted(order.keys))}; the approved plan has the sites {', '.join(names)}.")
        if order.keys.get(self.site) != self.identity():
            raise Refusal("among the sites' keys this site's own is another one.")

    def _pinned(self, order: SecureOrder, envelope: Envelope, plan: Plan, layout: Layout) -> Manifest:
        """The manifest of the order's keys and the approved plan, once it is the one that this site has known from the first."""
        manifest = manifest_of(envelope.plan, public_keys(order.keys), plan.aggregation, layout, largest=order.largest)
        known = self._known(envelope)
        if not known:
            self._write(envelope, manifest, {})
            told = fingerprint(manifest)
            AuditLog(self.folder.audit_file).write("keys-pinned", plan=envelope.plan, fingerprint=told, sites=sorted(order.keys))
            self.note(f"it takes the sites' keys of the secure sums, fingerprint {told}, for theirs: compare it with the "
                      "other sites'")
        elif known["manifest"] != manifest.digest.hex():
            raise SecureError("the sites' keys, or the largest site's number of images, are not those that this site was first told: "
                              f"somebody may stand between the sites. {REMEDY}", fault="manifest", site=self.site, stage=order.stage)
        return manifest

    def _begin(self, manifest: Manifest, order: SecureOrder, envelope: Envelope) -> None:
        if self._half is None or self._manifest != manifest:
            self._opened = {int(number): bytes.fromhex(sites) for number, sites in self._known(envelope)["opened"].items()}
            self._half, self._manifest = SecureSite(self.site, self._key(), manifest, opened=self._opened), manifest
        self._largest = order.largest

    def _half_of(self, manifest: Manifest) -> SecureSite:
        if self._half is None or self._manifest != manifest:
            raise Refusal(f"this site knows no keys of its own of this attempt. {AFRESH}")
        return self._half

    def _known(self, envelope: Envelope) -> dict[str, Any]:
        """What is on disk of the plan as it is approved now; {} if that is nothing."""
        known: dict[str, Any] = self._kept().get(envelope.plan, {})
        return known if known.get("approved") == self._approved(envelope) else {}

    def _kept(self) -> dict[str, Any]:
        """Of all plans, by their hash."""
        return read_json(self.folder.secure_file) if self.folder.secure_file.exists() else {}

    def _approved(self, envelope: Envelope) -> int:
        """How often the plan was approved: once more after each withdrawal."""
        return sum(held.hash == envelope.plan for held in self.approvals.history())

    def _write(self, envelope: Envelope, manifest: Manifest, opened: Mapping[int, bytes]) -> None:
        held = {"approved": self._approved(envelope), "manifest": manifest.digest.hex(),
                "opened": {str(number): sites.hex() for number, sites in opened.items()}}
        write_json(self.folder.secure_file, {**self._kept(), envelope.plan: held})

    def _key(self) -> Ed25519PrivateKey:
        return keys.identity(self.folder.identity_file.read_text())

    def _reply(self, stage: Stage, body: bytes) -> SecureReply:
        return SecureReply(site=self.site, stage=stage, body=np.frombuffer(body, np.uint8))


class SecureNvflare(Secure):
    """The server's half, around the fleet of a study. It sees masked vectors and what opens their sum."""

    inner: NvflareFleet

    def __init__(self, inner: NvflareFleet, *, plan: Plan, plan_hash: str, identities: Mapping[str, str], folder: RunFolder) -> None:
        """identities: each site's public key, in hex. folder: of the run, which remembers of whom the last round's sum was opened."""
        self._keys, self._file = dict(identities), folder.path / "secure.json"
        self._largest = max(inner.sites().values()) if plan.aggregation.weights == "examples" else 0
        manifest = manifest_of(plan_hash, public_keys(self._keys), plan.aggregation, inner.layout, largest=self._largest)
        super().__init__(inner, manifest=manifest, layout=inner.layout, strategy=inner.strategy)
        self._round = self._attempt = 0
        self._survivors: list[str] = []

    def train(self, order: Order, cohort: Sequence[str]) -> Iterator[Update | SiteFailed]:
        """See Secure. A round that was opened before, and did not count, is summed again over the same sites only: of two sums of a round
        the difference would be single sites' updates, and sites refuse that."""
        self._round, self._attempt = order.round, self._attempt + 1
        before = read_json(self._file) if self._file.exists() else {}
        same = [site for site in cohort if before.get("round") != order.round or site in before["sites"]]
        why = f"the sum of round {order.round} was opened before without it, and the difference would be its update"
        yield from (SiteFailed(site=site, reason=why) for site in cohort if site not in same)
        yield from super().train(order, same)

    def ask(self, stage: str, requests: Mapping[str, bytes]) -> Replies:
        if stage == "consent":
            self._survivors = sorted(requests)
        if stage == "unmask":
            write_json(self._file, {"round": self._round, "sites": self._survivors})
        for site, reply in self._asked(stage, requests):  # type: ignore[arg-type]
            yield site, read(reply, stage)

    def masked(self, order: Order, requests: Mapping[str, bytes]) -> Replies:
        ready: list[str] = []
        for site, reply in self._asked("shares", requests):
            if isinstance(found := read(reply, "shares"), str):
                yield site, found
            else:
                ready.append(site)
        ready = [site for site in requests if site in ready]
        for site, reply in self.inner.trained(order, ready, expects=SecureReply):
            yield site, read(reply, "masked")

    def _asked(self, stage: Stage, requests: Mapping[str, bytes]) -> Iterator[tuple[str, Any]]:
        orders = {site: SecureOrder(round=self._round, attempt=self._attempt, stage=stage, keys=self._keys, largest=self._largest,
                                    body=np.frombuffer(body, np.uint8)) for site, body in requests.items()}
        within = min(FIRST_S if stage == "advertise" else STEP_S, self.inner.deadline_s)
        return self.inner.asked(orders, round=self._round, expects=SecureReply, deadline_s=within)


def read(reply: SecureReply | SiteFailed, stage: str) -> bytes | str:
    """The reply's bytes, or why there are none."""
    if isinstance(reply, SiteFailed):
        return reply.reason
    if reply.stage != stage or reply.body.dtype != np.uint8 or reply.body.ndim != 1:
        return f"reply refused: it is of step '{reply.stage}', asked was '{stage}', or holds no bytes"
    return reply.body.tobytes()


def public_keys(identities: Mapping[str, str]) -> dict[str, bytes]:
    """Refusal for what cannot be keys."""
    try:
        return {site: bytes.fromhex(key) for site, key in identities.items()}
    except ValueError as error:
        raise Refusal(f"the sites' keys are no hex digits ({error}).") from error


def fingerprint(manifest: Manifest) -> str:
    """Of the sites' keys and all else that they agree on, to be read over the phone: the same at every site."""
    return keys.spoken(manifest.digest.hex().upper())
