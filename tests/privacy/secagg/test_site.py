"""What a site refuses whatever else the server does, and what the server refuses of a site."""

import pytest

from wardround.privacy.secagg.faults import SecureError
from wardround.privacy.secagg.layout import ADVERT_BYTES, HEAD, OF_KEY, OPENED_BYTES, SEALED_BYTES, SERVER, STAGES
from wardround.privacy.secagg.messages import Context, pack_places, pack_records, read_records
from wardround.privacy.secagg.server import SecureServer


def records_of(message, width):
    return read_records(message[HEAD.size:], width, 256, "share")


def with_records(message, records):
    return message[:HEAD.size] + pack_records(records)


def refused(study, fault):
    """The round is given up, and sites 0 to 3 named this fault."""
    with pytest.raises(SecureError):
        study.run()
    assert {name: error.fault for name, error in study.faults.items()} == dict.fromkeys(study.names[:4], fault)


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
    unmask = make_study(4).after("consent").requests()
    with pytest.raises(SecureError) as caught:
        study.start("site-02").unmask(unmask["site-02"])
    assert caught.value.fault == "attempt"


def test_the_sum_of_a_round_is_opened_for_one_set_of_sites_only(make_study):
    study = make_study(5)
    study.drops = {"site-04": 2}
    study.run()
    study.drops, study.attempt = {}, 2
    refused(study, "reopened")  # with site-04 in: the difference would be its update
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
    refused(study, "reopened")


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
    study.after("masked")
    with pytest.raises(SecureError) as caught:
        study.sites["site-00"].consent(Context(study.manifest, 1, 1).head("consent", SERVER) + pack_places([1, 2, 3]))
    assert caught.value.fault == "survivors"


def test_a_site_counts_for_itself_who_advertised_and_who_shared(make_study):
    study = make_study(4)
    request = study.after("advertise").requests()["site-00"]
    two = dict(list(records_of(request, ADVERT_BYTES).items())[:2])
    with pytest.raises(SecureError, match="2 sites, but 3 are needed") as caught:
        study.sites["site-00"].share(with_records(request, two))
    assert caught.value.fault == "few-sites"
    study.attempt = 2
    request = study.after("share").requests()["site-00"]
    one = dict(list(records_of(request, SEALED_BYTES).items())[:1])
    with pytest.raises(SecureError, match="2 sites, but 3 are needed") as caught:
        study.sites["site-00"].masked(with_records(request, one), *study.vector_of("site-00"))
    assert caught.value.fault == "few-sites"


def test_shares_from_a_site_without_keys_or_from_the_site_itself_are_refused(make_study):
    for stranger in (0, 3):
        study = make_study(4)
        request = study.after("share", asked=study.names[:3]).requests()["site-00"]
        sealed = records_of(request, SEALED_BYTES)
        with pytest.raises(SecureError) as caught:
            study.sites["site-00"].masked(with_records(request, sealed | {stranger: sealed[1]}), *study.vector_of("site-00"))
        assert caught.value.fault == "survivors"


def test_the_consent_of_a_site_that_is_no_survivor_does_not_count(make_study):
    study = make_study(5)
    server = study.after("share")
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
    study.after("share")
    attempts = [site._attempt for site in study.sites.values()]
    assert all(attempt.secrets is not None for attempt in attempts)
    study.attempt = 2
    study.after("masked")
    for site in study.sites.values():
        assert site._attempt.secrets is None
        with pytest.raises(SecureError):
            _ = site._attempt.own


def test_a_message_of_another_attempt_does_not_end_this_one(make_study):
    study = make_study(3)
    server = study.after("advertise")
    with pytest.raises(SecureError) as caught:
        study.sites["site-00"].share(Context(study.manifest, 1, 7).head("share", SERVER) + pack_records({}))
    assert caught.value.fault == "attempt"
    assert study.sites["site-00"].attempt == (1, 1)
    assert server.take("site-00", study.sites["site-00"].share(server.requests()["site-00"]))


@pytest.mark.parametrize("change", [lambda sealed: {1: sealed[1]}, lambda sealed: sealed | {0: sealed[1]},
                                    lambda sealed: sealed | {3: sealed[1]}])
def test_a_site_must_share_with_all_who_advertised_and_no_others(make_study, change):
    study = make_study(4)
    server = study.after("advertise", asked=study.names[:3])
    reply = study.sites["site-00"].share(server.requests()["site-00"])
    with pytest.raises(SecureError, match="not for all other sites"):
        server.take("site-00", with_records(reply, change(records_of(reply, SEALED_BYTES))))


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


@pytest.mark.parametrize("change", [lambda opened: opened | {1: OF_KEY + opened[1][1:]}, lambda opened: {0: opened[0]}])
def test_a_site_must_open_the_right_secret_of_all_who_shared(make_study, change):
    study = make_study(4)
    server = study.after("consent")
    reply = study.sites["site-00"].unmask(server.requests()["site-00"])
    with pytest.raises(SecureError, match="of the right secret") as caught:
        server.take("site-00", with_records(reply, change(records_of(reply, OPENED_BYTES))))
    assert caught.value.fault == "format"
    assert server.take("site-00", reply)


def test_a_site_that_was_not_asked_is_not_counted(make_study):
    study = make_study(4)
    server = SecureServer(study.manifest, 1, 1, asked=study.names[:3])
    reply = study.sites["site-03"].advertise(server.requests()["site-00"])
    assert not server.take("site-03", reply)
    server.lose("site-03", "never asked")
    assert not server.lost


@pytest.mark.parametrize("stage", ["advertise", "share", "masked", "consent", "unmask"])
def test_a_reply_is_not_taken_for_that_of_another_site_nor_a_request_for_a_reply(make_study, stage):
    study = make_study(3)
    server = SecureServer(study.manifest, 1, 1) if stage == "advertise" else study.after(STAGES[STAGES.index(stage) - 1])
    requests = server.requests()
    reply = dict(study.ask(stage, requests))["site-01"]
    for message in (reply, requests["site-00"]):
        with pytest.raises(SecureError, match="another sender") as caught:
            server.take("site-00", message)
        assert caught.value.fault == "format"
