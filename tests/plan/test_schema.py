"""How a plan shows itself."""

from wardround.plan.schema import Plan


def test_in_a_notebook_a_plan_is_toml_without_what_was_left_at_its_default() -> None:
    plan = Plan.model_validate({"name": "x", "title": "a < b", "seed": 0, "data": {"size": 32, "folder": "/images"},
                                "model": {"width": 8, "top": None}})
    assert plan._repr_html_() == ('<pre>name = "x"\ntitle = "a &lt; b"\nseed = 0\n\n'
                                  '[data]\nfolder = "/images"\nsize = 32\n\n[model]\nwidth = 8\n</pre>')
