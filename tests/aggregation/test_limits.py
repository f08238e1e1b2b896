"""How many updates a rule needs."""

import pytest

from wardround.aggregation.limits import Limit
from wardround.errors import AggregationError

KRUM, MEDIAN, ROOTED = Limit(rule="krum", times=2, plus=3), Limit(rule="median", times=2, plus=1), Limit(rule="fltrust", times=1, plus=2)


def test_the_fewest_updates_and_the_most_attackers_fit_each_other() -> None:
    assert [KRUM.least(f) for f in (0, 1, 2)] == [3, 5, 7]
    assert [KRUM.most(n) for n in (2, 4, 5, 6, 7)] == [0, 0, 1, 1, 2]
    assert (KRUM.formula, ROOTED.formula) == ("n >= 2f + 3", "n >= f + 2")


def test_too_few_updates_are_refused_with_n_f_and_the_remedy() -> None:
    KRUM.check(7, 2)
    with pytest.raises(AggregationError, match=r"krum with f = 2 malicious sites needs n >= 2f \+ 3 = 7 updates in a round, but n = 6 came"
                       r"\. Ask more sites, or set aggregation.attackers to at most 1 \(median and nnm-trimmed need n >= 2f \+ 1\)"):
        KRUM.check(6, 2)
    with pytest.raises(AggregationError, match="take another rule"):
        KRUM.check(4, 1)
    with pytest.raises(AggregationError, match="fewer than three none can be outvoted"):
        MEDIAN.check(2, 1)
    with pytest.raises(AggregationError, match="f = -1"):
        MEDIAN.check(5, -1)
