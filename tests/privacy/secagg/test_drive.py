"""Sums to the last bit, whoever drops out and when; and nothing at all below the threshold."""

from itertools import combinations

import numpy as np
import pytest

from wardround.privacy.secagg.drive import secure_mean
from wardround.privacy.secagg.faults import SecureError
from wardround.privacy.secagg.layout import STAGES
from wardround.rng import stream

MASKED = STAGES.index("masked")


def run_with(study, drops):
    study.drops = drops
    study.attempt += 1
    return study.run()


def survivors_of(study, drops):
    return [name for name in study.names if drops.get(name, 5) > MASKED]


@pytest.mark.parametrize("num", [3, 4, 5])
@pytest.mark.parametrize("stage", range(5))
def test_every_subset_of_drop_outs_at_each_stage(make_study, num, stage):
    study = make_study(num)
    for gone in range(num + 1):
        for names in combinations(study.names, gone):
            drops = dict.fromkeys(names, stage)
            if num - gone < study.manifest.threshold:
                with pytest.raises(SecureError, match=f"stage {STAGES[stage]}.*{study.manifest.threshold} are needed") as caught:
                    run_with(study, drops)
                assert caught.value.fault == "few-sites"
                continue
            found = run_with(study, drops)
            study.check(found, survivors_of(study, drops))
            assert set(found.lost) == set(names if stage <= MASKED else ())
            assert set(found.silent) == set(names if stage > MASKED else ())
            study.round += 1  # one sum a round


@pytest.mark.parametrize(("num", "patterns"), [(10, 20), (20, 4), (50, 1)])  # 200 in benchmarks/security/secagg.py
def test_random_drop_outs_at_random_stages(make_study, num, patterns):
    study = make_study(num)
    rng = stream("patterns", num)
    for pattern in range(patterns):
        gone = int(rng.integers(0, num - study.manifest.threshold + 1)) if patterns > 1 else num - study.manifest.threshold
        drops = {study.names[k]: int(rng.integers(0, 5)) for k in rng.permutation(num)[:gone]}
        study.round = pattern + 1
        study.check(run_with(study, drops), survivors_of(study, drops))


def test_one_site_too_few_reveals_nothing_at_any_of_many_stages(make_study):
    study = make_study(10)
    rng = stream("too few")
    for _ in range(10):
        drops = {study.names[k]: int(rng.integers(0, 5)) for k in rng.permutation(10)[:4]}
        study.transcript.clear()
        with pytest.raises(SecureError):
            run_with(study, drops)
        replies = [site for stage, site, _ in study.transcript if stage == "unmask"]
        assert len(replies) < study.manifest.threshold


def test_the_mean_is_that_of_the_vectors_by_weight(make_study):
    study = make_study(4)
    found = secure_mean(study.manifest, 1, 1, study)
    expected = sum(study.weights[name] * study.vector_of(name)[0].astype(float) for name in study.names) / sum(study.weights.values())
    assert found.mean.dtype == np.float32 and found.mean.shape == (16,)
    assert np.allclose(found.mean, expected, rtol=1e-6)
    assert found.total_weight == sum(study.weights.values()) and found.members == tuple(study.names)


def test_without_weights_all_count_the_same(make_study):
    study = make_study(3, weighted=False)
    found = secure_mean(study.manifest, 1, 1, study)
    assert found.total_weight == 3
    assert np.allclose(found.mean, np.mean([study.vector_of(name)[0].astype(float) for name in study.names], axis=0), rtol=1e-6)


def test_a_caller_can_collect_the_masked_vectors_itself(make_study):
    study = make_study(4)
    asked = []

    def train(requests):
        asked.extend(requests)
        yield from study.ask("masked", {name: requests[name] for name in reversed(requests)})

    found = secure_mean(study.manifest, 1, 1, study, masked=train)
    assert asked == study.names and found.members == tuple(study.names)


def test_only_those_asked_take_part(make_study):
    study = make_study(5)
    found = secure_mean(study.manifest, 1, 1, study, asked=study.names[1:])
    assert found.members == tuple(study.names[1:])
    with pytest.raises(SecureError, match=r"3 of 5 sites.*4 are needed"):  # the threshold is that of the manifest
        secure_mean(study.manifest, 2, 1, study, asked=study.names[:3])


def test_a_site_that_never_answers_is_lost_with_a_reason(make_study):
    study = make_study(4)
    ask = study.ask
    study.ask = lambda stage, requests: (pair for pair in ask(stage, requests) if pair[0] != "site-02" or stage != "masked")
    found = study.run()
    study.check(found, ["site-00", "site-01", "site-03"])
    assert found.lost == {"site-02": "no answer in stage masked"}


def test_replies_that_come_twice_count_once(make_study):
    study = make_study(4)
    ask = study.ask
    study.ask = lambda stage, requests: (pair for pair in ask(stage, requests) for _ in range(2))
    study.check(study.run(), study.names)


def test_requests_that_come_twice_get_the_same_reply(make_study):
    study = make_study(4)
    study.change_request = lambda stage, name, request: (stage != "masked" and study.reply(stage, name, request), request)[1]
    study.check(study.run(), study.names)
    assert not study.faults


def test_a_vector_that_comes_after_the_consent_has_begun_is_discarded(make_study):
    study = make_study(4)
    ask, late = study.ask, {}

    def slow(stage, requests):
        for name, reply in ask(stage, requests):
            if (stage, name) == ("masked", "site-03"):
                late[name] = reply
            else:
                yield name, reply
        if stage in ("consent", "unmask"):
            yield from late.items()

    study.ask = slow
    found = study.run()
    study.check(found, study.names[:3])
    assert len(late) == 1 and found.lost == {"site-03": "no answer in stage masked"}


def test_strangers_are_not_listened_to(make_study):
    study = make_study(3)
    ask = study.ask
    study.ask = lambda stage, requests: iter([("stranger", b"x" * 99), *ask(stage, requests), ("stranger", "gone")])
    study.check(study.run(), study.names)


def test_a_broken_reply_costs_the_site_not_the_sum(make_study):
    study = make_study(4)
    study.change_reply = lambda stage, name, reply: reply[:-1] if (stage, name) == ("masked", "site-01") else reply
    found = study.run()
    study.check(found, ["site-00", "site-02", "site-03"])
    assert "site site-01, stage masked" in found.lost["site-01"]
