"""The gate within NVFLARE's own registration and TLS: verifier, client manager, events and contexts are real, the engine is a stand-in."""

import json
import shutil
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wardround.errors import NetworkError
from wardround.network import authority, keys, kits
from wardround.network.folders import SiteFolder, StudyFolder

pytest.importorskip("nvflare")
from nvflare.apis.client import Client
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import FLContextKey, ReservedKey
from nvflare.apis.fl_context import FLContext
from nvflare.apis.fl_exception import NotAuthenticated
from nvflare.apis.shareable import Shareable
from nvflare.apis.utils.event import fire_event_to_components
from nvflare.fuel.f3.cellnet.defs import IdentityChallengeKey
from nvflare.private.defs import (
    CellMessageHeaderKeys,
    ClientRegSession,
    ClientType,
    InternalFLContextKey,
    new_cell_message,
)
from nvflare.private.fed.server.client_manager import ClientManager
from nvflare.private.fed.utils.identity_utils import IdentityAsserter

from wardround.network.gate import Gate, refuse_revoked
from wardround.network.startup import STUDY


class Server:
    """NVFLARE's server around its real client manager: a TLS listener and what gate asks of an engine."""

    def __init__(self, study: StudyFolder) -> None:
        self.client_manager = ClientManager(project_name="clinics")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(study.authority / "server.crt", study.authority / "server.key")
        self.context.load_verify_locations(study.authority / "root.crt")
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.closed: list[str] = []
        self.driver = SimpleNamespace(ssl_context=self.context, connections={name: self.connection(name) for name in ("north", "south")})
        self.connectors = {"CH1": SimpleNamespace(driver=self.driver), "CH2": SimpleNamespace(driver=SimpleNamespace(ssl_context=None))}

    def connection(self, name: str) -> Any:
        return SimpleNamespace(get_conn_properties=lambda: {"peer_cn": name}, close=lambda: self.closed.append(name))

    def logout_client(self, token: str) -> None:
        self.client_manager.remove_client(token)

    @property
    def server(self) -> "Server":
        return self

    def get_cell(self) -> Any:
        manager = SimpleNamespace(connectors=self.connectors)
        return SimpleNamespace(core_cell=SimpleNamespace(communicator=SimpleNamespace(conn_manager=manager)))


class World:
    """A study with two admitted sites, its gate, and the server behind it."""

    def __init__(self, study: StudyFolder, sites: dict[str, SiteFolder]) -> None:
        self.study, self.sites = study, sites
        self.server, self.gate = Server(study), Gate()

    def context(self) -> FLContext:
        context = FLContext()
        context.set_prop(ReservedKey.ENGINE, self.server, private=True, sticky=False)
        context.set_prop(FLContextKey.SECURE_MODE, True, private=True, sticky=False)
        root = str(self.study.authority / "root.crt")
        context.set_prop(FLContextKey.SERVER_CONFIG, [{"ssl_root_cert": root}], private=True, sticky=False)
        return context

    def fire(self, event: str) -> FLContext:
        context = self.context()
        fire_event_to_components(event, [self.gate], context)
        return context

    def register(self, name: str, key: Path, certificate: Path, kind: str = ClientType.REGULAR) -> tuple[Client | None, str]:
        """As FederatedServer.register_client does: (client, why not)."""
        context, session = self.context(), ClientRegSession(name)
        context.set_prop(InternalFLContextKey.CLIENT_REG_SESSION, session, private=True, sticky=False)
        asserter = IdentityAsserter(str(key), str(certificate))
        data = Shareable()
        data[IdentityChallengeKey.CERT] = asserter.cert_data
        data[IdentityChallengeKey.SIGNATURE] = asserter.sign_common_name(session.nonce)
        request = new_cell_message({CellMessageHeaderKeys.CLIENT_NAME: name, CellMessageHeaderKeys.CLIENT_TYPE: kind,
                                    CellMessageHeaderKeys.CLIENT_IP: "127.0.0.1", CellMessageHeaderKeys.PROJECT_NAME: "clinics"}, data)
        fire_event_to_components(EventType.CLIENT_REGISTER_RECEIVED, [self.gate], context)
        for error in (context.get_prop(FLContextKey.EXCEPTIONS) or {}).values():
            raise error
        client = self.server.client_manager.authenticate(request, context)
        fire_event_to_components(EventType.CLIENT_REGISTER_PROCESSED, [self.gate], context)
        return client, context.get_prop(FLContextKey.UNAUTHENTICATED) or ""

    def comes(self, name: str) -> tuple[Client | None, str]:
        site = self.sites[name]
        return self.register(name, site.key_file, site.path / "site.crt")

    def told(self) -> list[str]:
        return [json.loads(line)["kind"] for line in self.study.audit_file.read_text().splitlines()]


@pytest.fixture(scope="module")
def admitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study, and beside it the folders of its two sites, for speed made once."""
    home = tmp_path_factory.mktemp("admitted")
    study = StudyFolder(home / "study")
    study.path.mkdir()
    record = {"name": "clinics", "host": "localhost", "port": 8002, "admin_port": 8003, "sites": ["north", "south"]}
    (study.path / "study.json").write_text(json.dumps(record))
    study.plan_file.write_text("")
    authority.found(study, name="clinics", host="localhost")
    for invitation in kits.invite(study, ["north", "south"]):
        site = kits.join(invitation, home / invitation.stem)
        kits.accept(site, kits.admit(study, kits.request_file(site)))
    return home


@pytest.fixture
def world(admitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    home = Path(shutil.copytree(admitted, tmp_path / "home"))
    monkeypatch.setenv(STUDY, str(home / "study"))
    return World(StudyFolder(home / "study"), {name: SiteFolder(home / name) for name in ("north", "south")})


def shake_hands(server: ssl.SSLContext, site: SiteFolder) -> None:
    """A TLS handshake in memory; the server's verdict on the site's certificate is its exception."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(site.path / "root.crt")
    context.load_cert_chain(site.path / "site.crt", site.key_file)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client, host = context.wrap_bio(back, there, server_hostname="localhost"), server.wrap_bio(there, back, server_side=True)
    for _ in range(3):
        for end in (client, host):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    assert host.version() == "TLSv1.3" and back.pending == 0  # no tickets


def test_without_a_study_there_is_no_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(STUDY, raising=False)
    with pytest.raises(NetworkError, match="wardround study start"):
        Gate()


def test_the_studys_sites_and_its_coordinator_register(world: World) -> None:
    for name in ("north", "south"):
        client, why = world.comes(name)
        assert client is not None and client.name == name and why == ""
    folder = world.study.authority
    client, _ = world.register("coordinator@clinics", folder / "admin.key", folder / "admin.crt", ClientType.ADMIN)
    assert client is not None
    assert world.told().count("registration-accepted") == 3


def test_a_revoked_site_is_refused_and_told_why(world: World) -> None:
    kits.dismiss(world.study, "north")
    assert world.comes("north") == (None, "the certificate of 'north' was revoked")
    assert world.comes("south")[0] is not None


def test_a_refusal_is_in_the_audit_log_once(world: World) -> None:
    kits.dismiss(world.study, "north")
    for _ in range(3):
        world.comes("north")
    assert world.told().count("registration-refused") == 1


def test_a_readmitted_site_registers_with_its_new_key_alone(world: World, tmp_path: Path) -> None:
    new = kits.join(world.study.path / "invitations" / "north.invitation", tmp_path / "again" / "north")
    kits.accept(new, kits.readmit(world.study, kits.request_file(new)))
    assert world.register("north", new.key_file, new.path / "site.crt")[0] is not None
    assert world.comes("north") == (None, "the certificate of 'north' was revoked")


def test_a_certificate_of_our_root_for_no_site_of_the_study_is_refused(world: World) -> None:
    key = world.sites["north"].key_file
    period = keys.Period(start=datetime.now(UTC) - timedelta(hours=1), end=datetime.now(UTC) + timedelta(days=1))
    for name, cause in (("west", "is no site of study 'clinics'"), ("south", "not among those that the coordinator issued")):
        path = world.study.path / "forged.crt"
        path.write_text(keys.certificate((world.study.authority / "root.key").read_text(), authority.root_of(world.study), key.read_text(),
                                         name=name, org="clinics", purpose="site", period=period))
        client, why = world.register(name, key, path)
        assert client is None and cause in why


def test_a_site_under_anothers_name_is_refused(world: World) -> None:
    site = world.sites["north"]
    assert world.register("south", site.key_file, site.path / "site.crt")[0] is None


def test_where_the_list_is_damaged_nobody_registers(world: World) -> None:
    (world.study.authority / "revoked.json").write_text("{")
    with pytest.raises(NotAuthenticated, match="out of order"):
        world.comes("south")


def test_where_nvflare_is_not_as_expected_nobody_registers(world: World) -> None:
    world.server.connectors.pop("CH1")
    with pytest.raises(NotAuthenticated, match="no TLS listener"):
        world.comes("south")
    world.server.client_manager = None
    with pytest.raises(NotAuthenticated, match="out of order"):
        world.comes("south")


def test_tls_refuses_a_certificate_once_it_is_revoked_and_no_other(world: World) -> None:
    world.fire(EventType.SYSTEM_START)
    shake_hands(world.server.context, world.sites["north"])
    kits.dismiss(world.study, "north")
    world.fire(EventType.CLIENT_HEARTBEAT_PROCESSED)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate revoked"):
        shake_hands(world.server.context, world.sites["north"])
    shake_hands(world.server.context, world.sites["south"])
    kits.dismiss(world.study, "south")  # in the same second
    world.fire(EventType.CLIENT_HEARTBEAT_PROCESSED)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate revoked"):
        shake_hands(world.server.context, world.sites["south"])


def test_without_a_list_tls_refuses_everybody(world: World, tmp_path: Path) -> None:
    (tmp_path / "other.crl").write_text((world.study.authority / "root.crt").read_text())
    refuse_revoked(world.server.context, tmp_path / "other.crl")
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get certificate CRL"):
        shake_hands(world.server.context, world.sites["south"])


def test_a_site_revoked_while_connected_is_cut_off(world: World) -> None:
    world.fire(EventType.SYSTEM_START)
    for name in ("north", "south"):
        world.comes(name)
    kits.dismiss(world.study, "north")
    world.fire(EventType.CLIENT_HEARTBEAT_PROCESSED)
    assert world.server.closed == ["north"]
    assert [client.name for client in world.server.client_manager.get_clients().values()] == ["south"]
    assert world.told()[-1] == "connections-ended"
    world.fire(EventType.CLIENT_HEARTBEAT_PROCESSED)
    assert world.server.closed == ["north"]


def test_what_was_revoked_before_the_start_cuts_nobody_off(world: World) -> None:
    kits.dismiss(world.study, "north")
    world.fire(EventType.SYSTEM_START)
    assert world.server.closed == []
