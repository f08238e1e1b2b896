"""The studies of `make bench-quality`, data only: design.py says what the words mean, run.py runs the cells, tables.py judges them.

Within a partition every method passes over a site's images equally often and takes equally many steps for an image.
"""

from __future__ import annotations

from design import Method, Partition, Ranking, Study
from headline import FAST, HEADLINE


def schedule(passes: float, epochs: float) -> tuple[str, ...]:
    """Rounds of `epochs` passes over a site's images each, evaluated about once a pass."""
    return (f"rounds.num={round(passes / epochs)}", f"recipe.local_epochs={epochs}", "recipe.local_steps=none",
            f"rounds.evaluate_every={max(1, round(1 / epochs))}")


def strategy(name: str, *further: str) -> Method:
    return Method(name=name, overrides=(f"strategy.name={name}", *further))


def option(name: str, *overrides: str) -> Method:
    """FedAvg with options of the recipe, the rounds or the exchange."""
    return Method(name=f"fedavg-{name}", overrides=overrides)


def long_tail(passes: int, epochs: float, num_sites: int) -> tuple[Method, ...]:
    """Every strategy and every option, each with settings that its paper or its docstring recommends; none is tuned to the data.

    cyclic asks one site a round, so it takes num_sites times the rounds. scaffold, feddyn and the server optimisers know no local
    momentum in their papers: they train with plain SGD, at a rate that makes up for it. fedmuon is
    made for single steps, so for rounds of a tenth of a pass."""
    rounds = round(passes / epochs)
    plain = ("recipe.momentum=0", "recipe.lr=0.2")
    return (
        Method(name="pooled", arm="pooled", overrides=schedule(passes, 0.5)),
        Method(name="local", arm="local"),
        Method(name="fedavg"),
        strategy("fedprox", "strategy.mu=0.1"),
        strategy("scaffold", *plain), strategy("feddyn", "strategy.alpha=0.1", *plain), strategy("moon"),
        strategy("fedavgm", "strategy.server_momentum=0.7", "strategy.server_lr=0.5"),
        strategy("fedadam", *plain), strategy("fedyogi", *plain), strategy("fedadagrad", "strategy.server_lr=0.03", *plain),
        strategy("fedmuon", *plain, "recipe.single_step=true", "recipe.weight_decay=0", *schedule(passes, 0.1)),
        strategy("fednova"), strategy("qfedavg", "strategy.q=0.5"), strategy("afl"),
        strategy("cyclic", f"rounds.num={rounds * num_sites}", f"rounds.evaluate_every={max(1, round(num_sites / epochs))}"),
        strategy("fedbn"), strategy("fedper"), strategy("fedrep"), strategy("ditto"), strategy("apfl"),
        strategy("finetune", f"strategy.after={rounds * 3 // 4}"), strategy("perfedavg"),
        *(option(skew, f"recipe.label_skew={skew}") for skew in ("restricted", "calibrated", "balanced")),
        option("mixup", "recipe.mixup=0.2"),
        *(option(average, f"rounds.average={average}") for average in ("swa", "ema")),
        *(option(form, f"exchange.updates={form}") for form in ("float16", "int8", "top-k")),
    )


IID = ("sites.partition=iid",)
DIRICHLET = ("sites.partition=dirichlet", "sites.alpha=0.1")

PNEUMONIAMNIST = Study(
    name="pneumoniamnist", title="PneumoniaMNIST, 28 px, a CNN of 0.07 million parameters", plan="pneumoniamnist.toml",
    folder="pneumoniamnist", metric="auroc", overrides=("model.width=16", *schedule(12, 0.5), *FAST),
    partitions=(
        Partition(name="iid", title="5 sites, IID", overrides=IID, methods=long_tail(12, 0.5, 5)),
        Partition(name="dirichlet-0.1", title="5 sites, Dirichlet 0.1", overrides=DIRICHLET, methods=long_tail(12, 0.5, 5)),
    ),
)
BRAIN48 = Study(
    name="brain48", title="Brain MRI, 48 px, a CNN of 0.07 million parameters", plan="brain.toml",
    folder="brain_tumor_mri", metric="balanced_accuracy",
    overrides=("data.size=48", "model.name=cnn", "model.width=16", "model.stem=none", "recipe.lr=0.05", "recipe.keep_optimizer=false",
               "recipe.batch_size=32", *schedule(8, 0.5), *FAST),
    partitions=(
        Partition(name="missing-classes", title="3 sites, each without two of the three tumour types",
                  overrides=schedule(8, 0.1), methods=long_tail(8, 0.1, 3)),
        Partition(name="dirichlet-0.1", title="8 sites, Dirichlet 0.1", methods=long_tail(8, 0.5, 8),
                  overrides=("sites.num=8", "sites.names=none", *DIRICHLET)),
    ),
)
LONG_TAIL = (PNEUMONIAMNIST, BRAIN48)
STUDIES = (*HEADLINE, *LONG_TAIL)

TOY = Study(  # a check of the machinery, in seconds: drawn images, chosen by its name only
    name="toy", title="Drawn images, 16 px", plan="pneumoniamnist.toml", folder="", metric="auroc", seeds=2,
    overrides=("data.size=16", "data.phantoms=120", "model.width=8", "recipe.batch_size=8", "sites.num=2", "evaluation.resamples=100",
               *schedule(2, 0.5)),
    partitions=(
        Partition(name="iid", title="2 sites, IID", overrides=IID, methods=(
            Method(name="pooled", arm="pooled"), Method(name="local", arm="local", seeds=1), Method(name="fedavg", family="fedavg"),
            Method(name="fedprox", seeds=1, overrides=("strategy.name=fedprox", "strategy.mu=0.01")),
            Method(name="fedavg-short", seeds=1, overrides=schedule(2, 0.25), family="fedavg"))),
        Partition(name="dirichlet-1", title="2 sites, Dirichlet 1", overrides=("sites.partition=dirichlet", "sites.alpha=1"), methods=(
            Method(name="pooled", arm="pooled"), Method(name="fedavg", family="fedavg"),
            Method(name="fedavg-short", seeds=1, overrides=schedule(2, 0.25), family="fedavg"))),
    ),
)

RANKINGS = (
    Ranking(study="brain48-five", partition="feature-shift", first="fedbn-batch-norm", relation=">", second="fedavg-batch-norm",
            source="Li et al. 2021 (arXiv:2102.07623)"),
    *(Ranking(study=study, partition="dirichlet-0.1", first="scaffold", relation=">", second=second,
              source="Karimireddy et al. 2020 (arXiv:1910.06378)")
      for study in ("pneumoniamnist", "brain48") for second in ("fedavg", "fedprox")),
    *(Ranking(study=study, partition="dirichlet-0.1", first="fedprox", relation="~", second="fedavg", source="Li et al. 2022, table 3 "
              "(arXiv:2102.02079)") for study in ("pneumoniamnist", "brain48")),
    *(Ranking(study="brain48", partition="missing-classes", first=first, relation="not >", second="fedavg",
              source="Li et al. 2022, two classes a site (arXiv:2102.02079)") for first in ("scaffold", "fednova")),
)
