from typing import Any, get_args

import pytest

from wardround.plan.schema import Plan
from wardround.report import story
from wardround.report.material import read_comparison, read_run


def test_a_run_that_lost_a_site_finished_without_it(sample: Any, write: Any) -> None:
    whole = read_run(write.run(sample(num_test=60, rounds=9), name="whole"))
    lost = read_run(write.run(sample(num_test=60, rounds=9, without=("north", "south")), name="lost"))
    assert story.outcome(whole) == "The run finished after 9 rounds; round 7 was kept."
    assert story.outcome(lost) == "The run finished without north and south after 9 rounds; round 7 was kept."


@pytest.mark.parametrize("section", ["sites", "split"])
def test_every_partition_and_split_policy_has_its_words(sample: Any, write: Any, section: str) -> None:
    run = read_run(write.run(sample(num_test=60, rounds=1)))
    key = {"sites": "partition", "split": "policy"}[section]
    options = get_args(Plan.model_fields[section].annotation.model_fields[key].annotation)  # type: ignore[union-attr]
    for option in options:
        plan = run.plan.model_copy(update={section: getattr(run.plan, section).model_copy(update={key: option})})
        assert "{" not in " ".join(story.what_was_done(plan, run))
    assert len(options) >= 3


@pytest.mark.parametrize("partition", ["iid", "column", "folders"])
def test_of_folders_nothing_is_claimed_across_hospitals(sample: Any, write: Any, partition: str) -> None:
    run = read_run(write.run(sample(num_test=60, rounds=1, patients_known=True)))
    plan = run.plan.model_copy(update={"sites": run.plan.sites.model_copy(update={"partition": partition})})
    said = " ".join([story.what_was_done(plan, run)[0], *story.limits(plan, run, num_seeds=3)])
    assert ("No patient is at two hospitals" in said) == (partition != "folders")
    assert ("A patient of two hospitals may be on both sides" in said) == (partition == "folders")
    assert ("one data set was divided" in said) == (partition == "iid")


def test_limits_follow_from_the_run(sample: Any, write: Any) -> None:
    real = read_run(write.run(sample(num_test=60, rounds=1, patients_known=True), name="real"))
    phantom = read_run(write.run(sample(num_test=60, rounds=1, phantom=True), name="phantom"))
    said = [" ".join(story.limits(run.plan, run, num_seeds=seeds)) for run, seeds in ((real, 3), (phantom, 1))]
    assert ["names no patients" in text for text in said] == [False, True]
    assert ["phantoms" in text for text in said] == [False, True]
    assert ["One random seed" in text for text in said] == [False, True]
    assert all("not a medical device" in text and "No external test set" in text for text in said)


def test_verdicts_are_sentences(sample: Any, write: Any) -> None:
    comparison = read_comparison(write.comparison(sample(num_test=120, rounds=1, without=("south",))))
    assert story.verdict_sentences(comparison)[1:] == [
        "Federated training against the ensemble of the hospitals' own models: better.",
        "Federated training against each hospital alone: better.", "federated-seed0 finished without south."]


def test_headlines_name_what_was_tested(findings: Any, masks: Any, write: Any) -> None:
    lesions = read_run(write.run(findings(num_test=60, rounds=1), name="findings"))
    assert " mean AUROC on 60 test images that" in story.run_headline(lesions, "auroc")
    tumours = read_run(write.run(masks(rounds=1), name="masks"))
    assert " mean Dice on 40 test patients that" in story.run_headline(tumours, "dice")
    assert " mean HD95 on" in story.run_headline(tumours, "hd95")


def test_a_comparison_of_masks_has_its_ratio_and_verdicts(masks: Any, write: Any) -> None:
    comparison = read_comparison(write.comparison(masks(rounds=1)))
    ratio = comparison.compare["paired"]["federated/pooled"]["dice"]["ratio"]
    assert f"mean Dice: {ratio:.3f} [" in story.comparison_headline(comparison)
    assert story.verdict_sentences(comparison)[1] == "Federated training against each hospital alone: better."


def test_partial_training_is_said(findings: Any, sample: Any, write: Any) -> None:
    part = read_run(write.run(findings(num_test=60, rounds=1), name="part"))
    assert "(layer4.* and fc.*, 61.6\N{NO-BREAK SPACE}% of the network's numbers)" in " ".join(story.what_was_done(part.plan, part))
    whole = read_run(write.run(sample(num_test=60, rounds=1), name="whole"))
    assert "Only a part" not in " ".join(story.what_was_done(whole.plan, whole))


@pytest.mark.parametrize(("weights", "said"), [("imagenet", "learnt on ImageNet"), ("/secret/place/first.pth", "weights in first.pth")])
def test_first_weights_are_said_without_their_path(sample: Any, write: Any, weights: str, said: str) -> None:
    run = read_run(write.run(sample(num_test=60, rounds=1)))
    plan = run.plan.model_copy(update={"model": run.plan.model.model_copy(update={"weights": weights})})
    text = " ".join(story.what_was_done(plan, run))
    assert said in text
    assert "/secret" not in text


def test_harmonised_grey_values_are_said(sample: Any, write: Any) -> None:
    run = read_run(write.run(sample(num_test=60, rounds=1)))
    said = [" ".join(story.what_was_done(run.plan.model_copy(update={"data": run.plan.data.model_copy(update={"harmonise": how})}), run))
            for how in ("none", "site", "percentiles")]
    assert [("grey values" in text, "percentiles" in text) for text in said] == [(False, False), (True, False), (True, True)]


@pytest.mark.parametrize(("patch", "said"), [((32, 48, 48), "patches of 32 × 48 × 48 voxels"), ((1, 64, 64), "single slices of 64 × 64")])
def test_volumes_are_described(masks: Any, write: Any, patch: tuple[int, int, int], said: str) -> None:
    run = read_run(write.run(masks(rounds=1)))
    plan = run.plan.model_copy(update={"data": run.plan.data.model_copy(update={"patch": patch})})
    text = " ".join(story.what_was_done(plan, run))
    assert "resampled to cubes of 2 mm" in text
    assert said in text
    assert "Each pixel or voxel is given the class" in text


def test_slices_without_spacing_are_a_limit(masks: Any, write: Any) -> None:
    run = read_run(write.run(masks(classes=("background", "tumour"), has_spacing=False, rounds=1)))
    said = story.limits(run.plan, run, num_seeds=1)
    assert any("distances are in pixels" in text for text in said)
    assert not any("volume error" in text for text in said)


def test_settings_that_act_like_algorithms_are_said(sample: Any, write: Any) -> None:
    run = read_run(write.run(sample(num_test=60, rounds=1)))
    plain = " ".join(story.what_was_done(run.plan, run))
    recipe = run.plan.recipe.model_copy(update={"single_step": True, "label_skew": "balanced", "mixup": 0.2})
    exchange = run.plan.exchange.model_copy(update={"updates": "int8"})
    changed = " ".join(story.what_was_done(run.plan.model_copy(update={"recipe": recipe, "exchange": exchange}), run))
    assert "together made one step" not in plain and "Further:" not in plain
    assert "that together made one step, and sent back" in changed
    assert ("Further: logits changed by each hospital's class counts (balanced), images of a batch mixed in pairs (mixup 0.2) and changes "
            "sent in fewer bytes (int8).") in changed


def test_a_rule_against_malicious_hospitals_is_told(sample: Any, write: Any) -> None:
    run = read_run(write.run(sample(num_test=60, rounds=1)))
    rule = run.plan.aggregation.model_copy(update={"rule": "krum", "attackers": 1})
    told, plain = (" ".join(story.what_was_done(plan, run)) for plan in (run.plan.model_copy(update={"aggregation": rule}), run.plan))
    assert "fedavg combined the changes by the rule krum, made to withstand 1 malicious hospital, which counts all" in told
    assert "fedavg combined the changes. All" in plain


def test_protection_is_said_and_its_absence_is_not(sample: Any, write: Any) -> None:
    run = read_run(write.run(sample(num_test=60, rounds=1)))
    private = Plan.model_validate({**run.plan.model_dump(), "privacy": {"unit": "patient", "epsilon": 3}, "aggregation": {"secure": True}})
    told, plain = (" ".join(story.what_was_done(plan, run)) for plan in (private, run.plan))
    assert "in sums that hid each hospital's own change from the server" in told
    assert "Training hid each patient by noise that was added at each hospital, within a budget of epsilon 3" in told
    assert "noise" not in plain
    assert "hid" not in plain


def test_a_simulated_attack_is_said(sample: Any, write: Any) -> None:
    run = read_run(write.run(sample(num_test=60, rounds=1)))
    plan = Plan.model_validate({**run.plan.model_dump(), "attack": {"kind": "sign-flip"}})
    assert "malicious (attack sign-flip)" in " ".join(story.what_was_done(plan, run))
    assert "This is a simulation." in " ".join(story.what_was_done(plan, run))
