"""Which study, and which site, a command is about: the folder that was named, or the only one here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wardround.network.folders import SiteFolder, StudyFolder


def study_at(named: Path | None) -> StudyFolder:
    """The study's folder; NetworkError if it is none, or none was named and there is not exactly one here."""
    from wardround.network.folders import StudyFolder

    study = StudyFolder(named or the_one("study.json", "a study", "wardround study new NAME --plan PLAN --sites A,B --address HOST:PORT"))
    study.record()
    return study


def site_at(named: Path | None) -> SiteFolder:
    """The site's folder; NetworkError as of `study_at`."""
    from wardround.network.folders import SiteFolder

    site = SiteFolder(named or the_one("site.json", "a site", "wardround site join SITE.invitation"))
    site.record()
    return site


def the_one(file: str, what: str, maker: str) -> Path:
    """The only folder that holds such a file, of the working folder and those in it."""
    from wardround.errors import NetworkError

    found = [path.parent for path in (Path(file), *sorted(Path().glob(f"*/{file}"))) if path.is_file()]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NetworkError(f"the folder of {what} is neither here nor in a folder in here: name it, or make one with {maker}")
    raise NetworkError(f"there are {len(found)} folders of {what} here; name one: {', '.join(map(str, found))}")
