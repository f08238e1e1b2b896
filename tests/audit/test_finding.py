"""What audit.json holds of a finding."""

from __future__ import annotations

import json

from wardround.audit.finding import Finding, Measure


def test_a_number_that_json_does_not_have_is_null() -> None:
    measure = Measure(name="AUC", value=float("nan"), high=float("inf"))
    finding = Finding(attack="a", question="q", settings={"epsilon": float("inf"), "sites": 3}, canary=measure, result=measure,
                      verdict="inconclusive", says_not="n", rows=({"AUC": float("nan"), "found": 0.5},))
    told = json.loads(json.dumps(finding.record(), allow_nan=False))
    assert told["settings"] == {"epsilon": None, "sites": 3}
    assert told["rows"] == [{"AUC": None, "found": 0.5}]
    assert (told["canary"]["value"], told["canary"]["high"]) == (None, None)
