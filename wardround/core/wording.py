"""Events in a few plain words, the same in a terminal and in a notebook."""

from __future__ import annotations

from math import isfinite

from wardround.core.events import Event, Note, Progress, RoundFinished, RunFinished, RunStarted, WorkerRestarted

STAGES = {"phantom": "Drawing phantoms", "decode": "Decoding images", "hash": "Comparing images", "bootstrap": "Intervals",
          "report": "Report", "download": "Downloading (MB)", "unpack": "Unpacking",
          "audit": "Attacking", "predict": "Answering", "explain": "Heat maps"}
PHANTOM = "These images are PHANTOMS, drawn by a program: the numbers say nothing about patients."


class RoundFacts:
    """A round in a few words, with the last validation score: not every round is scored."""

    def __init__(self) -> None:
        self._scored: dict[str, str] = {}
        self._metrics: dict[str, str] = {}

    def begin(self, event: RunStarted) -> None:
        """Remember which metric the run is chosen by."""
        self._metrics[event.run] = event.metric

    def of(self, event: RoundFinished) -> str:
        """ "loss 0.412, val balanced_accuracy 0.830", with the sites that failed."""
        name = self._metrics.get(event.run, "")
        if name in event.val:
            self._scored[event.run] = f"val {name} {event.val[name]:.3f}"
        loss = f"loss {event.train_loss:.3f}" if isfinite(event.train_loss) else "loss kept at the sites"
        facts = [loss, *filter(None, [self._scored.get(event.run)])]
        if event.failed:
            facts.append(f"without {', '.join(sorted(event.failed))}")
        return ", ".join(facts)

    def of_end(self, event: RunFinished) -> str:
        """ "best round 12, test balanced_accuracy 0.91", with the sites that were dropped."""
        facts, name = [f"best round {event.best_round}"], self._metrics.get(event.run, "")
        if name in event.metrics:
            facts.append(f"test {name} {event.metrics[name]:.3f}")
        if event.stopped_early:
            facts.append("stopped early")
        if event.without:
            facts.append(f"finished without {', '.join(event.without)}")
        return ", ".join(facts)


def stage(event: Progress) -> str:
    """The stage's name, after the run's if there is one."""
    return " ".join(filter(None, [event.run, STAGES.get(event.stage, event.stage)]))


def sentence(event: Event) -> str:
    """What a user should read of a note or a restart; "" of other events."""
    match event:
        case Note():
            return f"{event.run}: {event.text}" if event.run else event.text
        case WorkerRestarted():
            return f"{event.run}: the worker training {event.site} died ({event.cause}); it was restarted and its work repeated"
    return ""
