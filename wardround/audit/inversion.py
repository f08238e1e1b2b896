"""Whether a curious server can draw a hospital's images from what the hospital sends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from wardround.attacks.closed_form import closed_form, labels_from
from wardround.attacks.inversion import Inverted, Search, attackable, invert
from wardround.attacks.similarity import Box, Likeness, compare
from wardround.audit.finding import Finding, Measure, verdict
from wardround.audit.montage import montage
from wardround.audit.observed import Observed, Server
from wardround.audit.planted import BROKEN_DB, MARGIN_DB, SIDE, SMOOTHER, Guesses, Planted, attack_planted, measured, share_of
from wardround.audit.subject import Subject
from wardround.build import initial_params
from wardround.core.events import Progress
from wardround.core.params import Params
from wardround.data.feeds import ImageFeed
from wardround.errors import PrivacyError
from wardround.rng import stream, torch_stream
from wardround.runs.folder import write_bytes

STEPS, QUICK_STEPS = 800, 400
LIMIT_S, QUICK_LIMIT_S = 120.0, 30.0  # of each attack on the run's own model
FEWEST_STEPS = 100  # with fewer an attack on the run's own model proves nothing
PIXELS = 2**18  # drawn at once: of a large batch fewer images are, for their second derivatives fill the memory
KNOWN = 512  # training images behind the guesses
SHOWN = 4  # images of a column
FIGURE = "audit-inversion.png"
FEW = 16  # training images that the planted victims hold
BARE, SENT = "one image, bare", ("one batch", "whole round")

QUESTION = "Could a server that keeps what it gets draw images of patients from what a hospital sends?"
SAYS_NOT = (
    "That these attacks fail does not show that none succeeds: they know the labels, but not what such images look like in general, and "
    "they look at one round of the sites with the fewest images. A server that sends another network than was agreed can read far more; "
    "against that helps only that a site approves what it trains. The planted victims hold images of this run at 32 x 32 pixels. Where "
    "images are alike, the mean image, which is no patient's, comes near to each: see its columns. A secure sum hides whose image is "
    "drawn; for the rest it helps by the number of images in it.")


@dataclass(frozen=True, kw_only=True, eq=False)
class _Attack:
    """One attack on an update of the run. pictures: true and drawn, (K, C, H, W) in 0 ... 1."""

    row: Mapping[str, Any]
    true: Tensor
    drawn: Tensor

    @property
    def margin(self) -> float:
        """dB above the grey guess; of what counts as broken, above all that does not."""
        return float(self.row["psnr_db"] - self.row["grey_guess_db"]) + (1000 if self.row["is_broken"] else 0)


def audit_inversion(subject: Subject, *, with_pictures: bool = True, num_steps: int | None = None) -> list[Finding]:
    """Gradient inversion on the run's own updates: of one batch and of a whole round, from the first model and from the kept one, under the
    run's recipe, privacy terms, secure sums and compression. It counts as broken 1 dB above a grey image and from an SSIM of 0.3.

    with_pictures: figures/audit-inversion.png shows training images and what the attack made of them. It is for the hospital's own eyes and
    no part of what a study sends; it is always written of phantoms. num_steps: of each search; None: 800, or 400 if quick.
    """
    if reason := _unfit(subject):
        return [_finding(subject, {}, None, None, reason=reason)]
    search = Search(num_steps=num_steps or (QUICK_STEPS if subject.is_quick else STEPS))
    box = Box.of(subject.plan.data.normalise, subject.plan.data.channels)
    planted, guesses = _planted(subject, box, search)
    subject.watch(Progress(stage="audit", done=1, total=2))
    settings = {"steps": search.num_steps, "fewest_steps": FEWEST_STEPS, "limit_s": _limit(subject), "tv": search.tv, "rate": search.rate,
                "labels": "known to the attacker", "seed": subject.seed}
    try:
        server = Server.of(subject)
        attacks = list(_attacks(subject, server, box, guesses, search))
    except (PrivacyError, RuntimeError) as error:  # RuntimeError: a layer of the user's whose gradient has no gradient
        return [_finding(subject, settings, planted, None, reason=f"The run's own model could not be attacked: {error}")]
    worst = max((attack for attack in attacks if attack.row["sent"] in SENT), key=lambda attack: attack.margin)
    settings |= {"sites": len(server.sites), "secure": subject.plan.aggregation.secure, "privacy": subject.plan.privacy.unit,
                 "updates": subject.plan.exchange.updates, "worst": f"{worst.row['sent']}, {worst.row['victim']}"}
    is_drawn = with_pictures or subject.plan.data.folder is None
    if is_drawn:
        subject.figures.mkdir(exist_ok=True)
        own = {"in this run": worst.true, f"from {worst.row['sent']}": worst.drawn}
        write_bytes(subject.figures / FIGURE, montage({**planted.pictures, **own}))
    return [_finding(subject, settings, planted, worst, rows=[attack.row for attack in attacks], figures=(FIGURE,) if is_drawn else ())]


def _unfit(subject: Subject) -> str:
    """Why the run cannot be attacked so, "" if it can."""
    feed = subject.blueprint.feed
    if not isinstance(feed, ImageFeed) or len(feed.images.shape) != 4:
        return "This attack draws pictures that have labels; the run's are volumes, or have masks. Nothing was tried."
    if len(subject.rows("train")) < FEW:
        return f"The planted victims hold {FEW} training images; the run has fewer. Nothing was tried."
    return ""


def _planted(subject: Subject, box: Box, search: Search) -> tuple[Planted, Guesses]:
    """The attack on the planted victims, and what is guessed of the run's own images."""
    feed, train = subject.blueprint.feed, subject.rows("train")
    if not isinstance(feed, ImageFeed):
        raise TypeError("only labelled images are attacked")
    rows = stream(subject.seed, "audit", "inversion").choice(train, min(len(train), KNOWN), replace=False)
    images = feed.plain(rows)[0].cpu()
    small = functional.interpolate(images, (SIDE, SIDE), mode="area" if images.shape[-1] > SIDE else "bilinear")
    planted = attack_planted(small[:FEW], box, Guesses.of(box.grey(small)), search=search, seed=subject.seed, is_quick=subject.is_quick)
    return planted, Guesses.of(box.grey(images))


def _attacks(subject: Subject, server: Server, box: Box, guesses: Guesses, search: Search) -> Iterator[_Attack]:
    """On what is sent from the run's first model, where gradients are largest, and from the one it kept."""
    search = Search(num_steps=search.num_steps, limit_s=_limit(subject))
    kept = int(subject.run.scores()["best_round"])
    for victim, params, number in (("first model", initial_params(subject.blueprint), 1), ("kept model", subject.params, max(kept, 1))):
        seen = {BARE: server.one_image(params), SENT[0]: server.update(params, number, is_one_step=True),
                SENT[1]: server.update(params, number)}
        for sent, observed in seen.items():
            if sent != SENT[1] or observed.num_steps > 1:
                row = {"victim": victim, "sent": sent, "defence": _defence(subject) if sent in SENT else "none"}
                yield _attacked(server, params, observed, row, box, guesses, search)


def _attacked(server: Server, params: Params, observed: Observed, row: dict[str, Any], box: Box, guesses: Guesses,
              search: Search) -> _Attack:
    """The attack on one update; row: what is known of it."""
    subject, bench, shape = server.subject, server.bench, tuple(observed.images.shape[1:])
    num = max(1, min(observed.num, PIXELS // (shape[1] * shape[2])))
    labels = observed.labels[torch.linspace(0, len(observed.labels) - 1, num).round().long()]
    bench.model.load(params)
    model, truth = attackable(bench.model.module, is_single=num == 1), box.grey(observed.images)
    if not observed.gradient:
        raise RuntimeError("the updates hold nothing: no parameter of the model travels")
    is_exact = observed.num_steps == 1 and not (server.is_private and row["sent"] in SENT)
    search = search if is_exact else replace(search, tv=SMOOTHER * search.tv)
    won = invert(model, bench.loss, observed.gradient, labels, shape=shape, box=box, search=search,
                 is_sparse=subject.plan.exchange.updates == "top-k",
                 generator=torch_stream(subject.seed, "audit", row["victim"], row["sent"]))
    drawn, likeness, how = _better(box.grey(won.images), closed_form(model, observed.gradient, shape, num), truth, box)
    row |= {"images": len(observed.images), "drawn": num, "sites": len(server.sites) if row["sent"] in SENT else 1, "attack": how,
            "tv": search.tv, "steps": won.num_steps, "seconds": round(won.seconds, 1), "distance": round(won.distance, 4),
            **measured(likeness, truth, guesses, len(drawn)), "labels_right": _labels_right(observed, won)}
    order = likeness.order[:SHOWN]
    return _Attack(row=row, true=truth[likeness.partners[order]], drawn=drawn[order])


def _better(searched: Tensor, closed: Tensor | None, truth: Tensor, box: Box) -> tuple[Tensor, Likeness, str]:
    """Of two attacks the one that came nearer."""
    likeness = compare(searched, truth)
    if closed is not None:
        drawn = box.grey(closed)
        if (other := compare(drawn, truth)).psnr > likeness.psnr:
            return drawn, other, "closed form"
    return searched, likeness, "cosine"


def _labels_right(observed: Observed, won: Inverted) -> float | None:
    """Share of a batch's labels that its gradient tells; None where the images are not one batch, or have several labels each."""
    last = list(observed.gradient.values())[-1]
    if observed.labels.ndim > 1 or last.ndim > 1 or len(observed.images) != observed.num:
        return None
    return round(share_of(labels_from(last, observed.num), observed.labels), 2)


def _defence(subject: Subject) -> str:
    """The run's defences, in words."""
    plan = subject.plan
    found = [f"DP, unit {plan.privacy.unit}"] if plan.privacy.unit in ("image", "patient") else []
    found += ["secure sum"] if plan.aggregation.secure else []
    found += [f"{plan.exchange.updates} updates"] if plan.exchange.updates != "float32" else []
    return ", ".join(found) or "none"


def _limit(subject: Subject) -> float:
    return QUICK_LIMIT_S if subject.is_quick else LIMIT_S


def _finding(subject: Subject, settings: Mapping[str, Any], planted: Planted | None, worst: _Attack | None, *, reason: str = "",
             rows: list[Mapping[str, Any]] | None = None, figures: tuple[str, ...] = ()) -> Finding:
    """The canary's measure is the lower PSNR of one and of four images; the result's that of the update which told most."""
    is_canary_broken = planted is not None and planted.psnr >= BROKEN_DB
    row = worst.row if worst else {}
    is_enough = bool(row) and row["steps"] >= min(FEWEST_STEPS, settings["steps"])
    if row and not is_enough:
        reason = f"The attack on the run's own model took {row['steps']} steps in its time, too few to say that it resists. Audit in full."
    elif row and not any(other["is_broken"] for other in rows or ()):
        reason = ("Not even the bare gradient of a single image was drawn from on this run's own network: pooling and normalisation hinder "
                  "the search, whose source takes 24,000 steps. That is no merit of the run's defences.")
    return Finding(
        attack="gradient inversion", question=QUESTION, settings=settings,
        canary=Measure(name="PSNR", value=round(planted.psnr, 2) if planted else None, unit="dB", threshold=BROKEN_DB,
                       count=planted.num_images if planted else None),
        result=Measure(name="PSNR", value=row.get("psnr_db"), unit="dB", count=row.get("drawn"),
                       threshold=round(row["grey_guess_db"] + MARGIN_DB, 2) if row else None),
        verdict=verdict(is_canary_broken=is_canary_broken and is_enough, is_broken=bool(row.get("is_broken"))),
        says_not=f"{reason} {SAYS_NOT}".strip(), rows=[*(rows or []), *(planted.rows if planted else [])], figures=figures)
