"""The privacy budget's part of a report."""

from __future__ import annotations

from wardround.report.spent import spending_table

SITE = {"epsilon": 7.98, "pld": 7.98, "prv": 7.981, "rdp": 8.9, "delta": 1e-5, "budget": 8.0, "noise_multiplier": 1.05, "sample_rate": 0.08,
        "steps": 250, "repeated": 0}


def test_a_row_tells_all_accountants_and_the_terms() -> None:
    (row,) = spending_table({"north": SITE}).rows
    assert row == ("north", "7.98", "7.98", "8.90", "8.00", "1.050", "0.080", "250")
