import pytest
import torch

from wardround.errors import PlanError
from wardround.models.densenet import densenet121


def test_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        model = densenet121(in_channels=3, num_outputs=1000, size=224)
    assert sum(parameter.numel() for parameter in model.parameters()) == 7_978_856


def test_smallest_image_gives_one_number_for_each_class() -> None:
    model = densenet121(in_channels=1, num_outputs=3, size=32, growth=4).eval()
    assert model(torch.zeros(2, 1, 32, 32)).shape == (2, 3)


def test_dropout_acts_in_training_only() -> None:
    model = densenet121(in_channels=1, num_outputs=3, size=32, growth=4, dropout=0.5)
    batch = torch.ones(2, 1, 32, 32)
    assert not torch.equal(model.train()(batch), model(batch))
    assert torch.equal(model.eval()(batch), model(batch))


@pytest.mark.parametrize(("arguments", "said"), [
    ({"size": 28}, "at least 32 px"), ({"growth": 5}, "model.growth"), ({"dropout": 1.0}, "model.dropout"),
])
def test_impossible_values_name_the_setting(arguments: dict[str, float], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        densenet121(**({"in_channels": 1, "num_outputs": 3, "size": 64} | arguments))
