"""From the text of a plan that came over a network to the plan."""

from __future__ import annotations

from wardround.network.approval import Approvals
from wardround.network.reasons import Refusal
from wardround.plan.load import plan_of, toml_table
from wardround.plan.schema import Plan


def parsed(text: str) -> Plan:
    """The plan that the text is; PlanError says what is wrong with it."""
    return plan_of(toml_table(text, "the plan"), "the plan")


def approved_plan(approvals: Approvals, hash: str, site: str) -> Plan:
    """The plan of this hash in the words that were approved; Refusal if none is."""
    for approval in approvals.history():
        if approval.hash == hash and not approval.withdrawn:
            return parsed(approval.plan)
    raise Refusal(f"plan {hash[:8]}... is not approved at {site}: look at it and approve it there: wardround site approve")
