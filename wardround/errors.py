"""Every error that wardround raises on purpose.

WardroundError                 1   anything without a better home
├── PlanError                  2   a plan has an unknown key, a wrong type or an impossible value
│   ├── UnknownName            2   a model, strategy, dataset ... of that name does not exist
│   └── MissingExtra           2   an optional package is needed and not installed
├── DataError                  3   the images or their table cannot be used
│   ├── CatalogueError         3   the table of images is wrong or empty
│   ├── ImageError             3   one image cannot be decoded (carries a reason code)
│   └── PartitionError         3   the asked-for division among sites is impossible
├── SiteError                  1   one site failed; the run goes on without it
├── AggregationError           1   an update cannot be used
├── TooFewSites                4   fewer sites replied than the plan demands
├── PrivacyError               5   a privacy budget would be passed
├── NetworkError               1   a study's server, site, certificate or message cannot be used
│   └── WireError              1   a message from outside does not hold what it should
└── Resumable                  6   stopped in a state that --resume continues
    └── CheckpointError        6   a checkpoint cannot be written or read

The number is the exit code of the command line (design.md, section 7). Messages name the file or site and the remedy; they
hold no patient identifier and no pixels.
"""

from __future__ import annotations


class WardroundError(Exception):
    """Base of every expected failure."""

    exit_code = 1


class PlanError(WardroundError):
    """A plan or a command-line value cannot be used."""

    exit_code = 2


class UnknownName(PlanError):
    """No model, strategy, dataset, ... has this name."""


class MissingExtra(PlanError):
    """An optional package is needed and not installed."""


class DataError(WardroundError):
    """The images or their table cannot be used."""

    exit_code = 3


class CatalogueError(DataError):
    """The table of images is wrong or empty."""


class ImageError(DataError):
    """One image cannot be decoded. `reason` is the code written to the case ledger."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class PartitionError(DataError):
    """Patients cannot be divided among the sites as asked."""


class SiteError(WardroundError):
    """One site failed."""


class AggregationError(WardroundError):
    """An update cannot be used."""


class TooFewSites(WardroundError):
    """Fewer sites replied than the plan demands."""

    exit_code = 4


class PrivacyError(WardroundError):
    """A privacy budget would be passed."""

    exit_code = 5


class NetworkError(WardroundError):
    """A study's server, site, certificate or message cannot be used."""


class WireError(NetworkError):
    """A message from outside does not hold what it should."""


class Resumable(WardroundError):
    """The run stopped and `--resume` continues it."""

    exit_code = 6


class CheckpointError(Resumable):
    """A checkpoint cannot be written or read."""
