"""Networks by name: MODELS.find(name)(in_channels=, num_outputs=, size=, **arguments) -> nn.Module."""

from wardround.lookup import Names

MODELS = Names("model", {
    "cnn": "wardround.models.cnn:build",
    "resnet18": "wardround.models.resnet:resnet18",
    "resnet34": "wardround.models.resnet:resnet34",
    "resnet50": "wardround.models.resnet:resnet50",
    "densenet121": "wardround.models.densenet:densenet121",
}, group="wardround.models")
