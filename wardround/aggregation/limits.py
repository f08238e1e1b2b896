"""How many updates a rule needs to withstand f malicious sites, and the sentence where there are fewer."""

from __future__ import annotations

from dataclasses import dataclass

from wardround.errors import AggregationError


@dataclass(frozen=True, kw_only=True)
class Limit:
    """n >= times * f + plus, n being the updates of a round."""

    rule: str
    times: int
    plus: int

    @property
    def formula(self) -> str:
        return f"n >= {f'{self.times}f' if self.times > 1 else 'f'} + {self.plus}"

    def least(self, attackers: int) -> int:
        """The fewest updates for so many attackers."""
        return self.times * attackers + self.plus

    def most(self, num: int) -> int:
        """The most attackers that so many updates allow, at least 0."""
        return max(0, (num - self.plus) // self.times)

    def check(self, num: int, attackers: int) -> None:
        """AggregationError naming n, f and the remedy if there are too few updates."""
        if attackers < 0 or num < self.least(attackers):
            raise AggregationError(f"{self.rule} with f = {attackers} malicious sites needs {self.formula} = {self.least(attackers)} "
                                   f"updates in a round, but n = {num} came. {self.remedy(num)}")

    def remedy(self, num: int) -> str:
        """What to do where only so many updates can be had."""
        fewer = f"set aggregation.attackers to at most {self.most(num)}" if self.most(num) else "take another rule"
        other = " (median and nnm-trimmed need n >= 2f + 1)" if self.least(1) > 3 else ""
        return f"Ask more sites, or {fewer}{other}." if num >= 3 else "Ask more sites: among fewer than three none can be outvoted."
