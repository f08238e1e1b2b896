"""The envelope around every message of a study. It is read by processes that must stay small: nothing here needs torch."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from safetensors.numpy import save

from wardround.errors import WireError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")  # of a run or of a version: part of a file's name at the site
HASH, NONCE = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{32}")
MAX_WEIGHTS, MAX_NOTES, MAX_TEXT = 4096, 32, 2000
MAX_NUMBER = 10**7  # of rounds, sites, seconds
REFUSED = "refused: "  # how the reason begins of a site that would not do what it was asked


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """Around every message. A reply repeats run, plan, round, nonce and site; the server refuses one that does not fit, or comes twice.

    run: name of the run. plan: SHA-256 of its plan (network/approval.py). nonce: 32 hex digits, of this request to this site only.
    deadline_s: the site gives up after so long; 0: it does not. cohort: how many sites this round asks. memory: which version of what
    the site remembers the work begins from, "" for none. keep: the version under which what it remembers afterwards is stored, "" for
    an order that changes nothing; of a reply: "" if there was nothing to store. weights: class weights of the loss, from all sites'
    counts. notes: of a reply: what the coordinator should read.
    """

    run: str
    plan: str
    site: str
    round: int
    nonce: str
    deadline_s: float = 0.0
    cohort: int = 0
    memory: str = ""
    keep: str = ""
    weights: tuple[float, ...] | None = None
    notes: tuple[str, ...] = field(default=())

    @staticmethod
    def of(told: Mapping[str, Any]) -> Envelope:
        """Read from a message's header; WireError names what is wrong with it."""
        known = {entry.name for entry in fields(Envelope)}
        if set(told) != known:
            raise WireError(f"the envelope lacks {sorted(known - set(told))[:5]} and has unknown {sorted(set(told) - known)[:5]}. "
                            "Do server and site run the same version?")
        faults = [name for name, is_right in _checked(told).items() if not is_right]
        if faults:
            raise WireError(f"the envelope's {', '.join(faults)} cannot be: {str([told[name] for name in faults])[:200]}")
        lists = {name: None if told[name] is None else tuple(told[name]) for name in ("weights", "notes")}
        return Envelope(**{**told, **lists, "deadline_s": float(told["deadline_s"])})

    def record(self) -> dict[str, Any]:
        """What `of` reads."""
        return asdict(self)


NOBODY = Envelope(run="unknown", plan="0" * 64, site="unknown", round=0, nonce="0" * 32)  # of a message whose envelope cannot be read


def failure(envelope: Envelope, reason: str) -> bytes:
    """The bytes of a SiteFailed, as fleet/wire.py encodes it, but without torch."""
    head = {"kind": "SiteFailed", "envelope": envelope.record(), "fields": {"site": envelope.site, "reason": reason}}
    return save({}, {"wardround": json.dumps(head, separators=(",", ":"))})


def _checked(told: Mapping[str, Any]) -> dict[str, bool]:
    """Whether each field is what it should be."""
    weights = told["weights"]
    return {
        "run": _fits(told["run"], NAME), "plan": _fits(told["plan"], HASH), "nonce": _fits(told["nonce"], NONCE),
        "site": isinstance(told["site"], str) and 0 < len(told["site"]) <= 80,
        **{name: type(told[name]) is int and 0 <= told[name] <= MAX_NUMBER for name in ("round", "cohort")},
        "deadline_s": _is_number(told["deadline_s"]) and told["deadline_s"] <= MAX_NUMBER,
        **{name: told[name] == "" or _fits(told[name], NAME) for name in ("memory", "keep")},
        "weights": weights is None or (isinstance(weights, list) and 0 < len(weights) <= MAX_WEIGHTS and all(map(_is_number, weights))),
        "notes": isinstance(told["notes"], list) and len(told["notes"]) <= MAX_NOTES
        and all(isinstance(note, str) and len(note) <= MAX_TEXT for note in told["notes"]),
    }


def _fits(value: Any, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_number(value: Any) -> bool:
    """A finite number, 0 or above."""
    return type(value) in (int, float) and math.isfinite(value) and value >= 0
