"""limits.toml: what a hospital allows, whatever a plan or the server asks for. Only the hospital writes this file."""

from __future__ import annotations

import re
import tomllib
from datetime import datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from wardround.errors import NetworkError
from wardround.lookup import suggestion
from wardround.network.envelope import Envelope
from wardround.plan.problems import WANTED
from wardround.plan.schema import Plan, Positive, PrivacyPlan, Section
from wardround.runs.folder import write_text

MB = 1_000_000
Work = Literal["round", "local", "other"]  # train in a round; train alone, for the local arm; hello, evaluation, test, delivery
HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")
CHANGED_BY = "Only the hospital can change that, in limits.toml"


class Limits(Section):
    """Every key has a default; None is no limit."""

    hours: str = ""  # "20:00-06:00": training may begin only then, by this machine's clock; "": at any time
    threads: int = Field(1, ge=1)  # CPU threads of training; only 1 gives the bits of the local engine, more are faster
    gpu: bool = True  # training may use this machine's NVIDIA GPU
    memory_mb: Annotated[int, Field(ge=256)] | None = None  # of the process that trains: a plan too large fails, the machine goes on
    min_cohort: int = Field(1, ge=1)  # sites that a round asks, this one included: what few learnt together can be traced to one of them
    min_train: int = Field(1, ge=1)  # training images of this site: what was learnt from few tells more of each
    max_rounds: Annotated[int, Field(ge=1)] | None = None  # of a plan: every round tells a little more
    max_epsilon: Positive | None = None  # differential privacy a plan must promise for an image or a patient: its privacy.epsilon, at most
    require_secure: bool = False  # only plans in which the server sees sums over sites and no single site's update
    max_update_mb: Positive = 2000.0  # of one message that leaves, in 10^6 bytes
    max_order_mb: Positive = 2000.0  # of one message that comes in; it is held in memory

    @field_validator("hours")
    @classmethod
    def _are_hours(cls, hours: str) -> str:
        if hours and not HOURS.fullmatch(hours):
            raise ValueError(f"hours = {hours!r}: must be like \"20:00-06:00\", from 00:00 to 24:00")
        if hours and hours[:5] == hours[6:]:
            raise ValueError(f"hours = {hours!r}: begins when it ends; for the whole day leave hours out")
        return hours


TEMPLATE = """\
# What this hospital allows, whatever a plan or the server asks for. Nobody else can change this file or see it.
# Take the # away from a line to set its limit; the values shown are examples. A request beyond a limit is refused with the reason.

# hours = "20:00-06:00"     # training may begin only then, by this machine's clock, over midnight too; without it at any time
# threads = 2               # CPU threads of training, 1 without it; only 1 gives the very numbers of a rehearsal on one machine
# gpu = false               # training may not use this machine's NVIDIA GPU; without it, it may
# memory_mb = 8000          # memory of the process that trains; a plan that needs more fails, and the machine goes on
# min_cohort = 3            # sites that a round asks, this one included: what few learnt together can be traced to one of them
# min_train = 100           # training images of this site: what was learnt from few tells more of each
# max_rounds = 100          # rounds of a plan: every round tells a little more
# max_epsilon = 8.0         # differential privacy that a plan must promise for each image or patient: a small epsilon hides more
# require_secure = true     # only plans in which the server sees sums of at least three sites, and no single site's update
# max_update_mb = 500.0     # size of one message that leaves, in millions of bytes; 2000 without it
# max_order_mb = 500.0      # size of one message that comes in, which is held in memory; 2000 without it
"""


def write_template(path: Path) -> None:
    """Write a file that explains every limit and sets none. One that is there stays as it is: it is the hospital's."""
    if not path.exists():
        write_text(path, TEMPLATE)


def limits_of(path: Path) -> Limits:
    """Read the file. NetworkError names every problem; also if there is no file, for a limit that was lost must not be no limit."""
    try:
        return Limits.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise NetworkError(f"{path} does not exist. It says what this hospital allows; an empty file sets no limits of its own.") from None
    except tomllib.TOMLDecodeError as error:
        raise NetworkError(f"{path} is not valid TOML: {error}. Text needs quotes, e.g. hours = \"20:00-06:00\".") from error
    except UnicodeDecodeError as error:
        raise NetworkError(f"{path} is not text in UTF-8 (byte {error.start}).") from error
    except ValidationError as error:
        problems = [_problem(detail) for detail in error.errors(include_url=False)]
        told = f"{path}: {problems[0]}" if len(problems) == 1 else "\n  ".join([f"{path} has {len(problems)} problems:", *problems])
        raise NetworkError(told) from error


def refusal(limits: Limits, *, plan: Plan, envelope: Envelope, now: datetime, work: Work = "round",
            num_train: int | None = None) -> str | None:
    """Why a request is refused, in a sentence with the limit and who can change it; None if it is allowed.

    now: of the site's clock; with a time zone it is turned into the machine's. work: what is asked for; hours are for training, and
    min_cohort is for rounds. num_train: the site's training images, where known.
    """
    if found := refusal_of_plan(limits, plan, num_train=num_train):
        return found
    if limits.max_rounds is not None and envelope.round > limits.max_rounds:
        return _sentence(f"the server asks for round {envelope.round}", f"at most {limits.max_rounds}", "max_rounds")
    if work == "round" and envelope.cohort < limits.min_cohort:
        return _sentence(f"the round asks {_sites(envelope.cohort)}", f"at least {limits.min_cohort}", "min_cohort")
    if work != "other" and not _is_within(limits.hours, now):
        return _sentence(f"it is {_local(now):%H:%M} here", f"training to begin within {limits.hours}", "hours")
    return None


def refusal_of_plan(limits: Limits, plan: Plan, *, num_train: int | None = None) -> str | None:
    """What of it is known before anything is asked, so that it can be said when the plan is shown."""
    if limits.max_rounds is not None and plan.rounds.num > limits.max_rounds:
        return _sentence(f"the plan has {plan.rounds.num} rounds", f"at most {limits.max_rounds}", "max_rounds")
    if plan.attack.kind != "none":
        return f"the plan makes sites malicious (attack.kind = '{plan.attack.kind}'), which is for simulations and never for a study."
    if limits.max_epsilon is not None and (lack := _lack_of_privacy(plan.privacy, limits.max_epsilon)):
        return _sentence(lack, f"only plans that promise an image or a patient an epsilon of at most {limits.max_epsilon:g}", "max_epsilon")
    if limits.require_secure and not plan.aggregation.secure:
        return _sentence("the plan lets the server see this site's own updates (aggregation.secure = false)",
                         "only plans with aggregation.secure = true", "require_secure")
    if plan.engine.device == "cuda" and not limits.gpu:
        return _sentence("the plan trains on an NVIDIA GPU only (engine.device = 'cuda')", "training on the CPU only", "gpu")
    if num_train is not None and num_train < limits.min_train:
        return _sentence(f"this site has {num_train} training images", f"training on {limits.min_train} or more", "min_train")
    return None


def too_large(limits: Limits, num_bytes: int, way: Literal["in", "out"]) -> str | None:
    """Why a message of so many bytes is not taken ("in") or not sent ("out"); None if it may."""
    most, key, cause = {"in": (limits.max_order_mb, "max_order_mb", "a message that came"),
                        "out": (limits.max_update_mb, "max_update_mb", "a message to be sent")}[way]
    if num_bytes <= most * MB:
        return None
    return _sentence(f"{cause} has {num_bytes:,} bytes", f"at most {most:g} MB", key)


def _lack_of_privacy(privacy: PrivacyPlan, most: float) -> str | None:
    """What a plan does not promise that should; None if its epsilon, of an image or of a patient, is small enough."""
    if privacy.unit not in ("image", "patient"):
        by_whom = " (of privacy.unit = 'site' the noise is added by the server, after it has seen the updates)" * (privacy.unit == "site")
        return "the plan promises no bound on what this site's updates tell of an image or a patient: its privacy.unit is " \
               f"'{privacy.unit}'{by_whom}; 'image' or 'patient' would"
    return f"the plan's privacy.epsilon is {privacy.epsilon:g}" if privacy.epsilon > most else None


def _sentence(cause: str, allowed: str, key: str) -> str:
    return f"{cause}, and this site allows {allowed} ({key}). {CHANGED_BY}."


def _sites(num: int) -> str:
    return f"{num} site" if num == 1 else f"{num} sites"


def _local(now: datetime) -> datetime:
    return now if now.tzinfo is None else now.astimezone()


def _is_within(hours: str, now: datetime) -> bool:
    """The first minute is within, the last is not; a window that ends before it begins goes over midnight."""
    if not hours:
        return True
    start, end, here = time.fromisoformat(hours[:5]), hours[6:], _local(now).time()
    if end == "24:00":
        return here >= start
    last = time.fromisoformat(end)
    return start <= here < last if start < last else here >= start or here < last


def _problem(detail: Any) -> str:
    """A problem of the file, worded as plan/problems.py words those of plans."""
    key, found, kind = ".".join(map(str, detail["loc"])), detail["input"], detail["type"]
    if kind == "extra_forbidden":
        known = list(Limits.model_fields)
        return f"unknown key '{key}'.{suggestion(key, known) or ' Keys: ' + ', '.join(known) + '.'}"
    if kind == "value_error":
        return f"{detail['ctx']['error']}."
    return f"{key} = {found!r}: {WANTED.get(kind, detail['msg']).format(**detail.get('ctx', {}))}."
