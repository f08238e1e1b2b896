"""Federated algorithms by name; each file holds both halves, the site's and the server's."""

from wardround.lookup import Names

STRATEGIES = Names("strategy", {
    "apfl": "wardround.strategies.apfl:APFL",
    "ditto": "wardround.strategies.ditto:Ditto",
    "fedavg": "wardround.strategies.fedavg:FedAvg",
    "fedbn": "wardround.strategies.fedbn:FedBN",
    "feddyn": "wardround.strategies.feddyn:FedDyn",
    "fedmuon": "wardround.strategies.fedmuon:FedMuon",
    "fedper": "wardround.strategies.fedper:FedPer",
    "fedprox": "wardround.strategies.fedprox:FedProx",
    "fedrep": "wardround.strategies.fedrep:FedRep",
    "finetune": "wardround.strategies.finetune:FineTune",
    "moon": "wardround.strategies.moon:Moon",
    "perfedavg": "wardround.strategies.perfedavg:PerFedAvg",
    "scaffold": "wardround.strategies.scaffold:Scaffold",
}, group="wardround.strategies")
