"""Where a study lies at the coordinator and at a site: names of files, and the little that is written in JSON beside them.

STUDY/  study.json · plan.toml · authority/ · invitations/ · kits/ · server/ and admin/ (NVFLARE's workspaces) · runs/ ·
        state/ (control.json, status.json, hub.pid, hub.log) · audit.jsonl
SITE/   site.json · limits.toml · key.pem · identity.pem · request · plan.toml (offered) · approvals.json · flare/ (NVFLARE's
        workspace) · memory/ · runs/ (its local arm) · models/ (what came back) · privacy/ · state/ · audit.jsonl
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wardround.errors import NetworkError
from wardround.runs.folder import read_json, write_json


@dataclass(frozen=True)
class StudyFolder:
    """The coordinator's folder of one study."""

    path: Path

    @property
    def plan_file(self) -> Path:
        return self.path / "plan.toml"

    @property
    def authority(self) -> Path:
        return self.path / "authority"

    @property
    def server(self) -> Path:
        return self.path / "server"

    @property
    def admin(self) -> Path:
        return self.path / "admin"

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    @property
    def state(self) -> Path:
        return self.path / "state"

    @property
    def audit_file(self) -> Path:
        return self.path / "audit.jsonl"

    def record(self) -> dict[str, Any]:
        """study.json: name, host, port, admin_port, sites (names), version; NetworkError if this is no study's folder."""
        if not (self.path / "study.json").is_file():
            raise NetworkError(f"{self.path} is not a study's folder (it has no study.json). Make one: wardround study new NAME "
                               "--plan PLAN --sites A,B --address HOST:PORT")
        return read_json(self.path / "study.json")


@dataclass(frozen=True)
class SiteFolder:
    """A hospital's folder of one study. Nothing in it but what it sends through NVFLARE leaves the hospital."""

    path: Path

    @property
    def key_file(self) -> Path:
        return self.path / "key.pem"

    @property
    def identity_file(self) -> Path:
        """The key with which the site signs its part in secure sums; made when a plan first asks for them."""
        return self.path / "identity.pem"

    @property
    def plan_file(self) -> Path:
        """The plan that the coordinator offers; approvals.json says whether it may be trained."""
        return self.path / "plan.toml"

    @property
    def approvals_file(self) -> Path:
        return self.path / "approvals.json"

    @property
    def limits_file(self) -> Path:
        return self.path / "limits.toml"

    @property
    def audit_file(self) -> Path:
        return self.path / "audit.jsonl"

    @property
    def flare(self) -> Path:
        return self.path / "flare"

    @property
    def memory(self) -> Path:
        return self.path / "memory"

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    @property
    def models(self) -> Path:
        return self.path / "models"

    @property
    def privacy(self) -> Path:
        """Ledgers of what plans have spent of the site's privacy budget."""
        return self.path / "privacy"

    @property
    def state(self) -> Path:
        return self.path / "state"

    @property
    def secure_file(self) -> Path:
        """The sites' keys as they were first told, and which rounds' sums this site has helped to open (network/secure.py)."""
        return self.state / "secure.json"

    def record(self) -> dict[str, Any]:
        """site.json: study, site, host, port, fingerprint (of the root certificate), data (folder, once `site ready` was told it),
        weights (file of first weights, if the plan needs one); NetworkError if this is no site's folder."""
        if not (self.path / "site.json").is_file():
            raise NetworkError(f"{self.path} is not a site's folder (it has no site.json). Make one from the invitation that the "
                               "coordinator sent: wardround site join SITE.invitation")
        return read_json(self.path / "site.json")

    def change(self, **values: Any) -> None:
        """Set keys of site.json."""
        write_json(self.path / "site.json", {**self.record(), **values})
