"""The list of keys that messages and documentation are checked against."""

from wardround.plan.problems import section_keys


def test_every_section_lists_its_keys() -> None:
    keys = section_keys()
    assert keys[""] == ["name", "title", "seed"]
    assert keys["cohort"] == ["fraction", "min_sites", "deadline_s"]
    assert set(keys) == {"", "data", "split", "sites", "model", "recipe", "augment", "rounds", "cohort", "strategy",
                         "aggregation", "privacy", "attack", "exchange",
                         "engine", "evaluation"}
