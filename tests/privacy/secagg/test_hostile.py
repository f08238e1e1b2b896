"""Bytes from anywhere: refused by name, never a crash, and no reply to a broken request."""

import numpy as np
import pytest

from wardround.privacy.secagg.faults import SecureError
from wardround.privacy.secagg.layout import STAGES
from wardround.privacy.secagg.server import SecureServer
from wardround.rng import stream


def mutant(message: bytes, rng: np.random.Generator) -> bytes:
    kind, at = rng.integers(5), int(rng.integers(len(message)))
    if kind == 0:
        return message[:at]
    if kind == 1:
        return message + rng.bytes(int(rng.integers(1, 200)))
    if kind == 2:
        return message[:at] + message[at + int(rng.integers(1, 9)):]
    if kind == 3:
        return rng.bytes(len(message))
    return message[:at] + bytes([message[at] ^ (1 << int(rng.integers(8)))]) + message[at + 1:]


@pytest.mark.parametrize("stage", STAGES)
def test_requests_that_are_not_what_was_sent_are_refused_by_the_site(make_study, stage):
    study, rng = make_study(3), stream("requests", stage)
    for attempt in range(1, 26):
        study.attempt = study.round = attempt
        study.faults.clear()
        study.change_request = lambda at, name, request: mutant(request, rng) if at == stage and name == "site-00" else request
        with pytest.raises(SecureError):
            study.run()
        assert "site-00" in study.faults or stage == "advertise"  # a flipped round number begins that round, and nobody follows


@pytest.mark.parametrize("stage", STAGES)
def test_replies_that_are_not_what_was_sent_are_refused_by_the_server(make_study, stage):
    study, rng = make_study(3), stream("replies", stage)
    server = SecureServer(study.manifest, 1, 1)
    for reached in STAGES:
        replies = dict(study.ask(reached, server.requests()))
        if reached == stage:
            break
        for name, reply in replies.items():
            server.take(name, reply)
        server.close()
    used = 0
    for _ in range(200):
        try:
            used += server.take("site-00", mutant(replies["site-00"], rng))
        except SecureError as error:
            assert error.site == "site-00" or error.stage == "share"
    assert used == 0 or stage in ("share", "unmask")  # sealed for others, or compared with what was committed to at the end


@pytest.mark.parametrize("text", [b"", b"x", "text", None, 7, b"\0" * 48, bytes(10**6)])
def test_what_is_no_message_at_all_is_refused(make_study, text):
    study = make_study(3)
    for stage in ("advertise", "share", "consent", "unmask"):
        with pytest.raises(SecureError):
            study.sites["site-00"].answer(stage, text)
    with pytest.raises(SecureError):
        study.sites["site-00"].masked(text, np.zeros(16, np.float32), 1)
    with pytest.raises(SecureError):
        study.sites["site-00"].answer("no such stage", text)
