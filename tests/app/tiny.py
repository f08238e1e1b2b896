"""A plan made small, whose comparison takes seconds, and one that trains until it is stopped."""

TINY = ["data.phantoms=120", "data.size=16", "rounds.num=3", "evaluation.resamples=100", "engine.workers=2", "engine.precision=fp32",
        "engine.layout=contiguous"]

LONG = """name = "long"
[data]
dataset = "brain-tumour-mri"
phantoms = 60
size = 16
[sites]
num = 2
names = ["north", "south"]
[rounds]
num = 5000
evaluate_every = 1000
checkpoint_every_s = 0.0
[evaluation]
resamples = 100
[engine]
workers = 1
precision = "fp32"
layout = "contiguous"
"""
