"""A plan made small: a comparison of it takes seconds."""

TINY = ["data.phantoms=120", "data.size=16", "rounds.num=3", "evaluation.resamples=100", "engine.workers=2", "engine.precision=fp32",
        "engine.layout=contiguous"]
