"""The example notebooks: clean as committed, and run from top to bottom on phantoms."""

import asyncio
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
FASTER = {  # settings of the cell after "parameters", and what the shown results must name
    "classification": (["data.phantoms=120", "rounds.num=4", "rounds.evaluate_every=2"], ("Federated against pooled", "Balanced accuracy")),
    "findings": (["data.phantoms=150", "rounds.num=2", "model.width=0.125"], ("Mean AUROC", "<progress", "whole")),
    "segmentation": (["rounds.num=2", "data.size=32"], ("Dice", "Test patients", 'alt="overlays"')),
}
QUICK = ["evaluation.resamples=100", "engine.workers=1"]


def read(name: str) -> NotebookNode:
    return nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)


@pytest.fixture
def jupyter_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Nothing of the user's Jupyter is read or written; short, for the path of a socket has at most 107 characters."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
            monkeypatch.setenv(name, folder)
        monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        yield Path(folder)


def executed(name: str, folder: Path, home: Path) -> NotebookNode:
    """The notebook with its outputs. The kernel is this Python; it is spoken to over sockets of the file system."""
    notebook = read(name)
    (place,) = [i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])]
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(f"SETTINGS += {[*FASTER[name][0], *QUICK]}"))
    over_files = Config({"KernelManager": {"transport": "ipc", "ip": str(home / "k")}})
    client = NotebookClient(notebook, kernel_name="python3", timeout=120, resources={"metadata": {"path": str(folder)}}, config=over_files)
    asyncio.run(client.async_execute())
    return notebook


def outputs(notebook: NotebookNode) -> list[Any]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def test_every_notebook_is_tested() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob("*.ipynb")) == sorted(FASTER)


@pytest.mark.parametrize("name", FASTER)
def test_a_notebook_is_committed_without_results(name: str) -> None:
    notebook = read(name)
    nbformat.validate(notebook)
    assert outputs(notebook) == []
    assert {cell.execution_count for cell in notebook.cells if cell.cell_type == "code"} == {None}
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.parametrize("name", FASTER)
def test_a_notebook_runs_and_shows_its_results(name: str, tmp_path: Path, jupyter_home: Path) -> None:
    notebook = executed(name, tmp_path, jupyter_home)
    found = outputs(notebook)
    assert not [output.text for output in found if output.output_type == "stream" and output.name == "stderr"]
    shown = "".join(output.data.get("text/html", "") for output in found if "data" in output)
    for part in ("These images are PHANTOMS", "data:image/png;base64,", "report.html", *FASTER[name][1]):
        assert part in shown
    assert max(len(cell.outputs) for cell in notebook.cells if cell.cell_type == "code") <= 2  # bars and result: one block each
    assert re.search(r'<progress value="(\d+)" max="\1">', shown)  # the bars end full
    assert list(tmp_path.glob("runs/*/*/scores.json"))
