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


# --- ImageNet's colours


def test_imagenet_is_by_channel_in_colour_and_by_the_mean_in_grey() -> None:
    white = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
    assert normalise(white, "imagenet")[0, :, 0, 0].tolist() == pytest.approx([0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225])
    assert normalise(white[:, :1], "imagenet").unique().tolist() == pytest.approx([(1 - 0.449) / 0.226])


# --- volumes


@pytest.mark.parametrize("how", ["fixed", "image", "imagenet"])
def test_floats_are_in_network_units_already(how: str) -> None:
    volumes = torch.randn(2, 1, 3, 4, 5).half()
    assert torch.equal(normalise(volumes, how), volumes.float())  # type: ignore[arg-type]


def test_all_slices_and_channels_of_a_volume_move_alike_and_volumes_apart() -> None:
    volumes = blob(6)[:, :, None].repeat(1, 2, 4, 1, 1)
    found = augment(volumes, **ALL)
    assert found.shape == volumes.shape
    assert torch.allclose(found, found[:, :1, :1].expand_as(found))
    assert len(found[:, 0, 0].flatten(1).unique(dim=0)) == 6


def test_a_volume_of_one_slice_changes_as_its_picture_does() -> None:
    assert torch.allclose(augment(blob()[:, :, None], **ALL)[:, :, 0], augment(blob(), **ALL))


# --- images with masks


def paired(images: Tensor, masks: Tensor, **settings: object) -> tuple[Tensor, Tensor]:
    changed, moved = Augment(AugmentPlan.model_validate(settings)).pair(images, masks, torch.Generator().manual_seed(0))
    assert moved is not None
    return changed, moved


def test_a_mask_moves_with_its_image_and_keeps_its_values() -> None:
    masks = 3 * (blob()[:, 0] > 0).long()
    changed, moved = paired(blob(), masks, flip=True, rotate_deg=30, scale=0.2, shift=0.1)
    assert moved.dtype == torch.int64
    assert set(moved.unique().tolist()) == {0, 3}
    own = torch.where(moved[:, None] == 3, 2.0, -2.0)
    assert (centres(own) - centres(changed)).abs().max() < 0.6
    assert torch.equal(changed, augment(blob(), flip=True, rotate_deg=30, scale=0.2, shift=0.1))


def test_high_class_numbers_survive() -> None:
    masks = (250 + torch.arange(5)).repeat(1, 5, 1)
    assert set(paired(torch.zeros(1, 1, 5, 5), masks, rotate_deg=20)[1].unique().tolist()) <= set(range(250, 255))


def test_brightness_leaves_the_mask() -> None:
    masks = (blob()[:, 0] > 0).long()
    changed, moved = paired(blob(), masks, intensity=0.3)
    assert torch.equal(moved, masks)
    assert not torch.equal(changed, blob())


def test_a_volume_s_mask_moves_in_its_planes() -> None:
    images = blob(8)[:, :, None].repeat(1, 1, 3, 1, 1)
    masks = (images[:, 0] > 0).long()
    masks[:, 2] = 0  # an empty slice stays empty
    changed, moved = paired(images, masks, flip=True, shift=0.2)
    assert moved.shape == masks.shape
    assert not moved[:, 2].any()
    assert torch.equal(moved[:, 0], moved[:, 1])
    assert ((changed[:, 0, 0] > 0) == (moved[:, 0] == 1)).float().mean() > 0.99


def test_with_all_settings_zero_image_and_mask_are_those_given() -> None:
    images, masks = blob(2), torch.ones(2, 33, 33, dtype=torch.int64)
    assert Augment(AugmentPlan()).pair(images, masks, torch.Generator()) == (images, masks)
