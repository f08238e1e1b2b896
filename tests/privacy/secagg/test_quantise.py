import numpy as np
import pytest

from wardround.privacy.secagg import quantise as quantise_module
from wardround.privacy.secagg.faults import SecureError
from wardround.privacy.secagg.manifest import Manifest
from wardround.privacy.secagg.quantise import quantise, restore
from wardround.rng import stream


def manifest_of(size: int, num: int = 3, bound: float = 1.0, weighted: bool = False) -> Manifest:
    return Manifest.of("study", {f"s{k}": bytes([k]) * 32 for k in range(num)}, size=size, bound=bound, weighted=weighted)


def levels_of(values: list[float], manifest: Manifest, weight: int = 1, key: bytes = bytes(32)) -> np.ndarray:
    out = np.zeros(manifest.size, dtype=np.uint32)
    quantise(np.array(values, dtype=np.float32), weight, manifest, key, out)
    return out


def test_the_ends_and_the_middle_by_hand():
    manifest = manifest_of(3)  # 24 bits: 0 .. 16777215, and 0.0 lies between two of them
    low, high, middle = levels_of([-1.0, 1.0, 0.0], manifest)
    assert (low, high) == (0, 2**24 - 1) and middle in (2**23 - 1, 2**23)


def test_the_largest_number_does_not_overflow_whatever_is_drawn(monkeypatch):
    monkeypatch.setattr(quantise_module.KeyStream, "next", lambda stream, num: np.full(num, 2**32 - 1, dtype=np.uint32))
    assert levels_of([1.0, -1.0], manifest_of(2)).tolist() == [2**24 - 1, 0]


def test_a_weight_multiplies():
    manifest = manifest_of(2, weighted=True)
    assert levels_of([1.0, -1.0], manifest, weight=1023).tolist() == [1023 * (2**20 - 1), 0]


def test_rounding_is_right_on_average(fixed):
    manifest = manifest_of(40_000, num=50, weighted=True)  # 16 bits
    value = np.float32(0.3) * manifest.step
    middle = levels_of([value] * 40_000, manifest, key=fixed(32)).astype(float) - manifest.levels / 2
    share_up = 0.8  # 0.3 steps above 32767.5 is 32767.8
    assert abs((middle > 0).mean() - share_up) < 4 * (share_up * (1 - share_up) / 40_000) ** 0.5


@pytest.mark.parametrize("num", [3, 10, 50])
def test_the_mean_of_n_is_off_by_at_most_a_step_and_on_average_by_much_less(num, fixed):
    """Goal 9: at most step, on average step / sqrt(6 n) * 1.2."""
    manifest = manifest_of(20_000, num=num, weighted=True)
    vectors = stream("error", num).uniform(-1, 1, (num, 20_000)).astype(np.float32)
    total = np.zeros(20_000, dtype=np.uint32)
    for vector in vectors:
        out = np.zeros_like(total)
        quantise(vector, 1, manifest, fixed(32), out)
        total += out
    error = np.abs(restore(total, num, manifest) - vectors.astype(float).mean(axis=0))
    assert error.max() <= manifest.step
    assert error.mean() <= manifest.step / (6 * num) ** 0.5 * 1.2


def test_a_few_numbers_beyond_the_bound_are_clipped_and_counted():
    manifest = manifest_of(2000)
    vector = np.zeros(2000, dtype=np.float32)
    vector[:2] = 5, -5
    out = np.zeros(2000, dtype=np.uint32)
    assert quantise(vector, 1, manifest, bytes(32), out) == 2 / 2000
    assert out[:2].tolist() == [2**24 - 1, 0]
    vector[2] = 5
    with pytest.raises(SecureError, match=r"0.15% .*secure_range") as caught:
        quantise(vector, 1, manifest, bytes(32), out)
    assert caught.value.fault == "clipped"


def test_numbers_at_the_bound_as_float32_has_it_are_not_beyond_it():
    manifest = manifest_of(4, bound=0.1)
    assert float(np.float32(0.1)) > 0.1
    assert levels_of([0.1, 0.1, -0.1, -0.1], manifest).tolist() == [2**24 - 1, 2**24 - 1, 0, 0]


@pytest.mark.parametrize("vector", [np.zeros(3), np.zeros(4, np.float32), np.zeros((3, 1), np.float32), [0.0] * 3, np.zeros(3, np.int32),
                                    np.array([0, np.nan, 0], np.float32), np.array([0, 0, -np.inf], np.float32)])
def test_a_vector_of_wrong_shape_type_or_content_is_refused(vector):
    with pytest.raises(SecureError) as caught:
        quantise(vector, 1, manifest_of(3), bytes(32), np.zeros(3, dtype=np.uint32))
    assert caught.value.fault == "vector"


@pytest.mark.parametrize("weight", [0, -1, 1024, 1.5, True, 2**40])
def test_a_weight_that_would_overflow_is_an_error(weight):
    with pytest.raises(SecureError, match="overflow") as caught:
        quantise(np.zeros(3, np.float32), weight, manifest_of(3, weighted=True), bytes(32), np.zeros(3, dtype=np.uint32))
    assert caught.value.fault == "weight"


def test_without_weights_every_site_weighs_one():
    with pytest.raises(SecureError, match="from 1 to 1"):
        quantise(np.zeros(3, np.float32), 2, manifest_of(3), bytes(32), np.zeros(3, dtype=np.uint32))


def test_a_sum_that_no_sites_can_give_is_refused():
    manifest = manifest_of(1)
    assert restore(np.array([3 * manifest.levels], np.uint32), 3, manifest) == np.float32(1)
    with pytest.raises(SecureError) as caught:
        restore(np.array([3 * manifest.levels + 1], np.uint32), 3, manifest)
    assert caught.value.fault == "sum"
