import numpy as np
import pytest

from wardround.data.phantoms import tissue
from wardround.data.phantoms.tissue import Brain, Space, axis, blob, clouds
from wardround.rng import stream

SPACE = Space(z=axis(26, 156), y=axis(40, 240), x=axis(40, 240))  # 6 mm


@pytest.fixture(scope="module")
def brains() -> list[Brain]:
    return [tissue.brain(stream("tissue", i), SPACE) for i in range(6)]


def test_voxels_fill_the_width_around_zero():
    assert axis(4, 12).tolist() == [-4.5, -1.5, 1.5, 4.5]


def test_the_surface_of_a_blob_is_zero_at_its_half_axes_and_positive_inside():
    x, y, z = (np.array(values, dtype=np.float32) for values in ([10, 0, 0, 0, 20], [0, 20, 0, 0, 0], [0, 0, 30, 0, 0]))
    assert blob(x, y, z, (0, 0, 0), (10, 20, 30)) == pytest.approx([0, 0, 0, 10, -10], abs=1e-5)


@pytest.mark.parametrize("octaves", [1, 2])
def test_noise_has_mean_0_and_deviation_1(octaves: int):
    noise = np.stack([clouds(stream(octaves, i), SPACE, 20, octaves=octaves) for i in range(8)])
    assert abs(noise.mean()) < 0.1
    assert noise.std() == pytest.approx(1, abs=0.08)


def test_noise_is_smooth_over_a_hump_and_unrelated_far_away():
    noise = clouds(stream("smooth"), SPACE, 24)
    assert np.corrcoef(noise[:, :, 1:].ravel(), noise[:, :, :-1].ravel())[0, 1] > 0.8
    assert abs(np.corrcoef(noise[:, :, 16:].ravel(), noise[:, :, :-16].ravel())[0, 1]) < 0.2


def test_a_slab_shows_the_noise_of_the_whole_head():
    slab = Space(z=SPACE.z[10:12], y=SPACE.y, x=SPACE.x[3:9])
    assert np.array_equal(clouds(stream("slab"), slab, 15), clouds(stream("slab"), SPACE, 15)[10:12, :, 3:9])


def test_a_brain_has_the_volume_of_a_brain(brains: list[Brain]):
    litres = np.array([(brain.surface > 0).sum() * 6**3 / 1e6 for brain in brains])
    assert ((litres > 0.8) & (litres < 1.8)).all()


def test_no_two_brains_are_alike_nor_the_halves_of_one(brains: list[Brain]):
    insides = [brain.surface > 0 for brain in brains]
    assert not any(np.array_equal(a, b) for i, a in enumerate(insides) for b in insides[:i])
    assert not any(np.array_equal(inside, inside[:, :, ::-1]) for inside in insides)


def test_ventricles_lie_deep_and_hold_fluid(brains: list[Brain]):
    for brain in brains:
        assert brain.surface[brain.ventricles > 0].min() > 5
        assert brain.fluid[brain.ventricles > 2].min() > 0.8


def test_cortex_is_grey_and_depth_is_white(brains: list[Brain]):
    for brain in brains:
        outer = (brain.surface > 0) & (brain.surface < 3)
        deep = (brain.surface > 25) & (brain.z > 22)
        assert brain.grey[outer].mean() > brain.grey[deep].mean() + 0.4


def test_a_mass_pushes_the_midline_to_the_other_side():
    still, pushed = (tissue.brain(stream("mass"), SPACE, pushed=mass) for mass in (None, ((30.0, 0.0, 20.0), 15.0, 6.0)))
    near = (slice(16, 17), slice(19, 21), slice(19, 21))  # between the mass, on the right, and the midline
    assert (pushed.midline[near] > still.midline[near] + 1).all()  # what lay further right is here now
    assert np.array_equal(pushed.x, still.x)


def test_the_scalp_encloses_the_brain(brains: list[Brain]):
    for brain in brains:
        assert (tissue.head(brain)[brain.surface > 0] > 0).mean() > 0.995
