"""The server's half of secure aggregation: it holds one running sum, never a site's vector, and opens it only for enough survivors.

For each stage: `requests()`, then `take` or `lose` for each site, then `close()`; after the last, `total()`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from wardround.privacy.secagg import layout
from wardround.privacy.secagg.adverts import check_advert, check_distinct, committed, for_masks
from wardround.privacy.secagg.faults import SecureError, refuse
from wardround.privacy.secagg.keys import agree, commitment, derive, is_signed, private_of, public_of
from wardround.privacy.secagg.layout import STAGES, Stage
from wardround.privacy.secagg.manifest import LEAST_SITES, Manifest
from wardround.privacy.secagg.masks import add_masks
from wardround.privacy.secagg.messages import Context, named, pack_places, pack_records, read_records
from wardround.privacy.secagg.shamir import join, lagrange


class SecureServer:
    """One attempt of one round. asked: the sites of this round, None for all of the manifest's.

    lost: site -> why, of those whose vector is not in the sum. silent: of those who left after it was.
    """

    def __init__(self, manifest: Manifest, round: int, attempt: int, asked: Sequence[str] | None = None) -> None:
        self.manifest, self.context = manifest, Context(manifest, round, attempt)
        self.lost: dict[str, str] = {}
        self.silent: dict[str, str] = {}
        self._stage = 0
        self._asked = {manifest.names.index(name) for name in (manifest.names if asked is None else asked)}
        self._replied: dict[int, bytes] = {}  # of this stage; b"" where only the fact is kept
        self._adverts: dict[int, bytes] = {}
        self._sealed: dict[int, dict[int, bytes]] = {}  # sender -> receiver -> shares
        self._sum = np.zeros(manifest.size + 1, dtype="<u4")  # the last is the weights'
        self._survivors: tuple[int, ...] = ()
        self._consents: dict[int, bytes] = {}
        self._opened: dict[int, dict[int, bytes]] = {}  # giver -> whose secret -> share

    @property
    def stage(self) -> Stage | None:
        """The stage whose replies are awaited; None after the last."""
        return STAGES[self._stage] if self._stage < len(STAGES) else None

    @property
    def members(self) -> tuple[str, ...]:
        """Sites whose vectors are in the sum, known once the masked stage is closed."""
        return tuple(self.manifest.names[place] for place in self._survivors)

    def requests(self) -> dict[str, bytes]:
        """What each site is to be asked in this stage."""
        stage = STAGES[self._stage]
        if stage == "masked":
            bodies = {place: pack_records({sender: sealed[place] for sender, sealed in self._sealed.items() if sender != place})
                      for place in self._asked}
        else:
            body = {"advertise": b"", "share": pack_records(self._adverts), "consent": pack_places(self._survivors),
                    "unmask": pack_records(self._consents)}[stage]
            bodies = dict.fromkeys(self._asked, body)
        head = self.context.head(stage, layout.SERVER)
        return {self.manifest.names[place]: head + bodies[place] for place in sorted(self._asked)}

    def take(self, site: str, reply: bytes) -> bool:
        """Use a reply of this stage. False if it is ignored: repeated, not asked for, or of an earlier stage or attempt and so too late.
        SecureError, with the reply unused, if there is anything wrong with it."""
        place = self._awaited(site)
        if place is None or self.stage is None:
            return False
        try:
            body = self.context.body(reply, self.stage, place)
            takes: dict[Stage, Callable[[int, memoryview], bytes]] = {
                "advertise": self._take_advert, "share": self._take_shares, "masked": self._take_masked, "consent": self._take_consent,
                "unmask": self._take_opened}
            self._replied[place] = takes[self.stage](place, body)
        except SecureError as error:
            if error.fault in ("stage", "attempt"):
                return False
            raise error.at(site, self.stage) from None
        return True

    def lose(self, site: str, reason: str) -> None:
        """Go on without a site that was asked in this stage and has not replied."""
        place = self._awaited(site)
        if place is not None:
            self._asked.discard(place)
            (self.silent if place in self._survivors else self.lost)[site] = reason

    def close(self) -> None:
        """End this stage with those who replied; SecureError if they are too few."""
        stage = STAGES[self._stage]
        for place in sorted(self._asked - self._replied.keys()):
            self.lose(self.manifest.names[place], f"no answer in stage {stage}")
        least = max(self.manifest.threshold, LEAST_SITES)
        if len(self._replied) < least:
            gone = "; ".join(f"{site}: {reason}" for site, reason in sorted((self.lost | self.silent).items())) or "none"
            raise refuse(f"{len(self._replied)} of {len(self.manifest.names)} sites are there, but {least} are needed. Nothing was "
                         f"revealed: begin a new attempt when more are there. Gone: {gone}.", "few-sites", stage)
        if stage == "advertise":
            self._adverts = self._replied
        elif stage == "masked":
            self._survivors = tuple(sorted(self._replied))
        elif stage == "consent":
            self._consents = self._replied
        self._asked, self._replied = set(self._replied), {}
        self._stage += 1

    def total(self) -> tuple[np.ndarray, int]:
        """The opened sum, once: (size,) uint32 of weight * q(x) over the members, and their weights' sum. SecureError if a share is wrong.

        Bonawitz et al. 2017, figure 4, round 4: own masks of survivors and pair masks of those lost since they shared are taken off.
        """
        if self.stage is not None:
            raise refuse(f"the sum cannot be opened before stage {self.stage} is closed", "stage", self.stage)
        givers = sorted(self._opened)[:self.manifest.threshold]
        factors = lagrange(givers)
        plus: list[bytes] = []
        minus: list[bytes] = []
        for place in sorted(self._sealed):
            secret = join([self._opened[giver][place] for giver in givers], factors)
            if place in self._survivors:
                minus.append(self._own_mask(place, secret))
            else:
                self._pair_masks(place, secret, plus, minus)
        add_masks(self._sum, plus, minus)
        num, weight = len(self._survivors), int(self._sum[-1])
        if not num <= weight <= num * self.manifest.most_weight:
            raise refuse("the opened sum is impossible: a site sent a wrong vector or masks. Begin a new attempt; if it recurs, leave "
                         "out one site after another.", "sum", "unmask")
        return self._sum[:-1], weight

    def _awaited(self, site: str) -> int | None:
        """The place of a site that was asked in this stage and has not replied."""
        place = self.manifest.names.index(site) if site in self.manifest.keys else None
        return place if place in self._asked and place not in self._replied else None

    def _take_advert(self, place: int, body: memoryview) -> bytes:
        advert = bytes(body)
        if len(advert) != layout.ADVERT_BYTES:
            raise refuse(f"{len(advert)} bytes are no keys", "size", "advertise")
        check_advert(advert, place, self.context)
        check_distinct(self._replied | {place: advert}, self.context)
        return advert

    def _take_shares(self, place: int, body: memoryview) -> bytes:
        sealed = read_records(body, layout.SEALED_BYTES, len(self.manifest.names), "share")
        if sealed.keys() != self._adverts.keys() - {place}:
            raise refuse("its shares are not for all other sites that advertised keys", "format", "share")
        self._sealed[place] = sealed
        return b""

    def _take_masked(self, place: int, body: memoryview) -> bytes:
        size = self.manifest.size
        if len(body) != layout.masked_bytes(size) or layout.MASKED_HEAD.unpack_from(body) != (size, layout.WORD_BYTES):
            raise refuse(f"its vector is not {size} numbers of {layout.WORD_BYTES} bytes and a weight", "size", "masked")
        numbers = body[layout.MASKED_HEAD.size:-layout.SIGNATURE_BYTES]
        text = self.context.vector(place, hashlib.sha256(numbers).digest())
        if not is_signed(self.manifest.keys[self.manifest.names[place]], bytes(body[-layout.SIGNATURE_BYTES:]), text):
            raise refuse("its vector is not signed by the key in the manifest: damaged or replaced on the way", "signature", "masked")
        np.add(self._sum, np.frombuffer(numbers, dtype="<u4"), out=self._sum)
        return b""

    def _take_consent(self, place: int, body: memoryview) -> bytes:
        signature = bytes(body)
        text = self.context.survivors(self._adverts, self._sealed, self._survivors)
        if len(signature) != layout.SIGNATURE_BYTES or not is_signed(self.manifest.keys[self.manifest.names[place]], signature, text):
            raise refuse("it did not sign the survivors that it was shown", "signature", "consent")
        return signature

    def _take_opened(self, place: int, body: memoryview) -> bytes:
        opened = read_records(body, layout.OPENED_BYTES, len(self.manifest.names), "unmask")
        expected = {other: layout.OF_SEED if other in self._survivors else layout.OF_KEY for other in self._sealed}
        if {other: record[:1] for other, record in opened.items()} != expected:
            raise refuse("its shares are not one of each site that shared, of the right secret", "format", "unmask")
        self._opened[place] = {other: record[1:] for other, record in opened.items()}
        return b""

    def _own_mask(self, place: int, seed: bytes | None) -> bytes:
        if seed is None or commitment(seed, self.context.seed(place)) != committed(self._adverts[place]):
            raise self._wrong_share(place)
        return derive(seed, self.context.seed(place))

    def _pair_masks(self, place: int, secret: bytes | None, plus: list[bytes], minus: list[bytes]) -> None:
        """The keys of all survivors' masks with a lost site, by the sign that takes them off."""
        private = None if secret is None else private_of(secret)
        if private is None or public_of(private) != for_masks(self._adverts[place]):
            raise self._wrong_share(place)
        for other in self._survivors:
            shared = agree(private, for_masks(self._adverts[other]), self.manifest.names[other])
            (plus if other > place else minus).append(derive(shared, self.context.pair(place, other)))

    def _wrong_share(self, place: int) -> SecureError:
        return refuse(f"the shares of its secret do not give what it committed to; a wrong one came from it or from one of "
                      f"{named(self.manifest, self._opened)}. Begin a new attempt; if it recurs, leave out one of them after another.",
                      "share", "unmask", self.manifest.names[place])
