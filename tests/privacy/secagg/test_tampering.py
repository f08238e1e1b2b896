"""What a server, a line or a site may do to cheat, and the name by which it is found out. Numbers as in the list of the reference."""

import struct
from dataclasses import replace

import numpy as np
import pytest

from wardround.privacy.secagg.drive import secure_sum
from wardround.privacy.secagg.faults import SecureError
from wardround.privacy.secagg.keys import private_of, public_of
from wardround.privacy.secagg.layout import ADVERT_BYTES, HEAD, MASKED_HEAD, OF_KEY, OF_SEED, OPENED_BYTES, SERVER, SIGNATURE_BYTES, STAGES
from wardround.privacy.secagg.manifest import Manifest
from wardround.privacy.secagg.messages import Context, pack_places, pack_records, read_records
from wardround.privacy.secagg.server import SecureServer


def records_of(message, width):
    return read_records(message[HEAD.size:], width, 256, "share")


def with_records(message, records):
    return message[:HEAD.size] + pack_records(records)


def after(study, last, asked=None):
    """A server whose stage `last` is closed."""
    server = SecureServer(study.manifest, study.round, study.attempt, asked)
    for stage in STAGES[:STAGES.index(last) + 1]:
        for name, reply in study.ask(stage, server.requests()):
            assert server.take(name, reply)
        server.close()
    return server


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
    return after(study, "consent").requests()


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
    server = after(study, "masked")
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


def test_a_site_started_anew_between_stages_2_and_4_gives_nothing_and_the_sum_is_opened_without_it(make_study):
    study = make_study(4)

    def crash(stage, name, request):
        if (stage, name) == ("consent", "site-02"):
            study.sites[name] = study.start(name)
        return request

    study.change_request = crash
    found = study.run()
    study.check(found, study.names)  # its vector was in
    assert study.faults["site-02"].fault == "attempt" and "restarted" in found.silent["site-02"]
    unmask = through_consent(make_study(4))
    with pytest.raises(SecureError) as caught:
        study.start("site-02").unmask(unmask["site-02"])
    assert caught.value.fault == "attempt"


def test_the_sum_of_a_round_is_opened_for_one_set_of_sites_only(make_study):
    study = make_study(5)
    study.drops = {"site-04": 2}
    study.run()
    study.drops, study.attempt = {}, 2
    refused(study, "reopened", study.names[:4])  # with site-04 in: the difference would be its update
    study.faults.clear()
    study.drops, study.attempt = {"site-04": 0}, 3
    study.check(study.run(), study.names[:4])


def test_what_was_opened_is_remembered_by_the_next_process_if_it_is_told(make_study):
    study = make_study(5)
    study.run()
    opened = study.sites["site-00"].opened
    study.sites = {name: type(site)(name, study.identities[name], study.manifest, opened=dict(opened))
                   for name, site in study.sites.items()}
    study.drops, study.attempt = {"site-04": 2}, 2
    refused(study, "reopened", study.names[:4])


def test_an_attempt_is_begun_once(make_study):
    study = make_study(3)
    study.run()
    study.round = 2
    study.run()
    study.round = 1
    refused(study, "attempt")


def test_stages_cannot_be_skipped(make_study):
    study = make_study(3)
    context = Context(study.manifest, 1, 1)
    site = study.sites["site-00"]
    site.advertise(context.head("advertise", SERVER))
    with pytest.raises(SecureError, match="stage 3, but stage 1 is next") as caught:
        site.consent(context.head("consent", SERVER) + pack_places([0, 1, 2]))
    assert caught.value.fault == "stage"


@pytest.mark.parametrize(("places", "fault"), [([0, 1, 2], "few-sites"), ([1, 2, 3, 4], "survivors"), ([0, 1, 2, 4], "survivors")])
def test_survivors_must_be_enough_have_shared_and_include_the_site(make_study, places, fault):
    study = make_study(5)
    study.drops = {"site-04": 1}
    head = Context(study.manifest, 1, 1).head("consent", SERVER)
    study.change_request = lambda stage, name, request: head + pack_places(places) if stage == "consent" else request
    with pytest.raises(SecureError):
        study.run()
    assert study.faults["site-00"].fault == fault


def test_a_site_that_is_not_among_the_survivors_does_not_consent(make_study):
    study = make_study(4)
    after(study, "masked")
    with pytest.raises(SecureError) as caught:
        study.sites["site-00"].consent(Context(study.manifest, 1, 1).head("consent", SERVER) + pack_places([1, 2, 3]))
    assert caught.value.fault == "survivors"


def test_a_site_counts_for_itself_who_advertised_and_who_shared(make_study):
    study = make_study(4)
    request = after(study, "advertise").requests()["site-00"]
    two = dict(list(records_of(request, ADVERT_BYTES).items())[:2])
    with pytest.raises(SecureError, match="2 sites, but 3 are needed") as caught:
        study.sites["site-00"].share(with_records(request, two))
    assert caught.value.fault == "few-sites"
    study.attempt = 2
    request = after(study, "share").requests()["site-00"]
    one = dict(list(records_of(request, 148).items())[:1])
    with pytest.raises(SecureError, match="2 sites, but 3 are needed") as caught:
        study.sites["site-00"].masked(with_records(request, one), *study.vector_of("site-00"))
    assert caught.value.fault == "few-sites"


def test_shares_from_a_site_without_keys_or_from_the_site_itself_are_refused(make_study):
    for stranger in (0, 3):
        study = make_study(4)
        request = after(study, "share", asked=study.names[:3]).requests()["site-00"]
        sealed = records_of(request, 148)
        with pytest.raises(SecureError) as caught:
            study.sites["site-00"].masked(with_records(request, sealed | {stranger: sealed[1]}), *study.vector_of("site-00"))
        assert caught.value.fault == "survivors"


def test_the_consent_of_a_site_that_is_no_survivor_does_not_count(make_study):
    study = make_study(5)
    server = after(study, "share")
    for name, reply in study.ask("masked", server.requests()):
        if name != "site-04":
            server.take(name, reply)
    server.close()
    signatures = {study.names.index(name): study.sites[name].consent(request)[HEAD.size:] for name, request in server.requests().items()}
    text = server.context.survivors(server._adverts, server._sealed, [0, 1, 2, 3])
    forged = signatures | {4: study.identities["site-04"].sign(text)}  # it works with the server
    del forged[3]
    with pytest.raises(SecureError, match="site-04 did not sign") as caught:
        study.sites["site-00"].unmask(server.context.head("unmask", SERVER) + pack_records(forged))
    assert caught.value.fault == "consent"


def test_keys_are_forgotten_once_the_vector_is_masked(make_study):
    study = make_study(3)
    after(study, "share")
    attempts = [site._attempt for site in study.sites.values()]
    assert all(attempt.secrets is not None for attempt in attempts)
    study.attempt = 2
    after(study, "masked")
    for site in study.sites.values():
        assert site._attempt.secrets is None
        with pytest.raises(SecureError):
            _ = site._attempt.own


def test_a_message_of_another_attempt_does_not_end_this_one(make_study):
    study = make_study(3)
    server = after(study, "advertise")
    with pytest.raises(SecureError) as caught:
        study.sites["site-00"].share(Context(study.manifest, 1, 7).head("share", SERVER) + pack_records({}))
    assert caught.value.fault == "attempt"
    assert study.sites["site-00"].attempt == (1, 1)
    assert server.take("site-00", study.sites["site-00"].share(server.requests()["site-00"]))


@pytest.mark.parametrize("change", [lambda sealed: {1: sealed[1]}, lambda sealed: sealed | {0: sealed[1]},
                                    lambda sealed: sealed | {3: sealed[1]}])
def test_a_site_must_share_with_all_who_advertised_and_no_others(make_study, change):
    study = make_study(4)
    server = after(study, "advertise", asked=study.names[:3])
    reply = study.sites["site-00"].share(server.requests()["site-00"])
    with pytest.raises(SecureError, match="not for all other sites"):
        server.take("site-00", with_records(reply, change(records_of(reply, 148))))


class Copycat:
    """Signs the keys of another site as its own."""

    def __init__(self, study, name):
        self.place, self.identity, self.context = study.names.index(name), study.identities[name], Context(study.manifest, 1, 1)

    def advert(self, other):
        return other[:96] + self.identity.sign(self.context.advert(self.place, other[:96]))


def test_keys_copied_from_another_site_are_refused_by_server_and_sites(make_study):
    study = make_study(4)
    copycat = Copycat(study, "site-03")
    server = SecureServer(study.manifest, 1, 1)
    replies = dict(study.ask("advertise", server.requests()))
    assert server.take("site-00", replies["site-00"])
    copied = replies["site-03"][:HEAD.size] + copycat.advert(replies["site-00"][HEAD.size:])
    with pytest.raises(SecureError, match="also those of site-00") as caught:
        server.take("site-03", copied)
    assert caught.value.fault == "same-key"
    adverts = {place: replies[name][HEAD.size:] for place, name in enumerate(study.names)} | {3: copied[HEAD.size:]}
    with pytest.raises(SecureError, match="also those of site-00") as caught:
        study.sites["site-00"].share(server.context.head("share", SERVER) + pack_records(adverts))
    assert caught.value.fault == "same-key"


def test_one_key_for_two_purposes_is_refused(make_study):
    study = make_study(3)
    study.sites["site-02"] = type(study.sites["site-02"])("site-02", study.identities["site-02"], study.manifest, lambda num: b"e" * num)
    with pytest.raises(SecureError, match=r"site site-02, stage share.*also those of"):
        study.run()


def test_a_site_that_masks_wrongly_is_noticed_in_the_sum(make_study):
    study = make_study(3, weighted=False)
    site = study.sites["site-01"]
    masked_with = site._masked_with
    site._masked_with = lambda context, keys, vector, weight: masked_with(context, keys | {2: b"w" * 32}, vector, weight)
    with pytest.raises(SecureError, match="sum is impossible") as caught:
        study.run()
    assert caught.value.fault == "sum"


def test_a_site_needs_the_key_that_the_manifest_has_of_it(make_study):
    study = make_study(3)
    with pytest.raises(SecureError) as caught:
        type(study.sites["site-00"])("site-00", study.identities["site-01"], study.manifest)
    assert caught.value.fault == "manifest"


def test_the_sum_is_not_opened_early(make_study):
    with pytest.raises(SecureError) as caught:
        SecureServer(make_study(3).manifest, 1, 1).total()
    assert caught.value.fault == "stage"


@pytest.mark.parametrize("round", [-1, 2**32])
def test_a_round_that_does_not_fit_is_refused(make_study, round):
    with pytest.raises(SecureError):
        SecureServer(make_study(3).manifest, round, 1)


def test_records_lie_as_written():
    assert pack_records({1: b"ab", 0: b"cd"}) == struct.pack("<HH2sH2s", 2, 0, b"cd", 1, b"ab")
