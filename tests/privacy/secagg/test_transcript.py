"""What the server sees: numbers that look drawn at random, and no byte of any site's update, weight or rounding."""

import numpy as np
import pytest
from scipy.stats import chi2

from wardround.privacy.secagg.layout import HEAD, MASKED_HEAD, SIGNATURE_BYTES

SIZE = 4096


@pytest.fixture
def recorded(make_study):
    study = make_study(4, size=SIZE, seed=3)
    study.drops = {"site-03": 3}
    study.run()
    return study


def masked_of(study):
    start = HEAD.size + MASKED_HEAD.size
    return {name: np.frombuffer(reply[start:-SIGNATURE_BYTES], "<u4") for stage, name, reply in study.transcript if stage == "masked"}


def shows(transcript, numbers):
    """Whether any two neighbours of an array lie in the bytes as they are."""
    text = b"".join(transcript)
    return any(numbers[k:k + 2].tobytes() in text for k in range(0, len(numbers) - 1, 16))


def test_no_update_is_in_what_the_server_received(recorded):
    transcript = [reply for _, _, reply in recorded.transcript]
    for name in recorded.names:
        vector, weight = recorded.vector_of(name)
        levels = recorded.levels[name].astype(np.uint32)
        for numbers in (vector, vector.astype(np.float64), levels, levels * np.uint32(weight), recorded.levels[name]):
            assert not shows(transcript, numbers)
            assert shows([*transcript, numbers.tobytes()], numbers)  # it would be found


def test_masked_vectors_are_spread_evenly(recorded):
    for numbers in masked_of(recorded).values():
        for shift in (0, 8, 16, 24):
            counts = np.bincount((numbers >> shift) & 255, minlength=256)
            expected = len(numbers) / 256
            assert chi2.sf(((counts - expected) ** 2 / expected).sum(), 255) > 0.001


def test_masked_vectors_do_not_go_with_the_updates(recorded):
    masked = masked_of(recorded)
    assert len(masked) == 4
    for name, numbers in masked.items():
        for other in recorded.names:
            correlation = np.corrcoef(numbers[:SIZE].astype(float), recorded.vector_of(other)[0])[0, 1]
            assert abs(correlation) < 4 / SIZE**0.5, (name, other)
            assert name == other or abs(np.corrcoef(numbers, masked[other])[0, 1]) < 4 / SIZE**0.5


def test_masked_vectors_are_new_in_each_attempt(recorded):
    first = masked_of(recorded)
    recorded.transcript.clear()
    recorded.round = 2
    recorded.run()
    second = masked_of(recorded)
    for name in recorded.names:
        assert (first[name] == second[name]).mean() < 0.01
        assert len(np.unique(first[name] - second[name])) > SIZE * 0.99


def test_the_same_entropy_gives_the_same_transcript(make_study):
    once, again, other = (make_study(4, size=8) for _ in range(3))
    other.sites = {name: type(site)(name, other.identities[name], other.manifest) for name, site in other.sites.items()}
    for study in (once, again, other):
        study.run()
    assert once.transcript == again.transcript
    assert all(mine[2][HEAD.size:] != theirs[2][HEAD.size:] for mine, theirs in zip(once.transcript, other.transcript, strict=True))


def test_what_travels_is_four_bytes_a_number_and_little_more(recorded):
    upload = sum(len(reply) for _, name, reply in recorded.transcript if name == "site-00")
    assert 4 * SIZE < upload < 1.1 * 4 * SIZE  # 1.05 at 25 million: benchmarks/security/secagg.py
