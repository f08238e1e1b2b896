"""The server's gate. NVFLARE lets in whoever the study's root ever certified; the gate lets in its sites and coordinator, none revoked.

A component of the server's own (local/resources.json), without arguments: WARDROUND_STUDY names the study's folder. In three places,
as NVFLARE knows no revocation:
- TLS: the listeners take the study's revocation list, so that a handshake with a revoked certificate fails, and send no session
  tickets, which would let it in without being looked at.
- Registration: the certificate that a site has just proved to hold (its serial, not only its name) must be one that was issued.
- While the server runs: at the next heartbeat of any site the list is read again, and connections of a site revoked meanwhile end.
This reaches into NVFLARE 2.9.0, which is pinned. Where something is not as expected, nobody registers.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from nvflare.apis.event_type import EventType
from nvflare.apis.fl_component import FLComponent
from nvflare.apis.fl_constant import FLContextKey
from nvflare.apis.fl_context import FLContext
from nvflare.apis.fl_exception import NotAuthenticated
from nvflare.fuel.f3.drivers.driver_params import DriverParams

from wardround.errors import NetworkError, WardroundError
from wardround.network import authority, keys
from wardround.network.auditlog import AuditLog
from wardround.network.control import State
from wardround.network.folders import StudyFolder
from wardround.network.startup import STUDY

Refusal = Callable[[str, str, datetime], str | None]  # (name, serial, end) -> why the holder may not come in


class Doorkeeper:
    """NVFLARE's verifier of identities and then ours: the name, and the certificate behind it."""

    def __init__(self, verifier: Any, refusal: Refusal) -> None:
        self._verifier, self._refusal = verifier, refusal

    def verify_common_name(self, asserted_cn: str, nonce: str, asserter_cert: Any, signature: Any, intermediate_certs: Any = None,
                           expected_eku: Any = None) -> bool:
        """True, or an exception, as NVFLARE's own."""
        self._verifier.verify_common_name(asserted_cn=asserted_cn, nonce=nonce, asserter_cert=asserter_cert, signature=signature,
                                          intermediate_certs=intermediate_certs, expected_eku=expected_eku)
        serial = keys.serial_text(asserter_cert.serial_number)
        if reason := self._refusal(asserted_cn, serial, asserter_cert.not_valid_after_utc):
            raise NetworkError(reason)
        return True


class Gate(FLComponent):  # type: ignore[misc]
    """One for the server process."""

    def __init__(self) -> None:
        super().__init__()
        if not os.environ.get(STUDY):
            raise NetworkError(f"the server's gate needs the study's folder in {STUDY}: start the server with wardround study start")
        self._study = StudyFolder(Path(os.environ[STUDY]))
        self._lock = threading.Lock()
        self._list_time = 0  # of the revocation list that TLS has
        self._ended: set[str] = set()  # serials whose connections were ended
        self._told: set[tuple[str, str]] = set()  # refusals that are in the audit log
        self._here = threading.local()  # why the registration in this thread is refused

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:
        """NVFLARE calls this; what it raises, but NotAuthenticated at a registration, is only logged."""
        if event_type in (EventType.SYSTEM_START, EventType.CLIENT_HEARTBEAT_PROCESSED):  # before, a heartbeat would bring the site back
            self._enforce(fl_ctx.get_engine())
        elif event_type == EventType.CLIENT_REGISTER_RECEIVED:
            self._stand_at(fl_ctx)
        elif event_type == EventType.CLIENT_REGISTER_PROCESSED and (reason := getattr(self._here, "reason", "")):
            fl_ctx.set_prop(FLContextKey.UNAUTHENTICATED, reason, private=True, sticky=False)

    def _stand_at(self, fl_ctx: FLContext) -> None:
        """Before the server verifies who registers: see to it that we are asked too."""
        self._here.reason = ""
        try:
            self._enforce(fl_ctx.get_engine())
            keeper = fl_ctx.get_engine().server.client_manager.cred_keeper
            verifier = keeper.get_id_verifier(fl_ctx)
            if verifier is None or not hasattr(keeper, "id_verifier"):
                raise NetworkError("NVFLARE has no verifier of identities where 2.9.0 has it")
            if not isinstance(verifier, Doorkeeper):
                keeper.id_verifier = Doorkeeper(verifier, self._refusal)
        except (WardroundError, AttributeError, TypeError, ValueError, OSError) as error:
            self.logger.error("the gate stays shut: %s", error)
            raise NotAuthenticated(f"the server's gate is out of order ({error})") from error

    def _refusal(self, name: str, serial: str, end: datetime) -> str | None:
        reason = authority.refusal(self._study, name, serial, end)
        self._here.reason = reason or ""
        if reason is None:
            self._audit("registration-accepted", name, serial=serial)
            if name in self._study.record()["sites"]:
                State(self._study).came_in(name)
            return None
        self.logger.warning("registration refused: %s (serial %s)", reason, serial)
        if (reason, serial) not in self._told:  # a program that tries all night is one line
            self._told.add((reason, serial))
            self._audit("registration-refused", name, serial=serial, reason=reason)
        return reason

    def _enforce(self, engine: Any) -> None:
        """Bring the revocation list into TLS if it changed, and end the connections of those that it names anew."""
        path = self._study.authority / "revoked.crl"
        with self._lock:
            changed = path.stat().st_mtime_ns
            if changed == self._list_time:
                return
            drivers = list(_listeners(engine))
            for driver in drivers:
                refuse_revoked(driver.ssl_context, path)
            anew = [entry for entry in authority.revoked(self._study) if entry["serial"] not in self._ended]
            is_start, self._list_time = self._list_time == 0, changed
            self._ended.update(entry["serial"] for entry in anew)
        if is_start:
            return  # nobody was let in yet
        for name in sorted({entry["site"] for entry in anew}):
            num = end_connections(drivers, name)
            self.logger.warning("site '%s' was revoked: %d connections ended", name, num)
            self._audit("connections-ended", name, num=num)
            _forget(engine, name)

    def _audit(self, kind: str, site: str, **facts: Any) -> None:
        AuditLog(self._study.audit_file).write(kind, site=site, **facts)


def refuse_revoked(context: ssl.SSLContext, revocations: Path) -> None:
    """From now on a handshake with a certificate that the list names fails."""
    context.load_verify_locations(cafile=str(revocations))
    context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0


def end_connections(drivers: list[Any], name: str) -> int:
    """End the TLS connections whose certificate names `name`; returns how many."""
    found = [connection for driver in drivers for connection in list(driver.connections.values())
             if connection.get_conn_properties().get(DriverParams.PEER_CN.value) == name]
    for connection in found:
        connection.close()
    return len(found)


def _listeners(engine: Any) -> Iterator[Any]:
    """NVFLARE's drivers that take TLS connections."""
    manager = engine.get_cell().core_cell.communicator.conn_manager
    found = [connector.driver for connector in list(manager.connectors.values())]
    found = [driver for driver in found if isinstance(getattr(driver, "ssl_context", None), ssl.SSLContext)]
    if not found:
        raise NetworkError("NVFLARE has no TLS listener where 2.9.0 has it")
    yield from found


def _forget(engine: Any, name: str) -> None:
    """The server takes the site for gone, as after a lost line."""
    for token, client in list(engine.server.client_manager.get_clients().items()):
        if client.name == name:
            engine.server.logout_client(token)
