"""The published vectors of the standards that the protocol stands on."""

import pytest

from wardround.privacy.secagg import keys
from wardround.privacy.secagg.faults import SecureError
from wardround.privacy.secagg.keys import agree, commitment, derive, private_of, public_of, seal, unseal
from wardround.privacy.secagg.masks import KeyStream


def test_two_sites_agree_on_the_secret_of_rfc_7748_section_6_1():
    alice = private_of(bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"))
    bob = private_of(bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
    assert public_of(alice).hex() == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    assert public_of(bob).hex() == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    secret = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
    assert agree(alice, public_of(bob)).hex() == agree(bob, public_of(alice)).hex() == secret


@pytest.mark.parametrize("low_order", ["00" * 32, "01" + "00" * 31])
def test_a_public_key_with_which_every_secret_is_zero_is_refused(low_order):
    with pytest.raises(SecureError, match=r"site north.*anyone knows") as caught:
        agree(private_of(bytes(range(32))), bytes.fromhex(low_order), "north")
    assert caught.value.fault == "weak-key"


def test_keys_are_derived_as_in_rfc_5869_appendix_a_3():
    assert derive(b"\x0b" * 22, b"").hex() == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"


def test_the_mask_is_the_key_stream_of_rfc_8439_appendix_a_1():
    stream = KeyStream(bytes(32), size=32)
    assert stream.next(16).tobytes().hex() == ("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
                                               "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586")
    assert stream.next(16).tobytes().hex() == ("9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
                                               "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f")


def test_shares_are_sealed_as_in_rfc_8439_section_2_8_2(monkeypatch):
    monkeypatch.setattr(keys, "NONCE", bytes.fromhex("070000004041424344454647"))
    text = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.")
    key, bound_to = bytes(range(0x80, 0xA0)), bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    sealed = seal(key, text, bound_to)
    assert sealed[:16].hex() == "d31a8d34648e60db7b86afbc53ef7ec2" and sealed[-16:].hex() == "1ae10b594f09e26a7e902ecbd0600691"
    assert unseal(key, sealed, bound_to) == text
    assert unseal(key, sealed, bound_to + b"x") is None


def test_a_commitment_fits_one_seed_in_one_place():
    assert len({commitment(b"a" * 32, b"1"), commitment(b"b" * 32, b"1"), commitment(b"a" * 32, b"2")}) == 3
