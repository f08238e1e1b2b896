"""What a server, a line or a site may do to cheat, and the name by which it is found out. Numbers as in the list of the reference."""

from dataclasses import replace

import numpy as np
import pytest

from wardround.privacy.secagg.drive import secure_sum
from wardround.privacy.secagg.faults import SecureError
from wardround.privacy.secagg.keys import private_of, public_of
from wardround.privacy.secagg.layout import ADVERT_BYTES, HEAD, MASKED_HEAD, OF_KEY, OF_SEED, OPENED_BYTES, SERVER, SIGNATURE_BYTES
from wardround.privacy.secagg.manifest import Manifest
from wardround.privacy.secagg.messages import Context, pack_places, pack_records, read_records


def records_of(message, width):
    return read_records(message[HEAD.size:], width, 256, "share")


def with_records(message, records):
    return message[:HEAD.size] + pack_records(records)


def refused(study, fault, sites=None):
    """The round is given up, and each of these sites (all) named this fault."""
    with pytest.raises(SecureError) as caught:
        study.run()
    assert caught.value.fault == "few-sites"
    assert {name: error.fault for name, error in study.faults.items()} == dict.fromkeys(sites or study.names, fault)
    for error in study.faults.values():
        assert "site " in str(error) and "stage " in str(error)
    return caught.value


def change_advert(place, change):
    def changed(stage, name, request):
        if stage != "share":
            return request
        adverts = records_of(request, ADVERT_BYTES)
        return with_records(request, adverts | {place: change(adverts[place])})

    return changed


def flipped(text, at):
    return text[:at] + bytes([text[at] ^ 1]) + text[at + 1:]


def test_1_a_swapped_public_key(make_study):
    study = make_study(4)
    servers_own = public_of(private_of(b"s" * 32))
    study.change_request = change_advert(2, lambda advert: servers_own + advert[32:])
    with pytest.raises(SecureError):
        study.run()
    assert {name: error.fault for name, error in study.faults.items()} == {
        "site-00": "signature", "site-01": "signature", "site-02": "own-key", "site-03": "signature"}
    assert "site-02" in str(study.faults["site-00"])


def test_2_a_bad_signature_on_the_way_to_the_sites(make_study):
    study = make_study(4)
    study.change_request = change_advert(3, lambda advert: flipped(advert, ADVERT_BYTES - 1))
    with pytest.raises(SecureError):
        study.run()
    assert [study.faults[name].fault for name in study.names] == ["signature", "signature", "signature", "own-key"]


def test_2_a_bad_signature_on_the_way_to_the_server(make_study):
    study = make_study(3)
    study.change_reply = lambda stage, name, reply: flipped(reply, -1 % len(reply)) if (stage, name) == ("advertise", "site-01") else reply
    with pytest.raises(SecureError, match=r"site-01, stage .*keys are not signed"):
        study.run()


def test_3_keys_replayed_from_an_earlier_round(make_study):
    study = make_study(3)
    study.run()
    old = {name: reply for stage, name, reply in study.transcript if stage == "advertise"}
    study.round = 2
    study.change_request = change_advert(1, lambda advert: old["site-01"][HEAD.size:])
    with pytest.raises(SecureError):
        study.run()
    assert study.faults["site-00"].fault == "signature" and "replayed" in str(study.faults["site-00"])
    study.change_request = lambda stage, name, request: request
    study.round, study.attempt = 3, 1  # the whole old message, as the server gets it
    study.change_reply = lambda stage, name, reply: old[name] if (stage, name) == ("advertise", "site-01") else reply
    with pytest.raises(SecureError, match="site-01: no answer in stage advertise"):
        study.run()


def test_4_a_flipped_bit_of_a_sealed_share(make_study):
    study = make_study(3)
    study.change_request = lambda stage, name, request: flipped(request, len(request) - 1) if stage == "masked" else request
    refused(study, "ciphertext")


def test_5_shares_sent_to_the_wrong_site(make_study):
    study = make_study(3)
    kept = {}

    def swap(stage, name, request):
        if stage != "masked":
            return request
        sealed = records_of(request, 148)
        kept[name] = sealed
        if name == "site-00":
            return request
        return with_records(request, sealed | {0: kept["site-00" if name == "site-01" else "site-01"].get(0, sealed[0])})

    study.change_request = swap
    with pytest.raises(SecureError):
        study.run()
    assert study.faults["site-02"].fault == "ciphertext" and "site-00 cannot be decrypted" in str(study.faults["site-02"])


@pytest.mark.parametrize("lost", [False, True])
def test_6_a_wrong_share(make_study, lost):
    study = make_study(4)
    study.drops = {"site-03": 2} if lost else {}

    def lie(stage, name, reply):
        if (stage, name) != ("unmask", "site-01"):
            return reply
        opened = records_of(reply, OPENED_BYTES)
        return with_records(reply, opened | {3: flipped(opened[3], 5)})

    study.change_reply = lie
    with pytest.raises(SecureError, match=r"site site-03, stage unmask.*site-01") as caught:
        study.run()
    assert caught.value.fault == "share"


def through_consent(study):
    """The requests of stage 4."""
    return study.after("consent").requests()


def test_7_both_secrets_of_one_site_cannot_be_had(make_study):
    study = make_study(5)
    unmask = through_consent(study)
    site = study.sites["site-00"]
    head = Context(study.manifest, 1, 1).head("consent", SERVER)
    with pytest.raises(SecureError, match="second set of survivors") as caught:
        site.consent(head + pack_places([0, 1, 2, 3]))  # site-04 lost after all: its other secret, please
    assert caught.value.fault == "both-secrets"
    with pytest.raises(SecureError) as caught:  # and now it gives none
        site.unmask(unmask["site-00"])
    assert caught.value.fault == "attempt"


def test_7_nor_after_the_first_was_given(make_study):
    study = make_study(5)
    unmask = through_consent(study)
    site = study.sites["site-00"]
    opened = records_of(site.unmask(unmask["site-00"]), OPENED_BYTES)
    assert {record[:1] for record in opened.values()} == {OF_SEED}
    with pytest.raises(SecureError) as caught:
        site.consent(Context(study.manifest, 1, 1).head("consent", SERVER) + pack_places([0, 1, 2, 3]))
    assert caught.value.fault == "both-secrets"


def test_7_of_each_site_one_kind_of_secret_is_given_by_all(make_study):
    study = make_study(5)
    study.drops = {"site-04": 2}
    study.run()
    kinds = {(place, record[:1]) for stage, _, reply in study.transcript if stage == "unmask"
             for place, record in records_of(reply, OPENED_BYTES).items()}
    assert kinds == {(0, OF_SEED), (1, OF_SEED), (2, OF_SEED), (3, OF_SEED), (4, OF_KEY)}


def test_8_two_sets_of_survivors_shown_to_two_halves(make_study):
    study = make_study(5)
    head = Context(study.manifest, 1, 1).head("consent", SERVER)
    study.change_request = lambda stage, name, request: (
        head + pack_places([0, 1, 2, 3]) if stage == "consent" and name in ("site-00", "site-01") else request)
    with pytest.raises(SecureError, match=r"2 of 5|3 of 5"):  # an honest server sees that the signatures are over another set
        study.run()
    study.attempt = 2  # a lying one passes them on
    server = study.after("masked")
    head = Context(study.manifest, 1, 2).head("consent", SERVER)
    signatures = {}
    for name, request in server.requests().items():
        shown = head + pack_places([0, 1, 2, 3]) if name in ("site-00", "site-01") else request
        signatures[study.names.index(name)] = study.sites[name].consent(shown)[HEAD.size:]
    unmask = Context(study.manifest, 1, 2).head("unmask", SERVER) + pack_records(signatures)
    for name in study.names:
        with pytest.raises(SecureError, match="different ones to different sites") as caught:
            study.sites[name].unmask(unmask)
        assert caught.value.fault == "consent"


def test_8_too_few_consents_open_nothing(make_study):
    study = make_study(5)
    unmask = through_consent(study)
    few = dict(list(records_of(unmask["site-00"], SIGNATURE_BYTES).items())[:3])
    with pytest.raises(SecureError, match="3 sites, but 4 are needed") as caught:
        study.sites["site-00"].unmask(with_records(unmask["site-00"], few))
    assert caught.value.fault == "consent"


def change_masked(study, change):
    study.change_reply = lambda stage, name, reply: change(reply) if (stage, name) == ("masked", "site-01") else reply


@pytest.mark.parametrize("change", [lambda reply: reply + bytes(4), lambda reply: reply[:-4],
                                    lambda reply: reply[:HEAD.size] + MASKED_HEAD.pack(16, 8) + reply[HEAD.size + MASKED_HEAD.size:],
                                    lambda reply: reply[:HEAD.size] + MASKED_HEAD.pack(15, 4) + reply[HEAD.size + MASKED_HEAD.size:]])
def test_9_a_masked_vector_of_wrong_length_or_modulus(make_study, change):
    study = make_study(3)
    change_masked(study, change)
    with pytest.raises(SecureError, match=r"site site-01, stage masked.*16 numbers of 4 bytes"):
        study.run()


def test_9_a_masked_vector_changed_on_the_way(make_study):
    study = make_study(3)
    change_masked(study, lambda reply: flipped(reply, HEAD.size + 20))
    with pytest.raises(SecureError, match=r"site site-01, stage masked.*not signed"):
        study.run()


@pytest.mark.parametrize("vector", [np.zeros(16), np.zeros(15, np.float32), np.zeros((16, 1), np.float32)])
def test_9_an_update_of_wrong_shape_or_type_at_the_site(make_study, vector):
    study = make_study(3)
    study.vector = lambda name: (vector, 1)
    refused(study, "vector")


@pytest.mark.parametrize("change", [{"threshold": 4}, {"bits": 12}, {"bound": 9.0}, {"weight_bits": 9}, {"size": 17}, {"study": "other"}])
def test_10_terms_changed_after_they_were_approved(make_study, change):
    study = make_study(4)
    with pytest.raises(SecureError, match="not the one that was approved"):
        secure_sum(replace(study.manifest, **change), 1, 1, study)
    assert {error.fault for error in study.faults.values()} == {"manifest"} and len(study.faults) == 4


def test_10_a_key_changed_after_it_was_approved(make_study):
    study = make_study(4)
    other = Manifest.of("study", study.manifest.keys | {"site-03": b"k" * 32}, size=16, bound=study.manifest.bound, weighted=True)
    with pytest.raises(SecureError, match="not the one that was approved"):
        secure_sum(other, 1, 1, study)
