"""Federated algorithms by name; each file holds both halves, the site's and the server's."""

from wardround.lookup import Names

STRATEGIES = Names("strategy", {
    "afl": "wardround.strategies.afl:AFL",
    "apfl": "wardround.strategies.apfl:APFL",
    "cyclic": "wardround.strategies.cyclic:Cyclic",
    "ditto": "wardround.strategies.ditto:Ditto",
    "fedadagrad": "wardround.strategies.fedopt:FedAdagrad",
    "fedadam": "wardround.strategies.fedopt:FedAdam",
    "fedavg": "wardround.strategies.fedavg:FedAvg",
    "fedavgm": "wardround.strategies.fedavgm:FedAvgM",
    "fedbn": "wardround.strategies.fedbn:FedBN",
    "feddyn": "wardround.strategies.feddyn:FedDyn",
    "fedmuon": "wardround.strategies.fedmuon:FedMuon",
    "fednova": "wardround.strategies.fednova:FedNova",
    "fedper": "wardround.strategies.fedper:FedPer",
    "fedprox": "wardround.strategies.fedprox:FedProx",
    "fedrep": "wardround.strategies.fedrep:FedRep",
    "fedyogi": "wardround.strategies.fedopt:FedYogi",
    "finetune": "wardround.strategies.finetune:FineTune",
    "moon": "wardround.strategies.moon:Moon",
    "perfedavg": "wardround.strategies.perfedavg:PerFedAvg",
    "qfedavg": "wardround.strategies.qfedavg:QFedAvg",
    "scaffold": "wardround.strategies.scaffold:Scaffold",
}, group="wardround.strategies")
