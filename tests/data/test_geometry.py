from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from wardround.data.geometry import prepared_volume, resampled
from wardround.data.readers.image import Image
from wardround.errors import ImageError
from wardround.rng import stream


def body(channels: int = 1, spacing: tuple[float, float, float] | None = (2.0, 1.0, 1.0)) -> Image:
    """12 x 10 x 8 voxels, 100..199 inside the box [3:9, 2:8, 1:6] and 0 outside."""
    pixels = np.zeros((channels, 12, 10, 8), np.int16)
    pixels[:, 3:9, 2:8, 1:6] = stream(0, "test", "body").integers(100, 200, (channels, 6, 6, 5))
    return Image(pixels=pixels, spacing_mm=spacing, orientation="RAS")


def test_the_box_of_what_is_not_zero_is_kept() -> None:
    volume, geometry = prepared_volume(body(2), spacing_mm=0)
    assert volume.shape == (2, 6, 6, 5)
    assert volume.dtype == np.float16
    assert (geometry.full, geometry.start, geometry.cropped) == ((12, 10, 8), (3, 2, 1), (6, 6, 5))
    assert geometry.spacing_mm == (2.0, 1.0, 1.0)


def test_a_voxel_of_any_channel_widens_the_box() -> None:
    image = body(2)
    image.pixels[1, 11, 0, 7] = 1
    assert prepared_volume(image, spacing_mm=0)[1].cropped == (9, 8, 7)


def test_an_empty_volume_is_kept_whole_and_zero() -> None:
    volume, geometry = prepared_volume(Image(pixels=np.zeros((1, 3, 4, 5), np.uint8)), spacing_mm=0)
    assert geometry.cropped == (3, 4, 5)
    assert not volume.any()


def test_each_channel_has_zero_mean_and_unit_variance_over_its_own_voxels() -> None:
    image = body(2)
    image.pixels[1, 3] = 0  # a slice that this channel lacks
    image.pixels[1] *= 7
    volume = prepared_volume(image, spacing_mm=0)[0].astype(np.float64)
    for channel, raw in zip(volume, image.pixels[:, 3:9, 2:8, 1:6], strict=True):
        assert channel[raw != 0].mean() == pytest.approx(0, abs=1e-3)
        assert channel[raw != 0].std() == pytest.approx(1, abs=1e-3)
        assert (channel[raw == 0] == 0).all()


def test_a_channel_of_one_value_becomes_zero() -> None:
    image = Image(pixels=np.full((1, 5, 5, 5), 1234.567, np.float32))
    assert np.abs(prepared_volume(image, spacing_mm=0)[0]).max() < 1e-2


def test_nan_and_inf_count_as_zero() -> None:
    image = replace(body(), pixels=body().pixels.astype(np.float32))
    image.pixels[0, 0, 0, 0], image.pixels[0, 5, 5, 3] = np.nan, np.inf
    volume, geometry = prepared_volume(image, spacing_mm=0)
    assert geometry.start == (3, 2, 1)
    assert volume[0, 2, 3, 2] == 0
    assert np.isfinite(volume).all()


def test_resampling_makes_cubes() -> None:
    volume, geometry = prepared_volume(body(), spacing_mm=1.5)
    assert volume.shape == (1, 8, 4, 3)  # 6 x 2 mm, 6 x 1 mm and 5 x 1 mm by 1.5 mm
    assert geometry.spacing_mm == pytest.approx((1.5, 1.5, 5 / 3))


@pytest.mark.parametrize("spacing", [None, (0.0, 1.0, 1.0), (float("nan"), 1.0, 1.0)])
def test_a_volume_of_unknown_spacing_is_left_as_it_is(spacing: tuple[float, float, float] | None) -> None:
    volume, geometry = prepared_volume(body(spacing=spacing), spacing_mm=1.5)
    assert volume.shape == (1, 6, 6, 5)
    assert geometry.spacing_mm is None


def test_a_shape_is_met_whatever_the_spacing() -> None:
    volume, geometry = prepared_volume(body(), spacing_mm=1.5, shape=(4, 8, 8))
    assert volume.shape == (1, 4, 8, 8)
    assert geometry.spacing_mm == pytest.approx((3.0, 0.75, 0.625))


def test_enlarging_is_trilinear() -> None:
    volume = torch.rand((5, 6, 7), generator=torch.Generator().manual_seed(0))
    plain = functional.interpolate(volume[None, None], (9, 11, 7), mode="trilinear")[0, 0]
    assert torch.allclose(resampled(volume, (9, 11, 7)), plain, atol=1e-5)


def test_shrinking_averages_instead_of_picking() -> None:
    stripes = torch.zeros(16, 4, 4)
    stripes[::4] = 1  # picking every fourth plane would give all or nothing
    assert torch.allclose(resampled(stripes, (4, 4, 4)), torch.tensor(0.25), atol=0.1)


def test_a_header_with_absurd_spacing_is_refused() -> None:
    with pytest.raises(ImageError, match=r"1e\+09 x 1 x 1 mm") as caught:
        prepared_volume(body(spacing=(1e9, 1.0, 1.0)), spacing_mm=1.0)
    assert caught.value.reason == "too_large"


def test_complex_voxels_are_refused() -> None:
    with pytest.raises(ImageError, match="complex64") as caught:
        prepared_volume(Image(pixels=np.ones((1, 2, 2, 2), np.complex64)), spacing_mm=0)
    assert caught.value.reason == "unsupported"


def test_labels_come_back_to_their_place_in_the_file() -> None:
    labels = stream(0, "test", "labels").integers(0, 4, (12, 10, 8), dtype=np.uint8)
    geometry = prepared_volume(body(), spacing_mm=0)[1]
    back = geometry.put_back(geometry.take(labels))
    assert np.array_equal(back[3:9, 2:8, 1:6], labels[3:9, 2:8, 1:6])
    assert back.sum() == labels[3:9, 2:8, 1:6].sum()
    assert back.dtype == np.uint8


def test_resampled_labels_come_back_with_about_their_volume_and_place() -> None:
    z, y, x = np.mgrid[:60, :60, :60]
    ball = ((z - 25) ** 2 + (y - 30) ** 2 + (x - 35) ** 2 < 15**2).astype(np.uint8)
    image = Image(pixels=np.ones((1, 60, 60, 60), np.uint8), spacing_mm=(1.0, 1.0, 1.0))
    geometry = prepared_volume(image, spacing_mm=1.7)[1]
    back = geometry.put_back(geometry.take(ball))
    assert 2 * (back & ball).sum() / (back.sum() + ball.sum()) > 0.93
    assert np.argwhere(back).mean(0) == pytest.approx([25, 30, 35], abs=0.3)


def test_only_volumes_with_an_orientation_are_turned_upright() -> None:
    planes = np.arange(6).reshape(1, 2, 3)
    geometry = prepared_volume(body(), spacing_mm=0)[1]
    assert geometry.upright(planes).tolist() == [[[5, 4, 3], [2, 1, 0]]]
    assert replace(geometry, orientation="").upright(planes) is planes
