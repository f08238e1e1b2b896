"""Which plans a site may train."""

import getpass
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest

from wardround.errors import NetworkError
from wardround.network.approval import Approvals, login_name, plan_hash

PLAN = 'name = "clinics"\ntitle = "Zürich"\n'
OTHER = 'name = "clinics"\nseed = 1\n'


@pytest.fixture
def approvals(tmp_path: Path) -> Approvals:
    return Approvals(tmp_path / "approvals.json")


def test_the_hash_is_sha_256_of_the_exact_text_in_utf_8() -> None:
    assert plan_hash(PLAN) == hashlib.sha256(b'name = "clinics"\ntitle = "Z\xc3\xbcrich"\n').hexdigest()
    assert plan_hash("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("changed", [PLAN + "\n", PLAN.replace(" = ", "="), PLAN.replace("\n", "\r\n"), PLAN.replace("ü", "u\u0308")])
def test_a_text_that_differs_at_all_has_another_hash(changed: str) -> None:
    assert plan_hash(changed) != plan_hash(PLAN)


def test_a_text_that_cannot_be_utf_8_is_refused() -> None:
    with pytest.raises(NetworkError, match=r"cannot be text in UTF-8 \(character 1\)"):
        plan_hash("a\ud800")


def test_nothing_is_approved_at_first(approvals: Approvals) -> None:
    assert not approvals.is_approved(plan_hash(PLAN))
    assert approvals.last() is None
    assert approvals.history() == []


def test_an_approval_says_what_by_whom_and_when(approvals: Approvals) -> None:
    found = approvals.approve(PLAN, " Dr Weber ")
    assert (found.hash, found.plan, found.by, found.withdrawn) == (plan_hash(PLAN), PLAN, "Dr Weber", False)
    assert timedelta(0) <= datetime.now(UTC) - datetime.fromisoformat(found.when) < timedelta(minutes=1)
    assert Approvals(approvals.path).history() == [found]
    assert approvals.is_approved(found.hash)
    assert not approvals.is_approved(plan_hash(OTHER))


def test_an_approval_without_a_name_is_refused(approvals: Approvals) -> None:
    with pytest.raises(NetworkError, match="needs the name of who gives it"):
        approvals.approve(PLAN, " ")
    assert approvals.history() == []


def test_approving_twice_is_approving_once(approvals: Approvals) -> None:
    first = approvals.approve(PLAN, "weber")
    assert approvals.approve(PLAN, "someone else") == first
    assert approvals.history() == [first]


def test_what_is_withdrawn_is_not_approved_and_stays_in_the_history(approvals: Approvals) -> None:
    approvals.approve(PLAN, "weber")
    approvals.approve(OTHER, "weber")
    approvals.withdraw(plan_hash(OTHER))
    assert not approvals.is_approved(plan_hash(OTHER))
    assert approvals.is_approved(plan_hash(PLAN))
    assert [(held.plan, held.withdrawn) for held in approvals.history()] == [(PLAN, False), (OTHER, True)]
    last = approvals.last()
    assert last is not None
    assert last.plan == PLAN


def test_what_was_withdrawn_can_be_approved_and_withdrawn_again(approvals: Approvals) -> None:
    for by in ("weber", "keller"):
        approvals.approve(PLAN, by)
        assert approvals.is_approved(plan_hash(PLAN))
        approvals.withdraw(plan_hash(PLAN))
        assert not approvals.is_approved(plan_hash(PLAN))
    assert [held.by for held in approvals.history()] == ["weber", "keller"]
    assert approvals.last() is None


def test_only_what_is_approved_can_be_withdrawn(approvals: Approvals) -> None:
    with pytest.raises(NetworkError, match="no plan of hash 0000 is approved"):
        approvals.withdraw("0000")
    approvals.approve(PLAN, "weber")
    approvals.withdraw(plan_hash(PLAN))
    with pytest.raises(NetworkError, match="is approved, so it cannot be withdrawn"):
        approvals.withdraw(plan_hash(PLAN))


@pytest.mark.parametrize(("key", "value", "cause"), [
    ("plan", OTHER, "entry 1 was edited, for its plan does not have its hash"),
    ("hash", plan_hash(OTHER), "entry 1 was edited, for its plan does not have its hash"),
    ("plan", "\ud800", "cannot be text in UTF-8"),
    ("withdrawn", "no", "entry 1 is no approval"),
    ("extra", 1, "entry 1 is no approval"),
])
def test_a_file_that_was_edited_approves_nothing(approvals: Approvals, key: str, value: object, cause: str) -> None:
    approvals.approve(PLAN, "weber")
    told = json.loads(approvals.path.read_text())
    told["approvals"][0][key] = value
    approvals.path.write_text(json.dumps(told))
    for question in (lambda: approvals.is_approved(plan_hash(PLAN)), lambda: approvals.approve(OTHER, "weber"), approvals.last):
        with pytest.raises(NetworkError, match=cause):
            question()


@pytest.mark.parametrize(("text", "cause"), [("{", "is not valid JSON"), ("[]", "holds no JSON object"), ("{}", "has no list of approvals"),
                                             ('{"approvals": [3]}', "entry 1 is no approval")])
def test_a_damaged_file_is_named_with_the_remedy(approvals: Approvals, text: str, cause: str) -> None:
    approvals.path.write_text(text)
    with pytest.raises(NetworkError, match=rf"approvals.json.*{cause}.*Move the file aside"):
        approvals.history()


def test_a_reader_never_sees_half_a_file_and_no_approval_is_lost(approvals: Approvals) -> None:
    plans = [f"seed = {number}" for number in range(12)]
    writers = [Thread(target=approvals.approve, args=(plan, "weber")) for plan in plans]
    for writer in writers:
        writer.start()
        approvals.history()
    for writer in writers:
        writer.join()
    assert sorted(held.plan for held in approvals.history()) == sorted(plans)


def test_who_approves_is_the_login_name_or_the_number_of_an_account_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "weber")
    assert login_name() == "weber"
    for kind in (KeyError, OSError):
        def nameless(kind: type[Exception] = kind) -> str:
            raise kind("uid not found")

        monkeypatch.setattr(getpass, "getuser", nameless)
        monkeypatch.setattr("os.getuid", lambda: 1234)
        assert login_name() == "uid 1234"
