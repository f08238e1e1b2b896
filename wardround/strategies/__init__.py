"""Federated algorithms by name; each file holds both halves, the site's and the server's."""

from wardround.lookup import Names

STRATEGIES = Names("strategy", {
    "fedavg": "wardround.strategies.fedavg:FedAvg",
    "feddyn": "wardround.strategies.feddyn:FedDyn",
    "fedprox": "wardround.strategies.fedprox:FedProx",
    "moon": "wardround.strategies.moon:Moon",
    "scaffold": "wardround.strategies.scaffold:Scaffold",
}, group="wardround.strategies")
