"""A site's half of secure aggregation: it answers five requests of an attempt, in order and once, and refuses all else.

What it never does: give both secrets of one site (its own mask's seed and its pair masks' key) in one attempt, whatever it is asked.
The server can choose the survivors once; after the first consent no other set is signed, and only that set's secrets are given.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from wardround.privacy.secagg import layout
from wardround.privacy.secagg.adverts import check_advert, check_distinct, for_masks, for_shares
from wardround.privacy.secagg.faults import Fault, SecureError
from wardround.privacy.secagg.keys import agree, commitment, derive, is_signed, private_of, public_of, seal, sign, unseal
from wardround.privacy.secagg.layout import STAGES, Stage
from wardround.privacy.secagg.manifest import LEAST_SITES, Manifest
from wardround.privacy.secagg.masks import add_masks
from wardround.privacy.secagg.messages import Context, begin_of, named, pack_places, pack_records, read_records
from wardround.privacy.secagg.quantise import quantise
from wardround.privacy.secagg.shamir import split

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey


@dataclass(frozen=True)
class Secrets:
    """Of one site in one attempt, in the letters of Bonawitz et al.: keys for shares (c) and pair masks (s), seed of its own mask (b)."""

    c: X25519PrivateKey
    s: X25519PrivateKey
    b: bytes


@dataclass
class Attempt:
    """What a site remembers between the stages of one attempt. secrets: until the vector is masked."""

    context: Context
    secrets: Secrets | None
    next_stage: int = 0
    answered: dict[Stage, tuple[bytes, bytes]] = field(default_factory=dict)  # stage -> digest of the request, reply
    adverts: dict[int, bytes] = field(default_factory=dict)  # of all who advertised
    held: dict[int, bytes] = field(default_factory=dict)  # of all who shared: the shares of their b and s that this site holds
    survivors: tuple[int, ...] = ()

    @property
    def own(self) -> Secrets:
        """The secrets; SecureError once they are forgotten."""
        if self.secrets is None:
            raise SecureError("this attempt's keys are forgotten already", fault="stage")
        return self.secrets


class SecureSite:
    """One site, for all rounds of a study. Keys of an attempt live in memory only: after a restart the site refuses its later stages.

    entropy: num -> that many random bytes (tests only may replace it). opened: round -> digest of the sites whose sum this site helped
    to open; hand the old one to the next process if it shall be remembered. Requests are hostile; each method raises SecureError, and
    then forgets the attempt's keys: it cannot go on with this site. A repeated request gets the same reply and changes nothing.
    """

    def __init__(self, name: str, identity: Ed25519PrivateKey, manifest: Manifest, entropy: Callable[[int], bytes] = os.urandom,
                 opened: dict[int, bytes] | None = None) -> None:
        if manifest.keys.get(name) != identity.public_key().public_bytes_raw():
            raise SecureError("the manifest has another key of this site, or none. Approve a manifest with the site's own key.",
                              fault="manifest", site=name)
        self.name, self.manifest, self.opened = name, manifest, {} if opened is None else opened
        self.clipped = 0.0  # share of the last vector's numbers beyond the bound
        self._identity, self._entropy = identity, entropy
        self._place = manifest.names.index(name)
        self._attempt: Attempt | None = None
        self._begun: set[tuple[int, int]] = set()

    @property
    def attempt(self) -> tuple[int, int] | None:
        """(round, attempt) in progress or ended last; None if there is none or it was given up."""
        return (self._attempt.context.round, self._attempt.context.attempt) if self._attempt else None

    def answer(self, stage: str, request: bytes) -> bytes:
        """The reply to a request of any stage but "masked"."""
        answers = {"advertise": self.advertise, "share": self.share, "consent": self.consent, "unmask": self.unmask}
        if stage not in answers:
            raise SecureError(f"there is no stage '{stage[:20]}' of this kind", fault="stage", site=self.name)
        return answers[stage](request)

    def advertise(self, request: bytes) -> bytes:
        """Stage 0: begin the attempt that the request names; fresh public keys, signed. An earlier attempt's keys are forgotten."""
        begun = self._begun_by(request, "advertise")
        if begun != self.attempt:
            if begun in self._begun:
                raise self._refuse("this attempt was begun before. The server must number attempts anew.", "advertise", "attempt")
            context = Context(self.manifest, *begun)
            context.body(request, "advertise", layout.SERVER, length=0)
            c, s, b = (self._entropy(layout.KEY_BYTES) for _ in range(3))
            self._attempt = Attempt(context, Secrets(private_of(c), private_of(s), b))
            self._begun.add(begun)
        return self._reply("advertise", request, self._advertise)

    def share(self, request: bytes) -> bytes:
        """Stage 1: for each other site, shares of this site's two secrets, which only that site can read."""
        return self._reply("share", request, self._share)

    def masked(self, request: bytes, vector: np.ndarray, weight: int = 1) -> bytes:
        """Stage 2: the vector quantised, times its weight, under masks. vector: (size,) float32. weight: 1..manifest.most_weight."""
        return self._reply("masked", request, lambda attempt, body: self._masked(attempt, body, vector, weight))

    def consent(self, request: bytes) -> bytes:
        """Stage 3: a signature over the survivors that the server names."""
        return self._reply("consent", request, self._consent)

    def unmask(self, request: bytes) -> bytes:
        """Stage 4: of each survivor the share of its own mask, of each site lost since stage 1 the share of its pair masks."""
        return self._reply("unmask", request, self._unmask)

    def _reply(self, stage: Stage, request: bytes, work: Callable[[Attempt, memoryview], bytes]) -> bytes:
        """The reply of a stage, which must be the next one; any fault ends the attempt here, save a message of another attempt."""
        attempt = self._attempt
        begun = self._begun_by(request, stage)
        if attempt is None or begun != self.attempt:
            raise self._refuse(f"round {begun[0]}, attempt {begun[1]} is not the attempt of this process, which may have been restarted. "
                               "The server goes on without this site, or begins a new attempt.", stage, "attempt")
        digest = hashlib.sha256(request).digest()
        if stage in attempt.answered and attempt.answered[stage][0] == digest and stage != "masked":
            return attempt.answered[stage][1]
        self._attempt = None
        try:
            self._check_turn(attempt, stage)
            body = work(attempt, attempt.context.body(request, stage, layout.SERVER))
        except SecureError as error:
            raise error.at(self.name, stage) from None
        reply = attempt.context.head(stage, self._place) + body if stage != "masked" else body
        attempt.answered[stage] = (digest, reply if stage != "masked" else b"")
        attempt.next_stage += 1
        self._attempt = attempt
        return reply

    def _begun_by(self, request: bytes, stage: Stage) -> tuple[int, int]:
        """(round, attempt) of the server's request."""
        try:
            return begin_of(request, stage, layout.SERVER, self.manifest)
        except SecureError as error:
            raise error.at(self.name, stage) from None

    def _check_turn(self, attempt: Attempt, stage: Stage) -> None:
        index = STAGES.index(stage)
        if index < attempt.next_stage and stage in ("consent", "unmask"):
            raise self._refuse("the server asked for a second set of survivors; with two, both secrets of one site would be known. Do not "
                               "trust this server until it is explained.", stage, "both-secrets")
        if index != attempt.next_stage:
            raise self._refuse(f"the server asked for stage {index}, but stage {attempt.next_stage} is next", stage, "stage")

    def _advertise(self, attempt: Attempt, body: memoryview) -> bytes:
        committed = commitment(attempt.own.b, attempt.context.seed(self._place))
        keys = public_of(attempt.own.c) + public_of(attempt.own.s) + committed
        attempt.adverts = {self._place: keys + sign(self._identity, attempt.context.advert(self._place, keys))}
        return attempt.adverts[self._place]

    def _share(self, attempt: Attempt, body: memoryview) -> bytes:
        adverts = read_records(body, layout.ADVERT_BYTES, len(self.manifest.names), "share")
        if adverts.get(self._place) != attempt.adverts[self._place]:
            raise self._refuse("the server shows this site's keys other than they were sent: it may sit between sites", "share", "own-key")
        self._enough(len(adverts), "share")
        for place, advert in adverts.items():
            check_advert(advert, place, attempt.context)
        check_distinct(adverts, attempt.context)
        attempt.adverts = adverts
        places, threshold = sorted(adverts), self.manifest.threshold
        of_seed = split(attempt.own.b, threshold, places, self._entropy)
        of_key = split(attempt.own.s.private_bytes_raw(), threshold, places, self._entropy)
        attempt.held = {self._place: of_seed[self._place] + of_key[self._place]}
        sealed = {}
        for place in places:
            if place != self._place:
                label = attempt.context.shares(self._place, place)
                key = self._key_with(attempt.own.c, place, for_shares(adverts[place]), label)
                sealed[place] = seal(key, of_seed[place] + of_key[place], label)
        return pack_records(sealed)

    def _masked(self, attempt: Attempt, body: memoryview, vector: np.ndarray, weight: int) -> bytes:
        sealed = read_records(body, layout.SEALED_BYTES, len(self.manifest.names), "masked")
        if self._place in sealed or not sealed.keys() <= attempt.adverts.keys():
            raise self._refuse("shares came from sites that advertised no keys, or from this site itself", "masked", "survivors")
        self._enough(len(sealed) + 1, "masked")
        keys = {self._place: derive(attempt.own.b, attempt.context.seed(self._place))}
        for place, text in sealed.items():
            attempt.held[place] = self._opened_shares(attempt, place, text)
            keys[place] = self._key_with(attempt.own.s, place, for_masks(attempt.adverts[place]), attempt.context.pair(self._place, place))
        attempt.secrets = None
        return self._masked_with(attempt.context, keys, vector, weight)

    def _opened_shares(self, attempt: Attempt, place: int, sealed: bytes) -> bytes:
        """The shares that another site made for this one."""
        label = attempt.context.shares(place, self._place)
        shares = unseal(self._key_with(attempt.own.c, place, for_shares(attempt.adverts[place]), label), sealed, label)
        if shares is None:
            raise self._refuse(f"the shares from {self.manifest.names[place]} cannot be decrypted: damaged, or meant for another site or "
                               "attempt", "masked", "ciphertext")
        return shares

    def _masked_with(self, context: Context, keys: Mapping[int, bytes], vector: np.ndarray, weight: int) -> bytes:
        """The whole reply: y_i = w * q(x) + PRG(b_i) + sum over j > i of PRG(k_ij) - sum over j < i of PRG(k_ij), and w likewise."""
        size, start = self.manifest.size, layout.HEAD.size + layout.MASKED_HEAD.size
        message = bytearray(start + layout.WORD_BYTES * (size + 1) + layout.SIGNATURE_BYTES)
        message[:start] = context.head("masked", self._place) + layout.MASKED_HEAD.pack(size, layout.WORD_BYTES)
        numbers = np.frombuffer(message, dtype="<u4", count=size + 1, offset=start)
        self.clipped = quantise(vector, weight, self.manifest, self._entropy(layout.KEY_BYTES), numbers[:size])
        numbers[size] = weight
        add_masks(numbers, plus=[key for place, key in keys.items() if place >= self._place],
                  minus=[key for place, key in keys.items() if place < self._place])
        digest = hashlib.sha256(memoryview(message)[start:-layout.SIGNATURE_BYTES]).digest()
        message[-layout.SIGNATURE_BYTES:] = sign(self._identity, context.vector(self._place, digest))
        return bytes(message)

    def _consent(self, attempt: Attempt, body: memoryview) -> bytes:
        survivors = tuple(read_records(body, 0, len(self.manifest.names), "consent"))
        if self._place not in survivors or not set(survivors) <= attempt.held.keys():
            raise self._refuse("the survivors do not have this site among them, or have one that shared no keys", "consent", "survivors")
        self._enough(len(survivors), "consent")
        if self.opened.get(attempt.context.round, _digest(survivors)) != _digest(survivors):
            raise self._refuse(f"this round's sum is open already for other sites than {named(self.manifest, survivors)}; the difference "
                               "would be one site's update. Ask the same sites, or go on to another round.", "consent", "reopened")
        attempt.survivors = survivors
        return sign(self._identity, attempt.context.survivors(attempt.adverts, attempt.held, survivors))

    def _unmask(self, attempt: Attempt, body: memoryview) -> bytes:
        signatures = read_records(body, layout.SIGNATURE_BYTES, len(self.manifest.names), "unmask")
        self._enough(len(signatures), "unmask")
        text = attempt.context.survivors(attempt.adverts, attempt.held, attempt.survivors)
        for place, signature in signatures.items():
            name = self.manifest.names[place]
            if place not in attempt.survivors or not is_signed(self.manifest.keys[name], signature, text):
                raise self._refuse(f"{name} did not sign the survivors and keys that this site was shown: the server may show different "
                                   "ones to different sites", "unmask", "consent")
        self.opened[attempt.context.round] = _digest(attempt.survivors)
        held, attempt.held = attempt.held, {}
        of_seed = {place: layout.OF_SEED + held[place][:layout.SHARE_BYTES] for place in attempt.survivors}
        of_key = {place: layout.OF_KEY + held[place][layout.SHARE_BYTES:] for place in held.keys() - of_seed.keys()}
        return pack_records(of_seed | of_key)

    def _key_with(self, private: X25519PrivateKey, place: int, public: bytes, label: bytes) -> bytes:
        return derive(agree(private, public, self.manifest.names[place]), label)

    def _enough(self, num: int, stage: Stage) -> None:
        least = max(self.manifest.threshold, LEAST_SITES)
        if num < least:
            raise self._refuse(f"{num} sites, but {least} are needed. Nothing was revealed; begin a new attempt when more are there.",
                               stage, "consent" if stage == "unmask" else "few-sites")

    def _refuse(self, message: str, stage: Stage, fault: Fault) -> SecureError:
        return SecureError(message, fault=fault, site=self.name, stage=stage)


def _digest(places: Iterable[int]) -> bytes:
    """Of a set of sites, 32 bytes."""
    return hashlib.sha256(pack_places(places)).digest()
