"""A network defined in Keras 3, trained by three hospitals. Under a minute: python examples/keras_model.py

Needs Keras (pip install 'wardround[keras]'). Keras runs on torch here: wardround sees to it unless Keras was imported before.
"""

import tempfile
from pathlib import Path
from typing import Any

import wardround as wr


def build(*, in_channels: int, num_outputs: int, size: int, width: int = 16) -> Any:
    """The plan calls it "keras_model.py:build"; wardround gives these keywords, the plan may give further ones.

    The last layer has no activation: the loss applies softmax."""
    from keras import Sequential, layers

    blocks = [layer for channels in (width, 2 * width, 4 * width) for layer in (
        layers.Conv2D(channels, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.8),  # Keras' 0.99 is too slow for the few batches of a round
        layers.ReLU(), layers.MaxPooling2D())]
    return Sequential([layers.Input((size, size, in_channels)), *blocks, layers.GlobalAveragePooling2D(), layers.Dropout(0.2),
                       layers.Dense(num_outputs)])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        plan = wr.Plan.model_validate({"name": "keras", "data": {"dataset": "brain-tumour-mri", "size": 32, "phantoms": 600},
                                       "model": {"name": f"{__file__}:build"}, "rounds": {"num": 10},
                                       "recipe": {"optimizer": "adam", "lr": 0.003, "local_epochs": 2, "batch_size": 16}})
        run = wr.run(plan, out=Path(folder) / "runs")
        print("On phantoms:", {name: round(found["value"], 3) for name, found in run.scores()["metrics"].items()})
