import pytest
import torch
from torch import Tensor

from wardround.data.transforms import Augment, normalise
from wardround.plan.schema import AugmentPlan


def augment(batch: Tensor, *, seed: int = 0, **settings: object) -> Tensor:
    return Augment(AugmentPlan.model_validate(settings))(batch, torch.Generator().manual_seed(seed))


def blob(num: int = 64, size: int = 33, dx: int = 8) -> Tensor:
    """num images, black (-2) but for a white 3x3 square dx pixels right of the centre."""
    batch = torch.full((num, 1, size, size), -2.0)
    batch[:, :, size // 2 - 1 : size // 2 + 2, size // 2 + dx - 1 : size // 2 + dx + 2] = 2.0
    return batch


def centres(batch: Tensor) -> Tensor:
    """(B, 2): the centre of mass of what is not black, right and down of the image's centre, in pixels."""
    mass = batch[:, 0] + 2
    steps = torch.arange(batch.shape[-1]) - (batch.shape[-1] - 1) / 2
    total = mass.sum((1, 2))
    return torch.stack(((mass.sum(1) * steps).sum(1) / total, (mass.sum(2) * steps).sum(1) / total), dim=1)


def test_fixed_puts_black_at_minus_two_and_white_at_two() -> None:
    batch = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 1, 3)
    assert normalise(batch, "fixed").flatten().tolist() == pytest.approx([-2, -1.2, 2])


def test_image_has_zero_mean_and_unit_variance_for_each_image_apart() -> None:
    grey = (torch.arange(2 * 3 * 64) * 7 % 256).view(2, 3, 8, 8)
    grey[1] //= 8
    result = normalise(grey.to(torch.uint8), "image")
    assert result.mean((1, 2, 3)).tolist() == pytest.approx([0, 0], abs=1e-5)
    assert result.var((1, 2, 3), correction=0).tolist() == pytest.approx([1, 1], abs=1e-3)


def test_image_of_one_grey_value_becomes_zero_and_faint_noise_stays_bounded() -> None:
    batch = torch.full((2, 1, 16, 16), 200, dtype=torch.uint8)
    batch[1, 0, 0, 0] = 201
    result = normalise(batch, "image")
    assert result[0].abs().max() == 0
    assert result[1].abs().max() < 10


@pytest.mark.parametrize("how", ["fixed", "image"])
def test_normalise_leaves_the_cache_alone_and_gives_float32(how: str) -> None:
    batch = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8)
    result = normalise(batch, how)  # type: ignore[arg-type]
    assert result.dtype == torch.float32
    assert torch.equal(batch, torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8))


def test_all_settings_zero_is_the_batch_itself_and_draws_nothing() -> None:
    batch, generator = blob(), torch.Generator().manual_seed(3)
    before = generator.get_state()
    assert Augment(AugmentPlan())(batch, generator) is batch
    assert torch.equal(generator.get_state(), before)


ALL = {"flip": True, "rotate_deg": 10, "scale": 0.1, "shift": 0.1, "intensity": 0.1}


def test_same_stream_gives_the_same_batch_and_another_stream_another() -> None:
    assert torch.equal(augment(blob(), **ALL), augment(blob(), **ALL))
    assert not torch.equal(augment(blob(), **ALL), augment(blob(), seed=1, **ALL))


@pytest.mark.parametrize("setting", [{name: value} for name, value in ALL.items()])
def test_images_of_a_batch_change_differently_and_the_input_stays(setting: dict[str, object]) -> None:
    batch = blob()
    result = augment(batch, **setting)
    assert len(result.flatten(1).unique(dim=0)) > 1
    assert torch.equal(batch, blob())


def test_flip_mirrors_about_half_of_the_images_left_to_right() -> None:
    batch = torch.arange(35.0).view(1, 1, 5, 7).repeat(64, 1, 1, 1)
    result = augment(batch, flip=True)
    mirrored = torch.isclose(result, batch.flip(-1), atol=1e-4).flatten(1).all(1)
    kept = torch.isclose(result, batch, atol=1e-4).flatten(1).all(1)
    assert (mirrored ^ kept).all()
    assert 16 < mirrored.sum() < 48


def test_rotation_moves_along_a_circle_up_to_the_angle_on_both_sides() -> None:
    right, down = centres(augment(blob(), rotate_deg=30)).T
    assert torch.hypot(right, down).sub(8).abs().max() < 0.15
    degrees = torch.rad2deg(torch.atan2(down, right))
    assert -30.5 < degrees.min() < -20
    assert 20 < degrees.max() < 30.5


def test_rotation_keeps_circles_round_in_images_that_are_not_square() -> None:
    batch = torch.full((64, 1, 33, 65), -2.0)
    batch[:, :, 15:18, 39:42] = 2.0  # 8 px right of the centre
    mass = augment(batch, rotate_deg=90)[:, 0] + 2
    total = mass.sum((1, 2))
    right = (mass.sum(1) * (torch.arange(65) - 32)).sum(1) / total
    down = (mass.sum(2) * (torch.arange(33) - 16)).sum(1) / total
    assert torch.hypot(right, down).sub(8).abs().max() < 0.15


def test_scale_moves_away_from_and_towards_the_centre() -> None:
    right, down = centres(augment(blob(), scale=0.25)).T
    assert down.abs().max() < 0.05
    assert 5.9 < right.min() < 6.5
    assert 9.5 < right.max() < 10.1


def test_shift_is_a_share_of_height_and_width() -> None:
    moved = centres(augment(blob(dx=0, size=40), shift=0.2)) - centres(blob(dx=0, size=40))
    assert 7 < moved.abs().max() < 8.05
    assert (moved.min(0).values < -5).all() and (moved.max(0).values > 5).all()


def test_outside_the_image_the_edge_is_repeated() -> None:
    batch = torch.full((16, 1, 16, 16), 1.5)
    assert torch.allclose(augment(batch, shift=0.5, rotate_deg=45), batch, atol=1e-5)


def test_intensity_changes_brightness_and_contrast_of_an_image_as_a_whole() -> None:
    black, white = augment(blob(), intensity=0.1).flatten(1).aminmax(dim=1)
    contrast, brightness = (white - black) / 4, (white + black) / 2
    for found, middle in ((contrast, 1.0), (brightness, 0.0)):
        assert middle - 0.1 <= found.min() < middle - 0.05
        assert middle + 0.05 < found.max() <= middle + 0.1


def test_a_setting_does_not_change_what_the_others_draw() -> None:
    plain, flipped = augment(blob(dx=0), shift=0.2), augment(blob(dx=0), shift=0.2, flip=True)
    assert torch.allclose(centres(plain)[:, 1], centres(flipped)[:, 1], atol=1e-3)


def test_all_channels_of_an_image_move_together() -> None:
    result = augment(blob().repeat(1, 3, 1, 1), **ALL)
    assert torch.equal(result[:, 0], result[:, 2])
