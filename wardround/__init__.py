"""wardround: federated learning for medical images.

    import wardround as wr
    run = wr.run("plan.toml", arm="federated")
    print(run.scores()["metrics"])

The public names below are loaded on first use, so importing the package is quick and needs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the same names for type checkers and editors; tests/test_exported_members.py compares the two
    from wardround.core.events import Event as Event
    from wardround.core.events import Note as Note
    from wardround.core.events import RoundFinished as RoundFinished
    from wardround.core.events import RunFinished as RunFinished
    from wardround.core.exchange import Order as Order
    from wardround.core.exchange import SiteFailed as SiteFailed
    from wardround.core.exchange import SiteReport as SiteReport
    from wardround.core.exchange import Update as Update
    from wardround.core.params import Params as Params
    from wardround.core.state import State as State
    from wardround.data.catalogue import Catalogue as Catalogue
    from wardround.errors import WardroundError as WardroundError
    from wardround.plan.load import dump_plan as dump_plan
    from wardround.plan.load import load_plan as load_plan
    from wardround.plan.schema import Plan as Plan
    from wardround.plan.schema import Recipe as Recipe
    from wardround.runs.folder import RunFolder as RunFolder
    from wardround.session import compare as compare
    from wardround.session import contrast as contrast
    from wardround.session import predict as predict
    from wardround.session import resume as resume
    from wardround.session import run as run
    from wardround.strategies.base import Strategy as Strategy
    from wardround.strategies.fedavg import FedAvg as FedAvg
    from wardround.strategies.fedprox import FedProx as FedProx

    __version__: str

HOMES = {
    "Catalogue": "wardround.data.catalogue",
    "Event": "wardround.core.events",
    "FedAvg": "wardround.strategies.fedavg",
    "FedProx": "wardround.strategies.fedprox",
    "Note": "wardround.core.events",
    "Order": "wardround.core.exchange",
    "Params": "wardround.core.params",
    "Plan": "wardround.plan.schema",
    "Recipe": "wardround.plan.schema",
    "RoundFinished": "wardround.core.events",
    "RunFinished": "wardround.core.events",
    "RunFolder": "wardround.runs.folder",
    "SiteFailed": "wardround.core.exchange",
    "SiteReport": "wardround.core.exchange",
    "State": "wardround.core.state",
    "Strategy": "wardround.strategies.base",
    "Update": "wardround.core.exchange",
    "WardroundError": "wardround.errors",
    "compare": "wardround.session",
    "contrast": "wardround.session",
    "dump_plan": "wardround.plan.load",
    "load_plan": "wardround.plan.load",
    "predict": "wardround.session",
    "resume": "wardround.session",
    "run": "wardround.session",
}

__all__ = sorted(HOMES)


def __getattr__(name: str) -> Any:
    if name in HOMES:
        from importlib import import_module

        value = getattr(import_module(HOMES[name]), name)
    elif name == "__version__":
        from importlib.metadata import version

        value = version("wardround")
    else:
        raise AttributeError(f"module 'wardround' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
