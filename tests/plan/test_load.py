"""From TOML and overrides to a Plan, and what is said when that fails."""

from collections.abc import Callable
from pathlib import Path

import pytest

from wardround.errors import PlanError, UnknownName
from wardround.plan.load import dump_plan, load_plan
from wardround.plan.schema import DataPlan, ModelPlan, Plan, Recipe, SitesPlan, StrategyPlan
from wardround.plan.starters import starter, starters

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_plan(text: str, name: str = "plan.toml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write_plan


def message(path: Path | str, *overrides: str) -> str:
    with pytest.raises(PlanError) as caught:
        load_plan(path, overrides)
    return str(caught.value)


def test_only_the_name_is_needed(write: Write) -> None:
    assert load_plan(write('name = "x"')) == Plan(name="x")


def test_an_unknown_key_names_the_nearest_of_its_section(write: Write) -> None:
    assert "unknown key 'rounds.number'. Did you mean 'rounds.num'?" in message(write('name = "x"\n[rounds]\nnumber = 3'))


def test_a_key_of_another_section_is_found_there(write: Write) -> None:
    assert "unknown key 'data.lr'. Did you mean 'recipe.lr'?" in message(write('name = "x"\n[data]\nlr = 0.1'))


def test_a_key_outside_its_section_is_found_in_it(write: Write) -> None:
    assert "unknown key 'lr'. Did you mean 'recipe.lr'?" in message(write('name = "x"\nlr = 0.1'))


def test_an_unknown_section_names_the_nearest(write: Write) -> None:
    assert "unknown key 'round'. Did you mean 'rounds'?" in message(write('name = "x"\n[round]\nnum = 3'))


def test_a_key_like_no_other_gets_the_list(write: Write) -> None:
    found = message(write('name = "x"\n[cohort]\nzzzz = 3'))
    assert "unknown key 'cohort.zzzz'. Keys of cohort: cohort.fraction, cohort.min_sites, cohort.deadline_s." in found


@pytest.mark.parametrize(("line", "expected"), [
    ("num = 0", "rounds.num = 0: must be at least 1."),
    ('num = "many"', "rounds.num = 'many': must be a whole number."),
    ("num = 2.5", "rounds.num = 2.5: must be a whole number."),
    ('metric = "auc"', "rounds.metric = 'auc': must be 'loss', 'accuracy', 'balanced_accuracy', 'auroc' or 'dice'. Did you mean 'auroc'?"),
    ("checkpoint_every_s = nan", "rounds.checkpoint_every_s = nan: must be a finite number."),
])
def test_a_wrong_value_is_shown_with_what_is_allowed(write: Write, line: str, expected: str) -> None:
    assert expected in message(write(f'name = "x"\n[rounds]\n{line}'))


def test_all_problems_are_said_at_once(write: Write) -> None:
    found = message(write('nmae = "x"\n[rounds]\nnum = 0\n[sites]\npartition = "dirichelt"\nnames = "north"'))
    for part in ("5 problems", "unknown key 'nmae'. Did you mean 'name'?", "'name' is missing", "rounds.num = 0",
                 "Did you mean 'dirichlet'?", 'sites.names = \'north\': must be a list, e.g. ["north", "south"].'):
        assert part in found


def test_the_file_is_named(write: Write) -> None:
    path = write('name = "x"\n[rounds]\nnum = 0')
    assert message(path).startswith(f"{path}: rounds.num")


def test_a_section_given_as_a_value_lists_its_keys(write: Write) -> None:
    found = message(write('name = "x"\ncohort = 3'))
    assert "'cohort' is a section, found 3. Set its keys: cohort.fraction, cohort.min_sites, cohort.deadline_s." in found


def test_keys_that_contradict_each_other_are_refused(write: Write) -> None:
    found = message(write('name = "x"\n[sites]\nnum = 3\nnames = ["a", "b"]'))
    assert "sites.names has 2 names, but sites.num = 3" in found
    assert "Value error" not in found


def test_broken_toml_is_located(write: Write) -> None:
    found = message(write('name = "x"\n[rounds]\nnum = \n'))
    assert "plan.toml is not valid TOML" in found
    assert "line 3" in found


def test_a_binary_file_is_no_plan(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_bytes(b"\xff\xfe\x00")
    assert "is not text in UTF-8" in message(tmp_path / "plan.toml")


def test_a_missing_file_names_the_near_one(write: Write, tmp_path: Path) -> None:
    path = write('name = "x"', "hospital.toml")
    found = message(tmp_path / "hospitals.toml")
    assert f"Did you mean '{path}'?" in found
    assert "demo" in found


def test_a_folder_is_no_plan(tmp_path: Path) -> None:
    assert f"wardround run --resume {tmp_path}" in message(tmp_path)


def test_a_misspelt_shipped_plan_names_the_near_one() -> None:
    assert "Did you mean 'pneumoniamnist'?" in message("pneumoniamnits")


@pytest.mark.parametrize(("override", "section", "key", "value"), [
    ("sites.alpha=0.3", "sites", "alpha", 0.3),
    ("sites.partition=dirichlet", "sites", "partition", "dirichlet"),
    ('sites.names=["a", "b", "c"]', "sites", "names", ("a", "b", "c")),
    ("recipe.keep_optimizer=true", "recipe", "keep_optimizer", True),
    (" recipe.lr = 1e-3", "recipe", "lr", 1e-3),
    ("rounds.patience=none", "rounds", "patience", None),
])
def test_an_override_changes_one_key(write: Write, override: str, section: str, key: str, value: object) -> None:
    path = write('name = "x"\n[rounds]\npatience = 3\nnum = 7')
    plan = load_plan(path, [override])
    assert getattr(getattr(plan, section), key) == value
    assert plan.rounds.num == 7


def test_the_last_override_counts(write: Write) -> None:
    assert load_plan(write('name = "x"'), ["seed=1", "seed=2"]).seed == 2


def test_an_override_may_set_an_argument_of_the_model(write: Write) -> None:
    assert load_plan(write('name = "x"'), ["model.width=0.5"]).model.arguments() == {"width": 0.5}


@pytest.mark.parametrize("override", ["sites.alpha", "=3", "sites..alpha=3"])
def test_an_override_without_key_or_value_is_refused(write: Write, override: str) -> None:
    assert f"--set {override}: write KEY=VALUE" in message(write('name = "x"'), override)


def test_an_override_with_an_unknown_key_is_refused(write: Write) -> None:
    assert "unknown key 'rounds.number'. Did you mean 'rounds.num'?" in message(write('name = "x"'), "rounds.number=3")


def test_an_override_cannot_smuggle_in_a_second_key(write: Write) -> None:
    assert load_plan(write('name = "x"'), ['title=1\nseed = 5']).seed == 0


def test_paths_in_a_plan_start_at_its_folder(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    plan = load_plan(write('name = "x"\n[data]\nfolder = "images"\ndataset = "mine.py:Reader"\n[model]\nname = "../net.py:Net"\n'
                           '[strategy]\nname = "package.module:Mine"', "lab/plan.toml"))
    assert plan.data.folder == tmp_path / "lab" / "images"
    assert plan.data.dataset == f"{tmp_path}/lab/mine.py:Reader"
    assert plan.model.name == f"{tmp_path}/lab/../net.py:Net"
    assert plan.strategy.name == "package.module:Mine"


def test_paths_in_overrides_start_at_the_working_folder(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = write('name = "x"', "lab/plan.toml")
    plan = load_plan(path, ["data.folder=my images", "model.name=net.py:Net"])
    assert plan.data.folder == tmp_path / "my images"
    assert plan.model.name == f"{tmp_path}/net.py:Net"


def test_a_dumped_plan_reads_back_equal(write: Write, tmp_path: Path) -> None:
    plan = Plan(name="x", title='quotes " and \\', data=DataPlan(folder=tmp_path), sites=SitesPlan(names=("a", "b", "c")),
                model=ModelPlan.model_validate({"name": "resnet18", "width": 0.5, "stages": [1, 2]}), recipe=Recipe(local_steps=1, lr=1e-7),
                strategy=StrategyPlan.model_validate({"name": "fedprox", "mu": 0.1}))
    assert load_plan(write(dump_plan(plan))) == plan


@pytest.mark.parametrize("name", list(starters()))
def test_a_shipped_plan_loads_by_name_and_reads_back_equal(name: str, write: Write) -> None:
    plan = load_plan(name)
    assert plan.name == name
    assert plan.title
    assert plan.data.folder is None
    assert load_plan(write(dump_plan(plan))) == plan


def test_the_plans_of_this_release_are_shipped() -> None:
    assert set(starters()) >= {"demo", "brain-tumour-missing-types", "chest-xray-pneumonia", "pneumoniamnist"}


def test_starter_gives_the_file_or_the_nearest_name() -> None:
    assert starter("demo").read_text().startswith("#")
    with pytest.raises(UnknownName, match="Did you mean 'demo'"):
        starter("dmeo")
