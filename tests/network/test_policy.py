"""What a hospital allows."""

import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wardround.errors import NetworkError
from wardround.network.envelope import Envelope
from wardround.network.policy import TEMPLATE, Limits, Work, limits_of, refusal, refusal_of_plan, too_large, write_template
from wardround.plan.schema import AggregationPlan, AttackPlan, EnginePlan, Plan, PrivacyPlan, RoundsPlan, Section

NOON = datetime(2026, 11, 26, 12, 0)


def plan(rounds: int = 20, **engine: str) -> Plan:
    return Plan(name="clinics", rounds=RoundsPlan(num=rounds), engine=EnginePlan.model_validate(engine))


def envelope(round: int = 1, cohort: int = 4) -> Envelope:
    return Envelope(run="federated-seed0", plan="0" * 64, site="north", round=round, nonce="0" * 32, cohort=cohort)


def asked(limits: Limits, *, rounds: int = 20, round: int = 1, cohort: int = 4, now: datetime = NOON, work: Work = "round",
          num_train: int | None = None) -> str | None:
    return refusal(limits, plan=plan(rounds), envelope=envelope(round, cohort), now=now, work=work, num_train=num_train)


def test_without_limits_of_its_own_a_site_refuses_nothing_usual() -> None:
    assert asked(Limits()) is None
    assert asked(Limits(), rounds=10_000, round=10_000, cohort=1, num_train=1) is None


def test_a_refusal_names_cause_limit_and_who_can_change_it() -> None:
    assert asked(Limits(max_rounds=10)) == ("the plan has 20 rounds, and this site allows at most 10 (max_rounds). Only the hospital can "
                                            "change that, in limits.toml.")


@pytest.mark.parametrize(("value", "is_refused"), [(19, False), (20, False), (21, True)])
def test_max_rounds_holds_for_the_plan(value: int, is_refused: bool) -> None:
    assert bool(asked(Limits(max_rounds=20), rounds=value)) is is_refused


@pytest.mark.parametrize(("value", "is_refused"), [(19, False), (20, False), (21, True)])
def test_max_rounds_holds_for_a_server_that_asks_for_more_than_the_plan(value: int, is_refused: bool) -> None:
    assert ("asks for round 21" in (asked(Limits(max_rounds=20), round=value) or "")) is is_refused


@pytest.mark.parametrize(("value", "is_refused"), [(2, True), (3, False), (4, False)])
def test_a_round_of_fewer_sites_than_min_cohort_is_refused(value: int, is_refused: bool) -> None:
    found = asked(Limits(min_cohort=3), cohort=value)
    assert (f"the round asks {value} sites, and this site allows at least 3" in str(found)) is is_refused


def test_a_round_that_does_not_say_whom_it_asks_is_refused() -> None:
    assert "the round asks 0 sites" in str(asked(Limits(), cohort=0))


@pytest.mark.parametrize("work", ["local", "other"])
def test_what_is_no_round_needs_no_cohort(work: Work) -> None:
    assert asked(Limits(min_cohort=3), cohort=0, work=work) is None


@pytest.mark.parametrize(("value", "is_refused"), [(99, True), (100, False), (101, False), (None, False)])
def test_a_site_with_fewer_images_than_min_train_does_not_train(value: int | None, is_refused: bool) -> None:
    assert (f"this site has {value} training images" in (asked(Limits(min_train=100), num_train=value) or "")) is is_refused


def test_a_site_without_training_images_does_not_train() -> None:
    assert "0 training images" in str(asked(Limits(), num_train=0))


def with_sections(**sections: Section) -> Plan:
    return plan().model_copy(update=sections)


@pytest.mark.parametrize("unit", ["image", "patient"])
@pytest.mark.parametrize(("epsilon", "is_refused"), [(7.9, False), (8.0, False), (8.1, True)])
def test_a_plan_that_promises_no_smaller_epsilon_than_max_epsilon_is_refused(unit: str, epsilon: float, is_refused: bool) -> None:
    found = refusal_of_plan(Limits(max_epsilon=8.0), with_sections(privacy=PrivacyPlan(unit=unit, epsilon=epsilon)))
    assert ("the plan's privacy.epsilon is 8.1, and this site allows only plans that promise an image or a patient an epsilon of at most 8 "
            "(max_epsilon)" in str(found)) is is_refused
    assert bool(found) is is_refused


@pytest.mark.parametrize("unit", ["none", "site"])
def test_a_plan_that_hides_no_image_and_no_patient_promises_no_epsilon(unit: str) -> None:
    found = str(refusal_of_plan(Limits(max_epsilon=1e6), with_sections(privacy=PrivacyPlan(unit=unit, epsilon=0.1))))
    assert f"its privacy.unit is '{unit}'" in found
    assert "'image' or 'patient' would" in found
    assert ("the noise is added by the server" in found) is (unit == "site")


@pytest.mark.parametrize(("is_required", "is_secure", "is_refused"), [(True, False, True), (True, True, False), (False, False, False)])
def test_a_site_may_ask_for_secure_sums(is_required: bool, is_secure: bool, is_refused: bool) -> None:
    found = refusal_of_plan(Limits(require_secure=is_required), with_sections(aggregation=AggregationPlan(secure=is_secure)))
    assert ("only plans with aggregation.secure = true (require_secure)" in str(found)) is is_refused


def test_a_site_is_never_made_malicious() -> None:
    found = str(refusal_of_plan(Limits(), with_sections(attack=AttackPlan(kind="label-flip"))))
    assert "attack.kind = 'label-flip'), which is for simulations and never for a study" in found


@pytest.mark.parametrize(("device", "gpu", "is_refused"), [("cuda", False, True), ("cuda", True, False), ("auto", False, False),
                                                           ("cpu", False, False)])
def test_a_plan_that_needs_a_gpu_is_refused_where_there_is_none_for_it(device: str, gpu: bool, is_refused: bool) -> None:
    assert ("NVIDIA GPU only" in (refusal_of_plan(Limits(gpu=gpu), plan(device=device)) or "")) is is_refused


def at(text: str) -> datetime:
    hour, minute, second = (int(part) for part in text.split(":"))
    return datetime(2026, 11, 26, hour, minute, second)


@pytest.mark.parametrize(("hours", "now", "is_refused"), [
    ("09:00-17:00", "08:59:59", True), ("09:00-17:00", "09:00:00", False), ("09:00-17:00", "16:59:59", False),
    ("09:00-17:00", "17:00:00", True),
    ("20:00-06:00", "19:59:59", True), ("20:00-06:00", "20:00:00", False), ("20:00-06:00", "23:59:59", False),
    ("20:00-06:00", "00:00:00", False), ("20:00-06:00", "05:59:59", False), ("20:00-06:00", "06:00:00", True),
    ("20:00-06:00", "12:00:00", True),
    ("20:00-24:00", "23:59:59", False), ("20:00-24:00", "00:00:00", True), ("20:00-00:00", "23:59:59", False),
    ("20:00-00:00", "00:00:00", True), ("00:00-24:00", "12:00:00", False), ("", "03:00:00", False),
])
def test_training_begins_only_within_the_hours(hours: str, now: str, is_refused: bool) -> None:
    found = asked(Limits(hours=hours), now=at(now))
    assert bool(found) is is_refused
    if found:
        assert found.startswith(f"it is {now[:5]} here, and this site allows training to begin within {hours} (hours).")


def test_hours_are_for_training_the_local_arm_too_and_for_nothing_else() -> None:
    assert asked(Limits(hours="20:00-06:00"), work="local") is not None
    assert asked(Limits(hours="20:00-06:00"), work="other") is None


def test_hours_are_those_of_the_machine_whatever_the_time_zone_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Etc/GMT-3")  # three hours ahead of UTC
    time.tzset()
    try:
        assert asked(Limits(hours="20:00-21:00"), now=datetime(2026, 11, 26, 17, 30, tzinfo=UTC)) is None
        assert "it is 23:30 here" in str(asked(Limits(hours="20:00-21:00"), now=datetime(2026, 11, 26, 20, 30, tzinfo=UTC)))
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(("num_bytes", "is_refused"), [(1_999_999, False), (2_000_000, False), (2_000_001, True)])
def test_messages_have_a_size_each_way(num_bytes: int, is_refused: bool) -> None:
    limits = Limits(max_order_mb=2, max_update_mb=2)
    came, sent = too_large(limits, num_bytes, "in"), too_large(limits, num_bytes, "out")
    assert bool(came) is bool(sent) is is_refused
    if is_refused:
        assert str(came).startswith("a message that came has 2,000,001 bytes, and this site allows at most 2 MB (max_order_mb).")
        assert str(sent).startswith("a message to be sent has 2,000,001 bytes, and this site allows at most 2 MB (max_update_mb).")


def test_the_sizes_of_the_two_ways_are_apart() -> None:
    limits = Limits(max_order_mb=1, max_update_mb=3)
    assert too_large(limits, 2_000_000, "in")
    assert too_large(limits, 2_000_000, "out") is None


def test_the_template_sets_no_limit_and_explains_each(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    write_template(path)
    assert limits_of(path) == Limits()
    path.write_text("\n".join(line.removeprefix("# ") for line in TEMPLATE.splitlines() if " = " in line))
    assert limits_of(path).model_fields_set == set(Limits.model_fields)


def test_the_template_never_replaces_what_the_hospital_wrote(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    path.write_text("threads = 2\n")
    write_template(path)
    assert limits_of(path) == Limits(threads=2)


def test_an_empty_file_sets_no_limits_and_a_missing_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    with pytest.raises(NetworkError, match=r"limits.toml does not exist.*an empty file sets no limits"):
        limits_of(path)
    path.touch()
    assert limits_of(path) == Limits()


@pytest.mark.parametrize(("text", "expected"), [
    ("max_round = 3", "limits.toml: unknown key 'max_round'. Did you mean 'max_rounds'?"),
    ("zzz = 3", "limits.toml: unknown key 'zzz'. Keys: hours, threads, gpu, memory_mb, min_cohort, min_train, max_rounds,"),
    ('max_rounds = "many"', "limits.toml: max_rounds = 'many': must be a whole number."),
    ("max_rounds = 0", "limits.toml: max_rounds = 0: must be at least 1."),
    ("threads = 0", "limits.toml: threads = 0: must be at least 1."),
    ("min_cohort = 0", "limits.toml: min_cohort = 0: must be at least 1."),
    ("memory_mb = 255", "limits.toml: memory_mb = 255: must be at least 256."),
    ("max_epsilon = 0", "limits.toml: max_epsilon = 0: must be above 0."),
    ("max_update_mb = inf", "limits.toml: max_update_mb = inf: must be a finite number."),
    ('gpu = "perhaps"', "limits.toml: gpu = 'perhaps': must be true or false."),
    ('hours = "8-17"', "limits.toml: hours = '8-17': must be like \"20:00-06:00\", from 00:00 to 24:00."),
    ('hours = "20:00-24:30"', "hours = '20:00-24:30': must be like"),
    ('hours = "08:00-08:00"', "limits.toml: hours = '08:00-08:00': begins when it ends; for the whole day leave hours out."),
    ("hours = 3", "limits.toml: hours = 3: must be text, in quotes."),
    ("hours = 20:00-06:00", "limits.toml is not valid TOML"),
    ("max_round = 3\nthreads = 0", "limits.toml has 2 problems:\n  threads = 0: must be at least 1.\n  unknown key 'max_round'."),
])
def test_what_is_wrong_with_the_file_is_said(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "limits.toml"
    path.write_text(text)
    with pytest.raises(NetworkError) as caught:
        limits_of(path)
    assert expected in str(caught.value)


def test_a_binary_file_is_no_limits(tmp_path: Path) -> None:
    (tmp_path / "limits.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NetworkError, match="is not text in UTF-8"):
        limits_of(tmp_path / "limits.toml")


def test_what_a_site_checks_in_its_small_process_needs_no_torch() -> None:
    code = ("import sys\nimport wardround.network.policy, wardround.network.approval, wardround.network.auditlog\n"
            "assert 'torch' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
