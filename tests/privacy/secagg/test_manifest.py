from dataclasses import replace

import pytest

from wardround.privacy.secagg.faults import SecureError
from wardround.privacy.secagg.manifest import Manifest, least_threshold


def keys_of(num: int) -> dict[str, bytes]:
    return {f"site-{k:03}": k.to_bytes(32, "little") for k in range(num)}


def manifest_of(num: int = 5, weighted: bool = True) -> Manifest:
    return Manifest.of("study", keys_of(num), size=7, bound=0.5, weighted=weighted)


@pytest.mark.parametrize(("num", "threshold"), [(3, 3), (4, 3), (5, 4), (10, 7), (20, 14), (50, 34)])
def test_the_threshold_is_two_thirds_and_one(num, threshold):
    assert least_threshold(num) == manifest_of(num).threshold == threshold
    assert 2 * threshold - num > (num - 1) // 3  # any two sets of survivors share an honest site while fewer than a third lie


@pytest.mark.parametrize(("num", "weighted", "bits"), [(3, False, 24), (50, False, 24), (256, False, 24), (3, True, 20), (4, True, 20),
                                                       (5, True, 19), (20, True, 17), (50, True, 16), (64, True, 16), (65, True, 15)])
def test_the_most_bits_that_fit_a_word_are_used(num, weighted, bits):
    manifest = manifest_of(num, weighted)
    assert manifest.bits == bits
    assert num * manifest.most_weight * manifest.levels < 2**32
    assert bits == 24 or num * manifest.most_weight * (2 * manifest.levels + 1) >= 2**31


@pytest.mark.parametrize("num", [0, 1, 2, 257])
def test_fewer_than_three_sites_or_too_many_are_refused(num):
    with pytest.raises(SecureError, match="3 to 256") as caught:
        manifest_of(num)
    assert caught.value.fault == "few-sites"


@pytest.mark.parametrize("change", [{"threshold": 3}, {"threshold": 6}, {"bits": 20}, {"bits": 7}, {"weight_bits": 11}, {"bound": 0.0},
                                    {"bound": float("nan")}, {"bound": float("inf")}, {"size": 0}, {"size": 2**31}])
def test_impossible_terms_are_refused(change):
    with pytest.raises(SecureError) as caught:
        replace(manifest_of(), **change)
    assert caught.value.fault == "manifest"


def test_one_key_for_two_sites_is_refused():
    with pytest.raises(SecureError) as caught:
        Manifest.of("study", keys_of(3) | {"site-003": bytes(32)}, size=7, bound=0.5, weighted=True)
    assert caught.value.fault == "same-key"


def test_a_manifest_reads_back_as_it_was_and_any_change_changes_its_digest():
    manifest = manifest_of()
    assert Manifest.read(manifest.to_bytes()) == manifest
    changes = [{"study": "other"}, {"threshold": 5}, {"bits": 18}, {"bound": 0.25}, {"weight_bits": 9}, {"size": 8},
               {"keys": manifest.keys | {"site-000": b"x" * 32}}]
    assert len({manifest.digest, *(replace(manifest, **change).digest for change in changes)}) == 8


def test_the_order_in_which_sites_are_named_does_not_matter():
    backwards = dict(reversed(keys_of(5).items()))
    assert Manifest.of("study", backwards, size=7, bound=0.5, weighted=True).digest == manifest_of().digest


GOOD = manifest_of().to_bytes()


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"7", b"\xff", b"[" * 100_000, b" " + GOOD, GOOD[:-1], GOOD.replace(b"0.5", b"1"),
                                  GOOD.replace(b"0.5", b"NaN"), GOOD.replace(b'"size":7', b'"size":"7"'), GOOD.replace(b"site-000", b""),
                                  GOOD.replace(b'"size":7', b'"size":true'), GOOD.replace(b'"study"', b'"studies"'),
                                  GOOD.replace(b'"size":7', b'"size":7,"more":1'), b"0" * 300_000])
def test_a_text_that_is_no_manifest_is_refused(text):
    with pytest.raises(SecureError):
        Manifest.read(text)
