"""Federated algorithms by name; each file holds both halves, the site's and the server's."""

from wardround.lookup import Names

STRATEGIES = Names("strategy", {
    "fedavg": "wardround.strategies.fedavg:FedAvg",
    "fedprox": "wardround.strategies.fedprox:FedProx",
}, group="wardround.strategies")
