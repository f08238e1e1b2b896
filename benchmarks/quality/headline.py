"""The headline studies: real images at 64 px and a ResNet-18, where quality against rounds and skew is measured. Data only.

Every method passes over a site's images equally often. Settings of FedAvg were chosen on validation images as carefully as those of the
others: the rows of one seed beside its headline row are what was tried.
"""

from __future__ import annotations

from design import Method, Partition, Study

FAST = ("engine.precision=bf16", "engine.layout=contiguous")
PASSES, ROUNDS = 20, 160


def rounds(num: int, passes: float = PASSES, evaluations: int = 20) -> tuple[str, ...]:
    """So many rounds for all passes, of equal length."""
    return (f"rounds.num={num}", f"recipe.local_epochs={passes / num}", "recipe.local_steps=none",
            f"rounds.evaluate_every={max(1, num // evaluations)}")


def fedavg(name: str, num: int, *further: str, seeds: int = 1) -> Method:
    """Local SGD with momentum, which stays at the sites."""
    return Method(name=name, family="fedavg", seeds=seeds, overrides=(*rounds(num), *further))


def fedmuon(name: str, num: int, *further: str, seeds: int = 1) -> Method:
    """One step a round, of the mean gradient; Muon at the server."""
    return Method(name=name, family="fedmuon", seeds=seeds, overrides=(*rounds(num), *MUON, *further))


def other(name: str, *overrides: str, num: int = ROUNDS, seeds: int = 1) -> Method:
    return Method(name=name, seeds=seeds, overrides=(*rounds(num), *overrides))


HIGH = ("recipe.lr=0.15",)
SINGLE = ("recipe.single_step=true", "recipe.momentum=0", "recipe.keep_optimizer=false", "recipe.weight_decay=0")
PLAIN = ("recipe.momentum=0", "recipe.keep_optimizer=false", "recipe.lr=0.3")  # the papers' SGD; its rate makes up for the momentum
ADAM = (*SINGLE, "recipe.lr=1", "strategy.server_lr=0.003", "strategy.tau=1e-4")
MUON = (*SINGLE, "strategy.name=fedmuon")
POOLED_MUON = Method(name="pooled-muon", arm="pooled", overrides=(*rounds(ROUNDS), *MUON))  # what the best optimiser makes of all images
POOLED = Method(name="pooled", arm="pooled", overrides=(*rounds(80), "recipe.batch_size=48", "recipe.lr=0.07"))
EIGHT = ("sites.num=8", "sites.names=none", "sites.partition=dirichlet")

BRAIN = Study(
    name="brain64", title="Brain MRI, 64 px, ResNet-18 of quarter width (0.7 million parameters), from scratch", seeds=3,
    plan="brain.toml", folder="brain_tumor_mri", metric="balanced_accuracy",
    overrides=("model.width=0.25", "recipe.lr=0.05", "recipe.warmup=0.05", *FAST),
    partitions=(
        Partition(name="missing-classes", title="3 sites, each without two of the three tumour types", overrides=(), methods=(
            POOLED, POOLED_MUON,
            fedavg("fedavg", ROUNDS, seeds=3), fedmuon("fedmuon", ROUNDS, seeds=3),
            fedavg("fedavg-fresh-momentum", ROUNDS, "recipe.keep_optimizer=false"),
            fedavg("fedavg-high-rate", ROUNDS, *HIGH),
            other("fedavg-single-step", "recipe.single_step=true", "recipe.lr=0.15"),
            other("fedadam-single-step", *ADAM, "strategy.name=fedadam"),
            other("scaffold", *PLAIN, "strategy.name=scaffold", "strategy.by_examples=true"),
            other("fedavg-restricted", "recipe.label_skew=restricted"), other("fedavg-balanced", "recipe.label_skew=balanced"),
            fedavg("fedavg-10-rounds", 10), fedavg("fedavg-40-rounds", 40), fedavg("fedavg-1740-rounds", 1740, "recipe.lr=0.07"),
            fedmuon("fedmuon-20-rounds", 20), fedmuon("fedmuon-40-rounds", 40),
            fedmuon("fedmuon-640-rounds", 640, "strategy.server_lr=0.03"),
            Method(name="local", arm="local", seeds=1, overrides=rounds(80)),
        )),
        *(Partition(name=f"dirichlet-{alpha}", title=f"8 sites, Dirichlet {alpha}", overrides=(*EIGHT, f"sites.alpha={alpha}"), methods=(
            POOLED, POOLED_MUON, fedavg("fedavg", ROUNDS, seeds=3), fedmuon("fedmuon", ROUNDS, seeds=3),
            *((fedavg("fedavg-high-rate", ROUNDS, *HIGH), other("fedprox", "strategy.name=fedprox", "strategy.mu=0.01"),
               other("scaffold", *PLAIN, "strategy.name=scaffold", "strategy.by_examples=true")) if alpha == 0.1 else ()),
        )) for alpha in (0.1, 0.3, 0.5)),
        Partition(name="iid", title="5 sites, IID", overrides=("sites.num=5", "sites.names=none", "sites.partition=iid"), methods=(
            POOLED, POOLED_MUON, fedavg("fedavg", ROUNDS, seeds=3), fedmuon("fedmuon", ROUNDS, seeds=3),
            fedavg("fedavg-high-rate", ROUNDS, *HIGH), fedavg("fedavg-20-rounds", 20, *HIGH),
        )),
    ),
)

FEW = 6  # passes, as the pooled network that reaches 0.966 takes
FROZEN = ("model.norm=frozen",)
PRETRAINED = Study(
    name="brain96-pretrained", title="Brain MRI, 96 px, EfficientNet-Lite0 pretrained on ImageNet", seeds=1,
    plan="brain.toml", folder="brain_tumor_mri", metric="balanced_accuracy",
    overrides=("model.name=efficientnet-lite0", "model.weights=imagenet", "model.norm=batch", "model.stem=none", "model.width=none",
               "data.size=96", "recipe.lr=0.02", "recipe.warmup=0.1", "recipe.batch_size=16", *FAST),
    partitions=(
        Partition(name="missing-classes", title="3 sites, each without two of the three tumour types", overrides=(), methods=(
            Method(name="pooled", arm="pooled", overrides=(*rounds(24, FEW), "recipe.batch_size=32")),
            Method(name="fedavg", family="fedavg", overrides=rounds(ROUNDS, FEW)),
            Method(name="fedavg-frozen-norm", family="fedavg-frozen-norm", overrides=(*rounds(ROUNDS, FEW), *FROZEN)),
            Method(name="fedadam-single-step", family="fedadam",
                   overrides=(*rounds(ROUNDS, FEW), *SINGLE, *FROZEN, "strategy.name=fedadam", "recipe.lr=1",
                              "strategy.server_lr=0.0005", "strategy.tau=1e-5")),
            Method(name="fedmuon", family="fedmuon",
                   overrides=(*rounds(ROUNDS, FEW), *SINGLE, *FROZEN, "strategy.name=fedmuon", "strategy.server_lr=0.015",
                              "strategy.vector_lr=0.001")),
        )),
    ),
)

CHEST = Study(
    name="chest64", title="Chest X-rays of children (Kermany), 64 px, ResNet-18 of quarter width, from scratch", seeds=1,
    plan="chest.toml", folder="chest_xray", metric="auroc",
    overrides=("model.width=0.25", "recipe.lr=0.05", "recipe.warmup=0.05", *FAST),
    partitions=(
        Partition(name="iid", title="5 sites, IID", overrides=("sites.partition=iid",), methods=(
            POOLED, fedavg("fedavg", ROUNDS), fedmuon("fedmuon", ROUNDS))),
        Partition(name="dirichlet-0.3", title="5 sites, Dirichlet 0.3", overrides=("sites.partition=dirichlet", "sites.alpha=0.3"),
                  methods=(POOLED, fedavg("fedavg", ROUNDS), fedmuon("fedmuon", ROUNDS))),
    ),
)


def small(name: str, *overrides: str) -> Method:
    return Method(name=name, overrides=overrides)


SMALL_POOLED = Method(name="pooled", arm="pooled")
FIVE = ("sites.num=5", "sites.names=none")
SCANNERS = Study(
    name="brain48-five", title="Brain MRI, 48 px, a CNN of 0.07 million parameters, five sites", seeds=3,
    plan="brain.toml", folder="brain_tumor_mri", metric="balanced_accuracy",
    overrides=("data.size=48", "model.name=cnn", "model.width=16", "model.stem=none", "recipe.lr=0.05", *rounds(60, 15),
               *FAST),
    partitions=(
        Partition(name="feature-shift", title="each site's own simulated scanner, strength 1", methods=(
            SMALL_POOLED, small("fedavg"), small("fedavg-harmonise-site", "data.harmonise=site"),
            small("fedavg-harmonise-percentiles", "data.harmonise=percentiles"), small("fedavg-batch-norm", "model.norm=batch"),
            small("fedbn-batch-norm", "strategy.name=fedbn", "model.norm=batch"), small("fedbn", "strategy.name=fedbn"),
            small("ditto", "strategy.name=ditto")),
                  overrides=(*FIVE, "sites.partition=feature-shift", "sites.strength=1")),
        Partition(name="iid", title="IID, for updates that travel compressed", methods=(
            SMALL_POOLED, small("fedavg"), small("fedavg-int8", "exchange.updates=int8"), small("fedavg-top-k", "exchange.updates=top-k"),
            small("fedavg-top-k-3.5", "exchange.updates=top-k", "exchange.top_share=0.035")),
                  overrides=(*FIVE, "sites.partition=iid")),
    ),
)
GLIOMA = Study(
    name="lgg128", title="Lower-grade glioma, 128 px, a U-Net of 0.4 million parameters", plan="lgg.toml", folder="lgg_mri_segmentation",
    metric="dice", overrides=FAST,
    partitions=(Partition(name="hospitals", title="the three hospitals as they were", overrides=("sites.partition=column",), methods=(
        Method(name="pooled", arm="pooled"), Method(name="fedavg", family="fedavg"),
        fedmuon("fedmuon", ROUNDS, "recipe.local_epochs=0.375", "recipe.optimizer=sgd", "recipe.clip_norm=none"))),),
)
HEADLINE = (BRAIN, PRETRAINED, SCANNERS, CHEST, GLIOMA)
