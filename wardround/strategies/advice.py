"""When to use which algorithm: shown by `wardround strategies`, and held to be complete by tests.

Costs are those beyond a plain round of FedAvg: one model down and one up at each site, one training, nothing remembered but momentum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from wardround.strategies import STRATEGIES

Kind = Literal["baseline", "server", "site", "personal", "plug-in"]


@dataclass(frozen=True)
class Advice:
    """kind: where it differs from FedAvg: at the server, at the sites, or in leaving every site a model of its own. plug-in: of another
    package."""

    kind: Kind
    use_when: str
    costs: str
    source: str


ADVICE: Mapping[str, Advice] = {
    "fedavg": Advice("baseline", "first, and tuned as hard as whatever is to beat it", "none", "McMahan et al. 2017, arXiv:1602.05629"),
    "cyclic": Advice("baseline", "only one site can train at a time; forgets under label skew",
                     "as many rounds as sites for one pass; the others wait", "Chang et al. 2018, doi:10.1093/jamia/ocy017"),
    "fedavgm": Advice("server", "many short rounds, label skew: momentum carries over what single rounds miss",
                      "a model at the server", "Hsu et al. 2019, arXiv:1909.06335"),
    "fedadam": Advice("server", "layers whose changes differ in size, e.g. some barely move; set server_lr",
                      "two models at the server", "Reddi et al. 2021, arXiv:2003.00295"),
    "fedyogi": Advice("server", "as fedadam, where rounds are noisy: its step sizes grow more slowly",
                      "two models at the server", "Reddi et al. 2021, arXiv:2003.00295"),
    "fedadagrad": Advice("server", "as fedadam, for runs whose steps should shrink by themselves",
                         "two models at the server", "Reddi et al. 2021, arXiv:2003.00295"),
    "fedmuon": Advice("server", "label skew of any kind, few rounds; with recipe.single_step",
                      "two models and a few matrix products at the server", "after Jordan et al. 2024, kellerjordan.github.io/posts/muon"),
    "fednova": Advice("server", "sites of very different size take different numbers of steps (plain SGD)",
                      "none", "Wang et al. 2020, arXiv:2007.07481"),
    "qfedavg": Advice("server", "the worst hospital matters: those with larger losses count for more; set q",
                      "none", "Li et al. 2020, arXiv:1905.10497"),
    "afl": Advice("server", "the model must serve any mixture of the hospitals; few sites", "none", "Mohri et al. 2019, arXiv:1902.00146"),
    "fedprox": Advice("site", "long local rounds drift apart; set mu", "none", "Li et al. 2020, arXiv:1812.06127"),
    "scaffold": Advice("site", "label skew, few sites that take part in every round, several local steps",
                       "two models each way; a model at each site and at the server", "Karimireddy et al. 2020, arXiv:1910.06378"),
    "feddyn": Advice("site", "as scaffold, with long rounds and no bytes to spare; set alpha",
                     "a model at each site and at the server", "Acar et al. 2021, arXiv:2111.04263"),
    "moon": Advice("site", "label skew and long rounds, in networks whose features drift apart",
                   "two more forward passes a step; a model at each site", "Li et al. 2021, arXiv:2103.16257"),
    "fedbn": Advice("personal", "scanners differ (feature shift); networks with batch norm",
                    "fewer bytes: norm layers stay at their site", "Li et al. 2021, arXiv:2102.07623"),
    "fedper": Advice("personal", "hospitals label differently or see other mixtures of classes: a head each",
                     "fewer bytes: the head stays at its site", "Arivazhagan et al. 2019, arXiv:1912.00818"),
    "fedrep": Advice("personal", "as fedper, with heads that fit the shared body before it moves",
                     "fewer bytes: the head stays at its site", "Collins et al. 2021, arXiv:2102.07078"),
    "ditto": Advice("personal", "a global model and one for each hospital are both wanted; set pull",
                    "a second training a round; a model at each site", "Li et al. 2021, arXiv:2012.04221"),
    "apfl": Advice("personal", "it is not known how much each hospital should trust the others",
                   "a second gradient a batch; a model at each site", "Deng et al. 2020, arXiv:2003.13461"),
    "finetune": Advice("personal", "the plainest personal model, which the others must beat; set after",
                       "fewer bytes: nothing is sent after that round; a model at each site", "Yu et al. 2020, arXiv:2002.04758"),
    "perfedavg": Advice("personal", "hospitals that join later shall adapt the model in a few steps",
                        "half the steps for the same images; a few steps before each evaluation", "Fallah et al. 2020, arXiv:2002.07948"),
}

# Settings that act like algorithms and go with every strategy, written as for --set.
OPTIONS: Mapping[str, Advice] = {
    "recipe.single_step=true": Advice("site", "label skew: sites cannot drift, every round is one step on all their batches",
                                      "rounds are steps: with fedmuon or fedadam few do, with fedavg many more",
                                      "FedSGD of McMahan et al. 2017, arXiv:1602.05629"),
    "recipe.label_skew=restricted": Advice("site", "sites lack classes: absent ones are pushed down less", "none",
                                           "Li & Zhan 2021, doi:10.1145/3447548.3467254"),
    "recipe.label_skew=calibrated": Advice("site", "sites hold classes in different numbers: rare ones get a larger margin", "none",
                                           "Zhang et al. 2022, arXiv:2209.00189"),
    "recipe.label_skew=balanced": Advice("site", "sites hold other mixtures than the whole: each learns as if it were even", "none",
                                         "Ren et al. 2020, arXiv:2007.10740"),
    "recipe.mixup=0.2": Advice("site", "small sites that learn their images by heart", "none", "Zhang et al. 2018, arXiv:1710.09412"),
    "rounds.average=swa": Advice("server", "the global model jumps from round to round near the end", "a model at the server",
                                 "Izmailov et al. 2018, arXiv:1803.05407"),
    "rounds.average=ema": Advice("server", "as swa, where the number of rounds is not known before", "a model at the server",
                                 "Kingma & Ba 2015, section 7.2, arXiv:1412.6980"),
    "exchange.updates=float16": Advice("site", "a slow network: numbers are rounded to three digits", "half the bytes up",
                                       "IEEE 754, binary16"),
    "exchange.updates=int8": Advice("site", "a slower one: unbiased rounding to eight bits", "a quarter of the bytes up",
                                    "Alistarh et al. 2017, arXiv:1610.02132"),
    "exchange.updates=top-k": Advice("site", "a very slow network; what is left out is sent later",
                                     "1 % of the bytes up with top_share=0.01; a model at each site",
                                     "Stich et al. 2018, arXiv:1809.07599"),
    'model.share=["*"]': Advice("site", "pretrained networks: name the layers to train, the others stay as they are",
                                "fewer bytes: frozen layers are not sent", "transfer learning: docs/plans.md"),
    "model.norm=frozen": Advice("site", "pretrained networks with batch norm, where sites lack classes", "none", "models/norms.py"),
    "data.harmonise=site": Advice("site", "scanners differ in brightness and contrast", "two numbers of each site, once",
                                  "mean and deviation: data/harmonise.py"),
    "data.harmonise=percentiles": Advice("site", "scanners differ in more than that, e.g. in gamma", "eleven numbers of each site, once",
                                         "Nyul et al. 2000, doi:10.1109/42.836373"),
}


def advice(name: str) -> Advice:
    """What is said of a strategy; of one that another package brought along the first line of its docstring."""
    if name in ADVICE:
        return ADVICE[name]
    lines = (STRATEGIES.find(name).__doc__ or "").strip().splitlines()
    return Advice("plug-in", lines[0] if lines else "", "", "")
