"""What the page Plan knows of a plan: its settings, what does not go with it, where its text is wrong, what it will cost."""

import math
import re
from pathlib import Path
from typing import get_args

import pytest

from wardround.aggregation.choose import LIMITS
from wardround.app.views.draft import Draft
from wardround.app.views.plan import chosen, fault_line, forecast_of, judged
from wardround.app.views.plan_settings import Choice, Number, Switch, groups, setting
from wardround.app.views.plan_texts import EXPLAINED, NAMES, USES
from wardround.core.events import Note
from wardround.models import MODELS
from wardround.plan.load import load_plan
from wardround.plan.schema import Plan, RuleName
from wardround.privacy.conflicts import CONFLICTS
from wardround.strategies import STRATEGIES

DOCS = (Path(__file__).parents[2] / "docs" / "plans.md").read_text()
SETTINGS = {one.key: one for group in groups() for one in (*group.settings, *group.more)}
PLAN = Draft.of("chest-xray-pneumonia")


def documented() -> dict[str, str]:
    """ "section.key" -> what docs/plans.md says of it, without marks."""
    section, found = "", dict[str, str]()
    for line in DOCS.splitlines():
        if header := re.match(r"## \[(\w+)\]", line):
            section = header[1]
        elif row := re.match(r"\| `(\w+)` \| .*? \| ?(.*?) ?\|$", line):
            found[f"{section}.{row[1]}"] = re.sub(r"\s*\(\[.*?\]\(.*?\)\)", "", row[2]).replace("`", "")
    return found


@pytest.mark.parametrize("key", sorted(EXPLAINED))
def test_a_setting_is_explained_as_in_the_documentation(key: str) -> None:
    assert documented()[key] in (EXPLAINED[key], "")


@pytest.mark.parametrize("key", sorted(SETTINGS))
def test_every_setting_is_a_key_of_a_plan_and_has_a_name(key: str) -> None:
    section, _, name = key.partition(".")
    assert name in type(getattr(load_plan("demo"), section)).model_fields
    assert NAMES[key] == SETTINGS[key].label


def test_no_text_is_left_over() -> None:
    assert set(NAMES) == set(SETTINGS)
    assert set(USES) <= set(SETTINGS) and set(EXPLAINED) <= set(SETTINGS)


@pytest.mark.parametrize("key", sorted(key for key, one in SETTINGS.items() if isinstance(one, Choice) and not one.is_open))
def test_a_choice_offers_each_value_that_a_plan_takes_with_its_use(key: str) -> None:
    section, _, name = key.partition(".")
    choice = SETTINGS[key]
    assert isinstance(choice, Choice)
    allowed = get_args(Plan.model_fields[section].annotation.model_fields[name].annotation)  # type: ignore[union-attr]
    assert sorted(option.value for option in choice.options) == sorted(allowed)
    assert all(0 < len(option.use_when) < 110 for option in choice.options)


def test_all_networks_and_strategies_of_ours_are_offered() -> None:
    for key, table in (("model.name", MODELS.table), ("strategy.name", STRATEGIES.table)):
        choice = SETTINGS[key]
        assert isinstance(choice, Choice) and {option.value for option in choice.options} == set(table)


@pytest.mark.parametrize("rule", [rule for rule in get_args(RuleName) if rule in LIMITS and rule != "fltrust"])
def test_a_rule_says_how_many_sites_it_needs(rule: str) -> None:
    limit = LIMITS[rule]
    assert USES["aggregation.rule"][rule][1].startswith(f"n >= {limit.times}f + {limit.plus} sites")


def test_numbers_have_the_limits_of_the_schema() -> None:
    rate, share, steps = setting("recipe.lr"), setting("cohort.fraction"), setting("recipe.local_steps")
    assert isinstance(rate, Number) and isinstance(share, Number) and isinstance(steps, Number)
    assert rate.read("5e-4") == 0.0005
    assert (rate.allowed(), share.allowed()) == ("a number above 0", "a number above 0 and of at most 1")
    assert steps.read(" ") is None and steps.read("3") == 3
    assert steps.allowed() == "a whole number of at least 1 or nothing"
    for number, text in ((rate, "0"), (rate, "nan"), (rate, "much"), (share, "1.5"), (steps, "2.5"), (rate, "")):
        with pytest.raises(ValueError, match="number"):
            number.read(text)
    momentum = setting("recipe.momentum")
    assert isinstance(momentum, Number) and momentum.allowed() == "a number of at least 0 and below 1"
    assert isinstance(setting("recipe.single_step"), Switch)


def test_a_plan_that_can_be_trained_has_no_problem() -> None:
    found = judged(PLAN.text)
    assert (found.problems, found.cautions, found.text) == ((), (), PLAN.text)


def test_what_does_not_go_together_is_told_with_its_reason_and_remedy() -> None:
    (problem,) = judged(PLAN.with_key("privacy.unit", "site").text).problems
    conflict = next(one for one in CONFLICTS if one.second == "aggregation.weights = 'examples'")
    assert (problem.first, problem.second) == (conflict.first, conflict.second)
    assert (problem.text, problem.remedy) == (conflict.reason, conflict.remedy)


def test_what_protection_does_not_do_is_told() -> None:
    assert any("epsilon" in text for text in judged(PLAN.with_key("privacy.unit", "image").text).cautions)


@pytest.mark.parametrize(("key", "value", "told"), [
    ("model.name", "unet", "Choose cnn, resnet18"),
    ("rounds.metric", "dice", "does not fit a binary task"),
    ("recipe.loss", "dice_cross_entropy", "does not fit images of one class"),
    ("model.width", 0.01, "width of a ResNet must lie in"),
    ("model.name", "resnet99", "no model 'resnet99'"),
    ("strategy.mu", 0.1, "has no setting 'mu'"),
    ("strategy.name", "finetune", "needs strategy.after"),
    ("aggregation.rule", "median", "aggregation.attackers = 1"),
    ("rounds.num", 0, "must be at least 1"),
])
def test_what_a_plan_cannot_have_is_told_before_it_is_trained(key: str, value: object, told: str) -> None:
    problems = judged(PLAN.with_key(key, value).text).problems
    assert any(told in f"{problem.text} {problem.remedy}" for problem in problems)


def test_values_that_would_not_go_with_the_plan_say_why() -> None:
    blocked = judged(PLAN.text).blocked
    assert "draws masks" in blocked["model.name", "unet"]
    assert "at least 7 sites" in blocked["aggregation.rule", "bulyan"]  # of five
    assert not {("aggregation.rule", "median"), ("strategy.name", "finetune"), ("model.name", "cnn")} & blocked.keys()
    guarded = judged(chosen(PLAN, "aggregation.rule", "median").text).blocked
    assert not {("aggregation.rule", "mean"), ("aggregation.rule", "norm-bound")} & guarded.keys()
    private = judged(PLAN.with_key("privacy.unit", "image").text).blocked
    assert "gradients" in private["strategy.name", "scaffold"]


def test_no_program_that_a_plan_names_is_run_by_looking_at_it(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'was-run')!r}, 'w')\n")
    for key in ("model.name", "strategy.name"):
        found = judged(PLAN.with_key(key, f"{tmp_path / 'own.py'}:Own").text)
        assert any("a program of its author's" in text for text in found.cautions)
    assert not (tmp_path / "was-run").exists()


def test_arguments_of_the_named_network_and_strategy_are_settings_too() -> None:
    own = judged(chosen(PLAN, "strategy.name", "fedprox").text).own
    assert [(one.key, one.default) for one in own["Strategy"] if isinstance(one, Number)] == [("strategy.mu", "0.01")]
    assert "model.width" in [one.key for one in own["Model"]]
    (after,) = judged(chosen(PLAN, "strategy.name", "finetune").text).own["Strategy"]
    assert isinstance(after, Number) and (after.explained, after.default) == ("must be set", "")


def test_another_network_does_not_keep_the_arguments_of_the_former() -> None:
    changed = chosen(PLAN, "model.name", "cnn")
    assert changed.value("model.name") == "cnn" and not changed.is_set("model.width") and changed.is_set("model.norm")
    assert chosen(PLAN, "model.name", "resnet18").is_set("model.width")


def test_a_rule_that_guards_counts_one_malicious_site_and_the_mean_none() -> None:
    guarded = chosen(PLAN, "aggregation.rule", "median")
    assert guarded.value("aggregation.attackers") == 1
    assert chosen(guarded.with_key("aggregation.attackers", 2), "aggregation.rule", "krum").value("aggregation.attackers") == 2
    assert chosen(guarded, "aggregation.rule", "mean").value("aggregation.attackers") == 0


@pytest.mark.parametrize(("before", "after"), [
    ("lr = 0.05", "lr = -1"), ('schedule = "cosine"', 'schedule = "cosin"'), ("num = 80", "nmu = 80"), ("width = 0.5", "width = = 0.5"),
    ('policy = "published"', 'policy = "published'), ("[rounds]", "[ronuds]"),
])
def test_the_wrong_line_is_found(before: str, after: str) -> None:
    draft = PLAN.with_text(PLAN.text.replace(before, after))
    line = fault_line(draft)
    assert draft.plan is None and line is not None
    assert draft.text.splitlines()[line - 1].startswith(after.split("=")[0].strip())


def test_a_plan_without_fault_has_no_wrong_line() -> None:
    assert fault_line(PLAN) is None
    assert fault_line(PLAN.with_text("")) is None  # the name is missing: no line says so


def test_a_forecast_has_names_values_and_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARDROUND_CACHE", str(tmp_path))
    draft, notes = Draft.of("demo"), list[str]()
    for key, value in {"data.phantoms": 60, "data.size": 16, "engine.precision": "fp32", "engine.layout": "contiguous"}.items():
        draft = draft.with_key(key, value)
    found = forecast_of(draft.text, watch=lambda event: notes.append(event.text) if isinstance(event, Note) else None)
    assert found.text == draft.text
    assert "3 of 3 sites train" in found.facts["A round"] and f"All {draft.value('rounds.num')} rounds" in found.facts
    assert all(math.isfinite(float(found.facts[name].split()[0])) for name in ("A site sends", "A site receives"))
    assert found.remarks[0].startswith("An estimate") and any("phantoms" in text for text in found.remarks)
    assert any("60 phantoms" in note for note in notes)
