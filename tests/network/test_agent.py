"""The agent refuses what is not approved or goes beyond the site's limits, outlives its worker, and logs what it did."""

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import torch
import toy_site
from toy_site import SITE, at_home, blueprint_of, first_order, make_site, opened, request

from wardround.core.exchange import EvaluateOrder, SiteFailed, Update
from wardround.network import auditlog
from wardround.network.agent import SiteAgent
from wardround.network.approval import Approvals, plan_hash
from wardround.network.messages import Hello
from wardround.plan.load import dump_plan

COMMAND = [sys.executable, toy_site.__file__, "fedavg"]


class Site:
    """An agent with a toy worker, and what is asked of it."""

    def __init__(self, path: Path) -> None:
        self.folder, self.plan = make_site(path / "site")
        self.agent = SiteAgent(self.folder, command=COMMAND)

    def asks(self, message, **changes):
        return opened(self.agent.answer(request(self.plan, message, **changes)))

    def refuses(self, data: bytes) -> str:
        """The reason, which is a refusal and was logged, and nothing was given to the worker."""
        before = len(self.logged("order"))
        reason = opened(self.agent.answer(data))[1].reason
        assert reason.startswith("refused: ")
        assert self.logged("refused")[-1]["cause"] == reason
        assert self.logged("sent")[-1]["kind"] == "SiteFailed"
        assert len(self.logged("order")) == before
        return reason

    def logged(self, kind: str) -> list[dict]:
        """Facts of the audit log's lines of this kind."""
        path = self.folder.audit_file
        return [dict(line.facts) for line in auditlog.lines(path) if line.kind == kind] if path.exists() else []

    def limit(self, line: str) -> None:
        self.folder.limits_file.write_text(line + "\n")

    def trouble(self, name: str) -> None:
        (self.folder.path / name).write_text("")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Its worker is started once."""
    site = Site(tmp_path_factory.mktemp("shared"))
    yield site
    site.agent.close()


@pytest.fixture
def site(shared: Site) -> Iterator[Site]:
    """The shared site without limits."""
    yield shared
    shared.limit("")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Site]:
    """A site of the test's own."""
    site = Site(tmp_path)
    yield site
    site.agent.close()


def is_right(update: object) -> bool:
    expected = at_home([first_order()])[0][0]
    return isinstance(update, Update) and torch.equal(update.delta.flat, expected.delta.flat) and update.train_loss == expected.train_loss


def test_an_approved_order_is_trained_to_the_bits_of_the_local_engine_and_logged(site) -> None:
    data = request(site.plan, first_order(), keep="1-1-ab")
    reply = site.agent.answer(data)
    assert is_right(opened(reply)[1])
    assert site.logged("order")[-1] == {"kind": "Order", "run": "toy-seed0", "round": 1, "bytes": len(data)}
    sent = site.logged("sent")[-1]
    assert (sent["kind"], sent["round"], sent["bytes"]) == ("Update", 1, len(reply))
    assert sent["arrays"] == {"delta": f"F32[{first_order().params.layout.size}]"}
    assert auditlog.verify(site.folder.audit_file).ok


def test_a_reply_repeats_its_request_s_envelope(site) -> None:
    envelope, _ = site.asks(first_order(), nonce="0" * 31 + "f", deadline_s=30.0)
    assert (envelope.run, envelope.plan, envelope.site, envelope.round, envelope.nonce) == ("toy-seed0", site.plan, SITE, 1, "0" * 31 + "f")


def test_an_agent_needs_no_torch() -> None:
    code = "import sys, wardround.network.agent; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_plan_that_is_not_approved_is_kept_for_approval_and_not_trained(site) -> None:
    text = dump_plan(blueprint_of().plan.model_copy(update={"seed": 7}))
    reason = site.refuses(request(plan_hash(text), Hello(plan=text)))
    assert reason == (f"refused: plan {plan_hash(text)[:8]}... is not approved at {SITE}: look at it and approve it there: "
                      "wardround site approve")
    assert site.folder.plan_file.read_text() == text
    assert "is not approved" in site.refuses(request(plan_hash(text), first_order()))


def test_a_withdrawn_plan_is_refused_from_then_on(own) -> None:
    Approvals(own.folder.approvals_file).withdraw(own.plan)
    assert "is not approved" in own.refuses(request(own.plan, first_order()))


def test_a_plan_whose_text_is_not_what_its_hash_says_is_refused(site) -> None:
    assert "was changed" in site.refuses(request(site.plan, Hello(plan=dump_plan(blueprint_of().plan) + " ")))


def test_a_plan_that_is_none_is_refused_and_not_kept(own) -> None:
    text = "name = 'toy'\n[recipe]\nlr = -1\n"
    assert "the plan that came is none" in own.refuses(request(plan_hash(text), Hello(plan=text)))
    assert not own.folder.plan_file.exists()


def test_a_request_for_another_site_is_refused(site) -> None:
    assert "this is for site 'site-1'" in site.refuses(request(site.plan, first_order(), site="site-1"))


def test_a_request_that_comes_twice_is_refused(site) -> None:
    data = request(site.plan, first_order())
    assert is_right(opened(site.agent.answer(data))[1])
    assert "came before" in site.refuses(data)


@pytest.mark.parametrize("data", [b"", b"\x00" * 100, b"\xff" * 100, b"\x02\x00\x00\x00\x00\x00\x00\x00{}", "cut off"])
def test_what_is_no_message_is_refused(site, data) -> None:
    assert "cannot be trusted" in site.refuses(request(site.plan, first_order())[:-8] if data == "cut off" else data)


def test_an_envelope_that_is_none_is_refused(site) -> None:
    for change in ({"run": "../../etc"}, {"keep": "a/b"}, {"nonce": "x"}, {"weights": (math.nan,)}, {"round": -1}):
        assert f"the envelope's {next(iter(change))} cannot be" in site.refuses(request(site.plan, first_order(), **change))


@pytest.mark.parametrize(("limit", "cause"), [("min_cohort = 4", "the round asks 3 sites"), ("max_rounds = 2", "the plan has 3 rounds"),
                                              ("max_order_mb = 0.0001", "a message that came has")])
def test_a_request_beyond_a_limit_of_the_site_is_refused(site, limit, cause) -> None:
    site.limit(limit)
    assert cause in site.refuses(request(site.plan, first_order()))


def test_training_waits_for_the_site_s_hours_and_an_evaluation_does_not(site) -> None:
    later = datetime.now() + timedelta(hours=2)
    site.limit(f'hours = "{later:%H:%M}-{later + timedelta(hours=1):%H:%M}"')
    assert "training to begin within" in site.refuses(request(site.plan, first_order()))
    assert not isinstance(site.asks(EvaluateOrder(round=1, params=first_order().params))[1], SiteFailed)


def test_a_reply_that_is_too_large_stays_here(site) -> None:
    site.limit("max_update_mb = 0.0001")
    _, reply = site.asks(first_order())
    assert "a message to be sent has" in reply.reason
    assert {sent["kind"] for sent in site.logged("sent")[-1:]} == {"SiteFailed"}
    site.limit("")
    assert is_right(site.asks(first_order())[1])  # by the same worker


def test_without_its_limits_a_site_does_nothing(own) -> None:
    own.folder.limits_file.unlink()
    assert isinstance(own.asks(first_order())[1], SiteFailed)
    assert own.logged("order") == []


def test_what_the_worker_refuses_is_logged_as_refused(site) -> None:
    order = first_order()
    for bad in (replace(order, recipe=order.recipe.model_copy(update={"batch_size": 2})), replace(order, params=order.params * math.nan)):
        _, reply = site.asks(bad)
        assert reply.reason.startswith("refused: ")
        assert site.logged("refused")[-1]["cause"] == reply.reason


def test_a_worker_killed_while_it_waits_is_started_again_and_said(site) -> None:
    site.asks(first_order())
    os.kill(site.agent.worker_pid, signal.SIGKILL)
    envelope, update = site.asks(first_order())
    assert is_right(update)
    assert envelope.notes == ("its worker was started again (killed by signal 9 (out of memory?))",)
    assert site.logged("worker-ended")[-1]["cause"] == "killed by signal 9 (out of memory?)"
    assert site.asks(first_order())[0].notes == ()


def test_a_worker_killed_while_it_trains_is_started_again_and_its_order_repeated(site) -> None:
    site.trouble("kill-once")
    envelope, update = site.asks(first_order(), keep="1-9-ab")
    assert is_right(update)
    assert envelope.keep == "1-9-ab"
    assert "killed by signal 9" in envelope.notes[0]


def test_a_worker_that_dies_twice_over_an_order_fails_it_and_not_the_next(own) -> None:
    own.trouble("kill-always")
    _, reply = own.asks(first_order(), keep="1-1-ab")
    assert "died twice over this order: killed by signal 9 (out of memory?)" in reply.reason
    assert not (own.folder.memory / "toy-seed0").exists()
    assert [end["kind"] for end in own.logged("worker-ended")] == ["Order", "Order"]
    assert own.logged("failed")[-1]["cause"] == reply.reason
    (own.folder.path / "kill-always").unlink()
    assert is_right(own.asks(first_order())[1])


def test_an_order_that_needs_more_memory_than_the_site_gives_fails_and_the_worker_goes_on(own) -> None:
    own.limit("memory_mb = 3000")
    own.trouble("large")
    assert own.asks(first_order())[1].reason == "RuntimeError: out of memory"
    (own.folder.path / "large").unlink()
    assert is_right(own.asks(first_order())[1])
    assert own.logged("worker-ended") == []


def test_an_order_that_takes_too_long_is_given_up_and_logged_as_late(site) -> None:
    site.asks(first_order())
    site.trouble("slow")
    started = time.monotonic()
    _, reply = site.asks(first_order(), deadline_s=1.0)
    (site.folder.path / "slow").unlink()
    assert reply.reason == "NetworkError: not done within 1 s"
    assert 1.0 <= time.monotonic() - started < 5
    assert site.logged("late")[-1]["seconds"] >= 1.0
    assert is_right(site.asks(first_order())[1])


def test_a_job_that_is_aborted_ends_what_is_being_done(own) -> None:
    own.trouble("slow")
    threading.Timer(0.5, own.agent.stop).start()
    _, reply = own.asks(first_order(), deadline_s=0.0)
    assert reply.reason == "NetworkError: stopped: the job was aborted"
    assert "stopped" in own.asks(first_order())[1].reason


def test_a_worker_that_cannot_start_is_named_by_its_exit_code(own) -> None:
    own.agent = SiteAgent(own.folder, command=[sys.executable, "-c", "import sys; sys.exit(3)"])
    assert "exit code 3" in own.asks(first_order())[1].reason


def test_a_log_that_was_changed_stops_the_site(own) -> None:
    own.asks(EvaluateOrder(round=1, params=first_order().params), site="other")
    text = own.folder.audit_file.read_text()
    own.folder.audit_file.write_text(text.replace("SiteFailed", "Update"))
    assert isinstance(own.asks(first_order())[1], SiteFailed)
    assert own.agent.worker_pid is None
