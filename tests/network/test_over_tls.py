from collections.abc import Iterator
from pathlib import Path

import pytest
from field import hospitals, on_this_machine, plan_of, same_bits

from wardround.network.auditlog import verify
from wardround.network.rehearsal import Rehearsal
from wardround.session import predict

SITES = ("north", "south")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hospitals")
    hospitals(folder, *SITES)
    return folder


@pytest.fixture(scope="module")
def field(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A study of two sites, run to its end; one site's worker was killed on the way."""
    out = tmp_path_factory.mktemp("study")
    with Rehearsal(out, plan_of(*SITES), {site: data / site for site in SITES}) as field:
        field.start(with_local=True)
        field.until(lambda: field.progress.round >= 1, 120, "the first round")
        field.kill("worker", "north")
        field.finish(180)
        yield field


def test_a_study_over_tls_has_the_bits_of_the_local_engine(field: Rehearsal, data: Path, tmp_path: Path) -> None:
    assert same_bits(field.run, on_this_machine(field, data, tmp_path))


def test_results_come_by_themselves_with_each_hospital_named(field: Rehearsal) -> None:
    scores = field.run.scores()
    assert set(scores["per_site"]) == set(SITES)
    assert scores["without"] == []
    assert all(scores["per_site"][site]["local"] for site in SITES)
    assert (field.run.path / "report.html").is_file()


def test_no_row_of_a_hospital_is_at_the_coordinator(field: Rehearsal) -> None:
    names = {path.name for path in field.run.path.rglob("*")}
    assert not names & {"predictions.csv", "ledger.csv", "errors.npz"}


def test_the_final_model_goes_back_to_each_site_and_predicts_there(field: Rehearsal, data: Path) -> None:
    for site in SITES:
        (model,) = field.sites[site].models.iterdir()
        assert (model / "card.md").read_text()
        image = next(path for path in sorted((data / site).rglob("*")) if path.suffix == ".jpg")
        assert len(predict(model, [image])) == 1


def test_a_killed_worker_costs_nothing_and_is_named(field: Rehearsal) -> None:
    assert not any(event.failed for event in field.rounds())
    assert "north" in (field.run.path / "journal.jsonl").read_text()


def test_both_ends_can_prove_what_happened(field: Rehearsal) -> None:
    for path in (field.study.audit_file, *(site.audit_file for site in field.sites.values())):
        assert verify(path).ok
