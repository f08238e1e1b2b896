import struct
from dataclasses import replace

import pytest

from wardround.privacy.secagg.faults import SecureError
from wardround.privacy.secagg.messages import Context, pack_records, read_records


@pytest.fixture
def manifest(make_study):
    return make_study(4).manifest


def test_records_lie_as_written():
    text = struct.pack("<HH2sH2s", 2, 0, b"cd", 1, b"ab")
    assert pack_records({1: b"ab", 0: b"cd"}) == text
    assert read_records(text, 2, 4, "share") == {0: b"cd", 1: b"ab"}


@pytest.mark.parametrize("text", [b"", b"\1", struct.pack("<HH2s", 2, 0, b"cd"), struct.pack("<HH2s", 0, 0, b"cd"),
                                  struct.pack("<HH2s", 9, 0, b"cd"), struct.pack("<HH3s", 1, 0, b"cde")])
def test_a_count_that_does_not_fit_the_length_is_refused(text):
    with pytest.raises(SecureError) as caught:
        read_records(text, 2, 4, "share")
    assert caught.value.fault == "size"


@pytest.mark.parametrize("places", [(1, 0), (1, 1), (0, 4)])
def test_places_rise_and_are_known(places):
    with pytest.raises(SecureError) as caught:
        read_records(struct.pack("<HHH", 2, *places), 0, 4, "consent")
    assert caught.value.fault == "format"


def test_what_is_signed_or_derived_holds_for_one_study_manifest_round_attempt_and_purpose(manifest):
    contexts = [Context(manifest, 1, 1), Context(manifest, 2, 1), Context(manifest, 1, 2), Context(replace(manifest, bits=9), 1, 1),
                Context(replace(manifest, study="other"), 1, 1)]
    texts = [text for context in contexts
             for text in (context.seed(0), context.seed(1), context.shares(0, 1), context.shares(1, 0), context.pair(0, 1),
                          context.pair(0, 2), context.advert(0, b"k"), context.vector(0, b"k"))]
    assert len(set(texts)) == len(texts)
    assert contexts[0].pair(0, 1) == contexts[0].pair(1, 0)


def test_parts_cannot_be_shifted_into_each_other(manifest):
    context = Context(manifest, 1, 1)
    bound = [context.bind("a", b"bc", b"d"), context.bind("a", b"b", b"cd"), context.bind("ab", b"c", b"d"), context.bind("a", b"bcd")]
    assert len(set(bound)) == 4


def test_a_consent_is_to_the_keys_the_sharers_and_the_survivors(manifest):
    context, adverts = Context(manifest, 1, 1), {0: b"a", 1: b"b", 2: b"c", 3: b"d"}
    texts = {context.survivors(adverts, [0, 1, 2, 3], [0, 1, 2]), context.survivors(adverts | {3: b"e"}, [0, 1, 2, 3], [0, 1, 2]),
             context.survivors(adverts, [0, 1, 2], [0, 1, 2]), context.survivors(adverts, [0, 1, 2, 3], [0, 1, 3])}
    assert len(texts) == 4
