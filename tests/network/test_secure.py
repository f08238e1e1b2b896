"""Secure sums over a network: a site sends its update under masks or not at all, for the keys that it was first told."""

import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from toy_network import ToyExchange, one_thread
from toy_study import ToyStudy, ToySupply, quick, toy_plan

from wardround.build import build_strategy, initial_params
from wardround.core.exchange import Order, SiteFailed, Summed
from wardround.fleet.header import peek
from wardround.fleet.nvflare import NvflareFleet
from wardround.fleet.wire import decode
from wardround.fleet.worker import trained
from wardround.network import auditlog
from wardround.network.approval import Approvals, plan_hash
from wardround.network.desk import Desk
from wardround.network.folders import SiteFolder
from wardround.network.messages import SecureOrder, SecureReply
from wardround.network.secure import SecureNvflare, SiteHalf
from wardround.plan.load import dump_plan
from wardround.plan.schema import AggregationPlan, CohortPlan, SitesPlan
from wardround.privacy.secagg.server import SecureServer
from wardround.runs.folder import RunFolder, write_json
from wardround.sites.site import Site
from wardround.testing import toy_blueprint, toy_run

NAMES = tuple(f"site-{number}" for number in range(1, 6))
SECURE = AggregationPlan(secure=True, weights="equal")
Hook = Callable[[str, str], object]  # (site, kind of the request or step of the sum), before it is answered


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("wardround.lookup.entry_points", lambda **told: ())
    with one_thread():
        yield


class Clinics:
    """Five hospitals' desks and the server's fleet, of a plan with secure sums. Any four can open a sum.

    before: told of each request. seen: (site, kind of the reply, the reply) of all that the server receives."""

    def __init__(self, path: Path, **changes: object) -> None:
        self.path = path
        self.plan = toy_plan(sites=SitesPlan(num=5, names=NAMES), **{"aggregation": SECURE} | changes)
        self.blueprint = replace(toy_blueprint(num_sites=5, recipe=self.plan.recipe), plan=self.plan, strategy=build_strategy(self.plan))
        self.text = dump_plan(self.plan)
        self.before: Hook = lambda site, kind: None
        self.seen: list[tuple[str, str, bytes]] = []
        self.folders = {site: self._folder(site) for site in NAMES}
        self.desks = {site: self._desk(site) for site in NAMES}
        self.keys = {site: self._half(site).identity() for site in NAMES}
        self.serve()

    def serve(self) -> None:
        """As a job of the server does: a new process with what is in the run's folder."""
        self.run = RunFolder(self.path / "run")
        self.run.path.mkdir(exist_ok=True)
        sites = {site: len(rows.train) for site, rows in self.blueprint.rows.items()}
        self.plain = NvflareFleet(exchange=ToyExchange({site: self._answering(site) for site in NAMES}), strategy=self.blueprint.strategy,
                                  layout=initial_params(self.blueprint).layout, sites=sites, run="run", plan=plan_hash(self.text),
                                  deadline_s=30.0)
        self.fleet = SecureNvflare(self.plain, plan=self.plan, plan_hash=plan_hash(self.text), identities=self.keys, folder=self.run)

    def restart(self, site: str) -> None:
        """The site's worker process dies, and another is started."""
        self.desks[site] = self._desk(site)

    def train(self, round: int = 1, cohort: tuple[str, ...] = NAMES) -> tuple[dict[str, str], Summed | None]:
        """Why sites failed, and the sum if one came."""
        replies = list(self.fleet.train(self.order(round), cohort))
        sums = [reply for reply in replies if isinstance(reply, Summed)]
        return {reply.site: reply.reason for reply in replies if isinstance(reply, SiteFailed)}, sums[0] if sums else None

    def order(self, round: int = 1) -> Order:
        first = self.blueprint.strategy.order(self.blueprint.strategy.begin(initial_params(self.blueprint), 5))
        return replace(first, round=round)

    def plain_mean(self, *sites: str, round: int = 1) -> torch.Tensor:
        """Of what these sites send without masks."""
        with_all = replace(self.blueprint, plan=toy_plan())
        bench, found = with_all.bench(), []
        for site in sites:
            found.append(trained(with_all, Site(rows=with_all.rows[site], bench=bench), self.order(round)).delta.flat.clone())
        return torch.stack(found).mean(0)

    def step(self, site: str, stage: str, **changes: object) -> SecureOrder | SiteFailed:
        """The site's reply to a step that the server makes up."""
        order = SecureOrder(**{"round": 1, "attempt": 1, "stage": stage, "keys": self.keys, "largest": 0,
                               "body": np.zeros(0, np.uint8)} | changes)
        ((_, reply),) = self.plain.asked({site: order}, round=1, expects=SecureReply)
        return reply

    def approve_anew(self, site: str) -> None:
        approvals = Approvals(self.folders[site].approvals_file)
        approvals.withdraw(plan_hash(self.text))
        approvals.approve(self.text, by="Dr Who, on the phone")

    def _answering(self, site: str) -> Callable[[bytes], bytes]:
        def answer(request: bytes) -> bytes:
            told = peek(request)
            kind = told.kind
            if kind == "SecureOrder":
                kind = decode(request, {"SecureOrder": SecureOrder}, None)[1].stage
            self.before(site, kind)
            reply = self.desks[site].answer(request)
            self.seen.append((site, peek(reply).kind, reply))
            return reply

        return answer

    def _folder(self, site: str) -> SiteFolder:
        folder = SiteFolder(self.path / site)
        folder.state.mkdir(parents=True)
        write_json(folder.path / "site.json", {"study": "toy", "site": site, "data": "data"})
        folder.limits_file.write_text("")
        Approvals(folder.approvals_file).approve(self.text, by="Dr Who")
        return folder

    def _desk(self, site: str) -> Desk:
        return Desk(self.folders[site], supply=ToySupply(self.blueprint, site))

    def _half(self, site: str) -> SiteHalf:
        return self.desks[site]._secure


@pytest.fixture
def clinics(tmp_path: Path) -> Clinics:
    return Clinics(tmp_path)


def once(action: Callable[[], object], *when: str) -> Hook:
    """A hook that acts the first time that just this is asked."""
    done: list[tuple[str, ...]] = []

    def hook(*asked: str) -> None:
        if asked == when and not done:
            done.append(asked)
            action()

    return hook


def near(found: Summed | None, mean: torch.Tensor) -> bool:
    return found is not None and torch.allclose(found.delta.flat, mean, atol=1e-6)


def test_the_sum_over_the_network_is_the_plain_mean(clinics: Clinics) -> None:
    failed, found = clinics.train()
    assert not failed
    assert found.members == NAMES
    assert near(found, clinics.plain_mean(*NAMES))


def test_no_update_no_loss_and_no_number_of_images_leaves_a_site(clinics: Clinics) -> None:
    clinics.train()
    kinds = {kind for _, kind, _ in clinics.seen}
    assert kinds == {"SecureReply"}
    for _, _, reply in clinics.seen:
        assert {name.partition("/")[0] for name in peek(reply).arrays} <= {"body"}
        assert b"train_loss" not in reply
        assert b"num_examples" not in reply


def test_of_a_plan_with_secure_sums_an_ordinary_order_to_train_is_refused(clinics: Clinics) -> None:
    (reply,) = clinics.plain.train(clinics.order(), ["site-1"])
    assert isinstance(reply, SiteFailed)
    assert reply.reason.startswith("refused: the approved plan has aggregation.secure = true: an update leaves this site only under masks")


def test_a_second_order_to_train_in_an_attempt_is_refused(clinics: Clinics) -> None:
    clinics.train()
    (reply,) = clinics.plain.train(clinics.order(), ["site-1"])
    assert "only under masks" in reply.reason


def test_of_a_plan_without_secure_sums_nothing_is_masked(clinics: Clinics) -> None:
    open_plan = dump_plan(clinics.plan.model_copy(update={"aggregation": AggregationPlan()}))
    Approvals(clinics.folders["site-1"].approvals_file).approve(open_plan, by="Dr Who")
    clinics.plain.plan = plan_hash(open_plan)
    assert "its kind is 'SecureOrder'" in clinics.step("site-1", "advertise").reason


def test_a_site_that_is_not_there_is_left_out_of_the_sum(clinics: Clinics) -> None:
    del clinics.plain.exchange.answers["site-4"]
    failed, found = clinics.train()
    assert failed == {"site-4": "not connected"}
    assert near(found, clinics.plain_mean("site-1", "site-2", "site-3", "site-5"))


def test_with_two_of_five_away_nothing_is_opened_and_every_site_has_failed(clinics: Clinics) -> None:
    del clinics.plain.exchange.answers["site-4"], clinics.plain.exchange.answers["site-5"]
    failed, found = clinics.train()
    assert found is None
    assert failed.keys() == set(NAMES)
    assert failed["site-4"] == "not connected"
    assert "3 of 5 sites are there, but 4 are needed" in failed["site-1"]


def test_a_site_that_was_started_again_before_it_trained_is_left_out(clinics: Clinics) -> None:
    clinics.before = once(lambda: clinics.restart("site-2"), "site-2", "Order")
    failed, found = clinics.train()
    assert "no shares of the others for an update of round 1" in failed["site-2"]
    assert found.members == ("site-1", "site-3", "site-4", "site-5")
    assert near(found, clinics.plain_mean(*found.members))


def test_a_site_that_was_started_again_after_it_trained_reveals_nothing_and_its_update_still_counts(clinics: Clinics) -> None:
    clinics.before = once(lambda: clinics.restart("site-2"), "site-2", "consent")
    failed, found = clinics.train()
    replies = [(kind, reply) for site, kind, reply in clinics.seen if site == "site-2"]
    assert [kind for kind, _ in replies] == ["SecureReply"] * 4 + ["SiteFailed"]  # advertise, share, shares, masked; and no more
    assert not failed
    assert near(found, clinics.plain_mean(*NAMES))


def test_after_a_restart_the_site_takes_part_in_the_next_attempt(clinics: Clinics) -> None:
    clinics.train()
    clinics.restart("site-2")
    failed, found = clinics.train(round=2)
    assert not failed
    assert found.members == NAMES


def test_keys_other_than_those_first_told_are_refused_until_the_plan_is_approved_anew(clinics: Clinics) -> None:
    assert isinstance(clinics.step("site-1", "advertise", body=first_request(clinics)), SecureReply)
    clinics.keys["site-3"] = "07" * 32  # the server's own
    clinics.serve()
    reply = clinics.step("site-1", "advertise", body=first_request(clinics))
    assert "not those that this site was first told" in reply.reason
    clinics.restart("site-1")
    assert "not those that this site was first told" in clinics.step("site-1", "advertise", body=first_request(clinics)).reason
    clinics.approve_anew("site-1")
    assert isinstance(clinics.step("site-1", "advertise", body=first_request(clinics)), SecureReply)


def first_request(clinics: Clinics) -> np.ndarray:
    """The server's request for keys."""
    return np.frombuffer(SecureServer(clinics.fleet.manifest, 1, 1).requests()["site-1"], np.uint8)


def test_of_another_approved_plan_the_keys_do_not_replace_the_pinned_ones(clinics: Clinics) -> None:
    clinics.step("site-1", "advertise", body=first_request(clinics))
    other = dump_plan(clinics.plan.model_copy(update={"title": "another"}))
    Approvals(clinics.folders["site-1"].approvals_file).approve(other, by="Dr Who")
    first, clinics.plain.plan = clinics.plain.plan, plan_hash(other)
    clinics.step("site-1", "advertise", keys={**clinics.keys, "site-3": "07" * 32})
    clinics.plain.plan = first
    assert "first told" in clinics.step("site-1", "advertise", keys={**clinics.keys, "site-3": "07" * 32}).reason


@pytest.mark.parametrize(("changes", "reason"), [
    ({"keys": dict.fromkeys(NAMES[:4], "07" * 32)}, "the approved plan has the sites site-1, site-2"),
    ({"keys": {name: f"0{number}" * 32 for number, name in enumerate(NAMES)}}, "this site's own is another one"),
    ({"round": 2}, "an order of round 2 in an envelope of round 1"), ({"body": np.zeros(3)}, "expected bytes"),
    ({"stage": "share"}, "this site knows no keys of its own of this attempt"),
    ({"stage": "unmask"}, "this site knows no keys of its own of this attempt"),
    ({"body": np.zeros(48, np.uint8)}, "no message of this protocol")])
def test_a_step_that_does_not_fit_is_refused(clinics: Clinics, changes: dict[str, object], reason: str) -> None:
    assert reason in clinics.step("site-1", str(changes.pop("stage", "advertise")), **changes).reason


def test_a_largest_site_that_changes_is_refused_for_it_would_let_one_outweigh_the_others(tmp_path: Path) -> None:
    clinics = Clinics(tmp_path, aggregation=AggregationPlan(secure=True))
    assert clinics.train()[1].members == NAMES
    assert "largest site's number of images" in clinics.step("site-1", "advertise", largest=10**6).reason


def test_a_round_that_is_open_is_opened_for_no_other_sites_even_by_a_site_that_was_started_again(clinics: Clinics) -> None:
    assert clinics.train()[1].members == NAMES
    for site in NAMES:
        clinics.restart(site)
    (clinics.run.path / "secure.json").unlink()  # a server that would have the difference
    failed, found = clinics.train(cohort=NAMES[:4])
    assert found is None
    assert "open already" in " ".join(failed.values())


def test_the_server_repeats_an_open_round_with_the_same_sites(clinics: Clinics) -> None:
    del clinics.plain.exchange.answers["site-4"]
    clinics.train()
    clinics.serve()  # with all five
    failed, found = clinics.train()
    assert failed == {"site-4": "the sum of round 1 was opened before without it, and the difference would be its update"}
    assert found.members == ("site-1", "site-2", "site-3", "site-5")
    assert clinics.train(round=2)[1].members == NAMES


def test_the_keys_fingerprint_is_told_alike_by_all_sites(clinics: Clinics) -> None:
    clinics.train()
    clinics.train(round=2)
    lines = [line for site in NAMES for line in auditlog.lines(clinics.folders[site].audit_file) if line.kind == "keys-pinned"]
    assert len(lines) == len(NAMES)  # each once
    assert len({line.facts["fingerprint"] for line in lines}) == 1
    told = [note for _, _, reply in clinics.seen for note in peek(reply).envelope["notes"]]
    assert len(told) == len(NAMES)
    assert all(lines[0].facts["fingerprint"] in note for note in told)


def test_a_sites_key_is_its_own_and_only_its_owner_reads_it(clinics: Clinics) -> None:
    file = clinics.folders["site-1"].identity_file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(set(clinics.keys.values())) == len(NAMES)
    clinics.restart("site-1")
    assert clinics._half("site-1").identity() == clinics.keys["site-1"]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ToyStudy]:
    quick(monkeypatch)
    sites = SitesPlan(num=3, names=NAMES[:3])
    return lambda **settings: ToyStudy(tmp_path, toy_plan(sites=sites, aggregation=AggregationPlan(secure=True), **settings))


def test_a_study_with_secure_sums_ends_near_the_local_engines_model(make: Callable[..., ToyStudy]) -> None:
    study = make()
    assert study.conduct().phase == "finished"
    local = toy_run(replace(study.blueprint, plan=toy_plan()))[0].best
    final = load_file(study.run.path / "model.safetensors")
    assert [event.failed for event in study.rounds()] == [{}] * 3
    assert torch.allclose(torch.cat([final[entry.name].flatten() for entry in local.layout.entries]), local.flat, atol=2e-3)
    rounds = [line.facts["sites"] for line in auditlog.lines(study.study.audit_file) if line.kind == "round"]
    assert rounds == [list(NAMES[:3])] * 3
    assert sum("fingerprint" in note for note in study.notes()) == 3


def test_a_study_with_secure_sums_begins_when_all_its_sites_are_ready(make: Callable[..., ToyStudy]) -> None:
    study = make(cohort=CohortPlan(min_sites=1, deadline_s=60.0))
    study.there.discard("site-3")
    study.state.want(want="run", wait_for=1)
    study.before = lambda site, kind, number: study.state.boundary.touch() if kind == "Hello" else None
    assert study.conduct().phase == "handover"
    assert not study.asked("SecureOrder")


@pytest.mark.parametrize("kind", ["copied", "none"])
def test_a_site_without_a_key_of_its_own_is_kept_away(make: Callable[..., ToyStudy], kind: str) -> None:
    study = make()
    study.state.want(want="run", wait_for=1)
    study.open_desks()
    key = study._desks["site-1"]._secure.identity() if kind == "copied" else None
    study.altered["site-2", "Ready"] = lambda reply: replace(reply, identity=key)
    study.before = lambda site, asked, number: study.state.boundary.touch()
    study.conduct()
    told = study.state.progress.sites["site-2"]
    assert ("is that of site 'site-1'" if kind == "copied" else "it tells no key of its own") in told
