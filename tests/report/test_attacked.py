"""The audit's part of a report."""

from __future__ import annotations

import pytest

from wardround.report.attacked import VERDICTS, is_audit, verdict_table

MEASURE = {"name": "PSNR", "value": 21.5, "unit": "dB", "low": None, "high": None, "threshold": 20.0, "count": 4}
FINDING = {"attack": "gradient inversion", "question": "Can images be drawn?", "says_not": "Only this attack was tried.",
           "verdict": "inconclusive", "rows": [{"defence": "none", "PSNR": 21.5}], "canary": MEASURE,
           "result": {**MEASURE, "value": None}}
RECORD = {"findings": [FINDING]}


def test_a_row_tells_the_planted_victim_the_run_and_the_verdict_in_words() -> None:
    (row,) = verdict_table(RECORD).rows
    assert row == ("gradient inversion", "PSNR: 21.500 dB (n = 4), from 20.000", "not measured", VERDICTS["inconclusive"])


def test_an_interval_is_told_with_its_number() -> None:
    record = {"findings": [{**FINDING, "result": {**MEASURE, "low": 20.0, "high": 23.0}}]}
    assert verdict_table(record).rows[0][2] == "PSNR: 21.500 dB [20.000, 23.000] (n = 4), from 20.000"


@pytest.mark.parametrize("record", [{}, {"findings": 3}, {"findings": [{**FINDING, "rows": "x"}]}, {"findings": [{"attack": "x"}]},
                                    {"findings": [{**FINDING, "verdict": 1}]}, {"findings": [{**FINDING, "canary": []}]}])
def test_a_file_of_another_form_is_no_audit(record: dict[str, object]) -> None:
    assert is_audit(RECORD)
    assert not is_audit(record)
