"""What the page Plan says of settings: numbers as docs/plans.md explains them (a test holds both equal), values with their uses.

Networks, strategies and settings that act like them are told by models/advice.py and strategies/advice.py.
"""

from __future__ import annotations

from collections.abc import Mapping

NAMES: Mapping[str, str] = {  # key -> what it is called on the page
    "model.name": "Network", "model.norm": "Normalisation", "model.weights": "First weights",
    "recipe.optimizer": "Optimiser", "recipe.lr": "Learning rate", "recipe.schedule": "Schedule", "recipe.warmup": "Warm-up",
    "recipe.momentum": "Momentum", "recipe.weight_decay": "Weight decay", "recipe.keep_optimizer": "Keep the momentum",
    "recipe.batch_size": "Batch size", "recipe.local_epochs": "Local epochs", "recipe.local_steps": "Local steps",
    "recipe.single_step": "One step a round", "recipe.clip_norm": "Gradient bound", "recipe.loss": "Loss",
    "recipe.class_weights": "Class weights", "recipe.label_skew": "Label skew", "recipe.label_smoothing": "Label smoothing",
    "recipe.mixup": "Mixup", "augment.flip": "Flip", "augment.rotate_deg": "Rotate", "augment.scale": "Scale", "augment.shift": "Shift",
    "augment.intensity": "Intensity", "rounds.num": "Rounds", "rounds.evaluate_every": "Evaluate every", "rounds.patience": "Patience",
    "rounds.metric": "Metric", "rounds.average": "Average", "cohort.fraction": "Share of sites", "cohort.min_sites": "Least sites",
    "strategy.name": "Strategy", "exchange.updates": "Updates travel as", "exchange.top_share": "Share sent",
    "aggregation.rule": "Rule", "aggregation.attackers": "Malicious sites", "aggregation.weights": "Sites count",
    "aggregation.root": "Trusted site", "aggregation.secure": "Secure aggregation", "privacy.unit": "What is hidden",
    "privacy.epsilon": "Epsilon", "privacy.noise_multiplier": "Noise", "privacy.clip_norm": "Clip norm",
    "privacy.images_per_patient": "Images a patient",
}

EXPLAINED: Mapping[str, str] = {  # of numbers and switches
    "recipe.lr": "learning rate before the schedule",
    "recipe.momentum": "of sgd; the first beta of adam and adamw",
    "recipe.weight_decay": "draws all numbers towards 0; 5e-4 is usual for pictures",
    "recipe.keep_optimizer": "momentum stays at the site from round to round; needed when rounds are a few steps",
    "recipe.batch_size": "images a step",
    "recipe.local_epochs": "passes over the site's images in a round; 0.1 is a tenth of them",
    "recipe.local_steps": "instead of local_epochs: so many batches",
    "recipe.warmup": "share of the rounds in which the rate rises linearly",
    "recipe.clip_norm": "L2 bound of a step's gradient",
    "recipe.label_smoothing": "share of a label that is spread over all classes; 0.05 makes probabilities less sure of themselves",
    "augment.flip": "left-right; only where anatomy allows: a mirrored chest has its heart on the wrong side",
    "augment.rotate_deg": "degrees, uniform in plus or minus this",
    "augment.scale": "uniform in 1 plus or minus this",
    "augment.shift": "share of height and width, uniform in plus or minus this",
    "augment.intensity": "brightness and contrast, uniform in plus or minus this",
    "rounds.num": "rounds at most",
    "rounds.evaluate_every": "rounds between evaluations on validation images; the last round is always evaluated",
    "rounds.patience": "evaluations without a better one before the run stops; none: never early",
    "cohort.fraction": "share of sites asked each round",
    "cohort.min_sites": "fewer replies stop the run, which can be resumed; a study over a network waits until so many are back",
    "exchange.top_share": "top-k: share of the numbers that are sent",
    "aggregation.attackers": "f: how many of the sites that answer in a round may be malicious; required by all rules but mean, norm-bound "
                             "and fltrust. Fewer sites than the rule needs are refused, and so is a cohort.min_sites below that number",
    "aggregation.secure": "secure aggregation: the server sees the masked sum of at least three sites and no single update",
    "privacy.epsilon": "budget of the whole run, resumed rounds included; a site stops before it is passed",
    "privacy.noise_multiplier": "standard deviation of the noise by clip_norm; none: the least with which all rounds fit into epsilon",
    "privacy.clip_norm": "L2 bound: of a unit's gradient in a step, or of a site's change in a round",
    "privacy.images_per_patient": "patient: so many of a patient's images, drawn anew for each step, make its gradient",
}

Use = tuple[str, str, str]  # use when, costs, source

USES: Mapping[str, Mapping[str, Use]] = {  # key -> value -> its use; the page offers them in this order
    "model.norm": {
        "group": ("hospitals differ: it needs no statistics of other images, and goes with privacy", "", "Wu & He 2018, arXiv:1803.08494"),
        "batch": ("pretrained weights, and hospitals that see alike patients", "not with privacy or secure sums; statistics travel too",
                  "Ioffe & Szegedy 2015, arXiv:1502.03167"),
        "instance": ("scanners differ in brightness and contrast", "forgets how bright an image is",
                     "Ulyanov et al. 2016, arXiv:1607.08022"),
        "frozen": ("pretrained networks with batch norm, where sites lack classes", "needs first weights", "models/norms.py"),
    },
    "model.weights": {
        "": ("there is no network that has learnt on like images, or training shall begin from nothing", "more rounds", ""),
        "imagenet": ("few images: the network has seen everyday photographs", "downloaded once, or from wardround[pretrained]",
                     "transfer learning: docs/plans.md"),
    },
    "recipe.optimizer": {
        "sgd": ("first: with momentum it generalises well and remembers little", "its rate must be tuned", "Sutskever et al. 2013, ICML"),
        "adam": ("networks that draw masks, and where no rate of sgd works; lr about 0.001", "two more models' memory at a site",
                 "Kingma & Ba 2015, arXiv:1412.6980"),
        "adamw": ("as adam, with weight decay that acts the same on all numbers", "two more models' memory at a site",
                  "Loshchilov & Hutter 2019, arXiv:1711.05101"),
    },
    "recipe.schedule": {
        "constant": ("short runs, or rounds whose number is not known before", "", ""),
        "cosine": ("the number of rounds is fixed: the last ones are small steps", "too early an end leaves it half done",
                   "Loshchilov & Hutter 2017, arXiv:1608.03983"),
        "step": ("a published recipe asks for drops at set rounds", "two more numbers to choose", "He et al. 2016, arXiv:1512.03385"),
    },
    "recipe.loss": {
        "cross_entropy": ("one class an image, or masks", "", ""),
        "binary_cross_entropy": ("several findings an image", "", ""),
        "focal": ("rare classes drown in easy images; set focal_gamma", "probabilities need calibration",
                  "Lin et al. 2017, arXiv:1708.02002"),
        "smooth_l1": ("a published study used it; else cross_entropy", "small gradients where the model is wrong",
                      "Girshick 2015, arXiv:1504.08083"),
        "dice_cross_entropy": ("masks of something small: overlap counts, not the number of pixels", "", "Isensee et al. 2021, nnU-Net"),
    },
    "recipe.class_weights": {
        "none": ("classes are about equally frequent, or only the order of cases matters (AUROC)", "", ""),
        "balanced": ("rare classes matter as much as frequent ones", "sites tell exact counts of each class", "training/losses.py"),
    },
    "recipe.label_skew": {"none": ("sites see like mixtures of classes", "", "")},  # others: strategies/advice.py
    "rounds.metric": {
        "balanced_accuracy": ("one class an image: each class counts alike", "", ""),
        "auroc": ("findings that are ranked or detected, at any threshold", "", ""),
        "accuracy": ("classes are equally frequent", "a rare class hardly counts", ""),
        "dice": ("masks", "", ""),
        "loss": ("probabilities must be right, not only the class", "", ""),
    },
    "rounds.average": {"none": ("first: the global model as it is", "", "")},
    "exchange.updates": {"float32": ("bytes do not matter, or updates are masked", "", "")},
    "aggregation.rule": {
        "mean": ("every site can be trusted", "one site that cannot be moves it wherever it likes",
                 "McMahan et al. 2017, arXiv:1602.05629"),
        "nnm-trimmed": ("some sites may be malicious or broken: the first to try, also where sites' images differ", "n >= 2f + 1 sites",
                        "Allouah et al. 2023, arXiv:2302.01772"),
        "median": ("as nnm-trimmed, plainer; sites see alike patients", "n >= 2f + 1 sites", "Yin et al. 2018, arXiv:1803.01498"),
        "trimmed-mean": ("as median, with less lost where fewer are feared", "n >= 2f + 1 sites", "Yin et al. 2018, arXiv:1803.01498"),
        "geometric-median": ("far updates are feared, of any direction", "n >= 2f + 1 sites", "Pillutla et al. 2019, arXiv:1912.13445"),
        "centred-clipping": ("many rounds in which small harm could add up", "n >= 2f + 1 sites",
                             "Karimireddy et al. 2021, arXiv:2012.10333"),
        "multi-krum": ("malicious updates stand apart as a whole", "n >= 2f + 3 sites; leaves out what is rare",
                       "Blanchard et al. 2017, NeurIPS"),
        "krum": ("to compare with: one site's update is taken", "n >= 2f + 3 sites; the slowest", "Blanchard et al. 2017, NeurIPS"),
        "bulyan": ("harm hidden in few numbers; many sites", "n >= 4f + 3 sites", "El Mhamdi et al. 2018, arXiv:1802.07927"),
        "norm-bound": ("each site's influence shall be limited, with no number of attackers in mind", "backdoors pass",
                       "Sun et al. 2019, arXiv:1911.07963"),
        "fltrust": ("one site's images are vouched for", "whoever controls that site controls the model",
                    "Cao et al. 2021, arXiv:2012.13995"),
    },
    "aggregation.weights": {
        "examples": ("the global model shall serve all patients alike", "large sites decide", "McMahan et al. 2017, arXiv:1602.05629"),
        "equal": ("every hospital shall count alike, or whole sites are hidden", "noisy where a site has few images", ""),
    },
    "privacy.unit": {
        "none": ("images stay at their site, and that is enough", "a model can still tell of single patients: wardround audit", ""),
        "patient": ("the model must not tell whether a patient took part", "quality, and time: a gradient for each patient",
                    "Abadi et al. 2016, arXiv:1607.00133"),
        "image": ("each patient has one image", "a patient with several images is hidden less", "Abadi et al. 2016, arXiv:1607.00133"),
        "site": ("it must not be told whether a hospital took part; many sites", "much quality with few sites",
                 "McMahan et al. 2018, arXiv:1710.06963"),
    },
}
