"""What the package never does, whatever it is given: unpickle, evaluate, or load code by a name in a file."""

import ast
import re
from functools import cache
from pathlib import Path

import wardround

PACKAGE = Path(wardround.__file__).parent
CALLS = {"eval", "exec", "os.system", "pickle.load", "pickle.loads", "pickle.Unpickler", "torch.hub.load", "tempfile.mktemp"}
MODULES = {"joblib", "dill", "shelve", "marshal", "yaml", "xml", "cloudpickle"}
KEYWORDS = {("allow_pickle", True), ("shell", True), ("verify", False), ("autoescape", False), ("trust_remote_code", True)}


@cache
def trees() -> list[tuple[Path, ast.Module]]:
    return [(path.relative_to(PACKAGE), ast.parse(path.read_text())) for path in sorted(PACKAGE.rglob("*.py"))]


@cache
def calls() -> list[tuple[Path, ast.Call]]:
    return [(path, node) for path, tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Call)]


def test_nothing_is_called_that_runs_what_it_is_given() -> None:
    assert [f"{path}:{call.lineno}" for path, call in calls() if ast.unparse(call.func) in CALLS] == []


def test_nothing_is_imported_that_could() -> None:
    found = [f"{path}: {name}" for path, tree in trees() for node in ast.walk(tree) for name in
             ([alias.name for alias in node.names] if isinstance(node, ast.Import) else
              [node.module or ""] if isinstance(node, ast.ImportFrom) else []) if name.partition(".")[0] in MODULES]
    assert found == []


def test_pickle_is_imported_for_the_name_of_an_error_alone() -> None:
    users = {path.as_posix() for path, tree in trees() for node in ast.walk(tree)
             if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pickle" and node.attr != "UnpicklingError"}
    assert users == set()


def test_torch_load_is_called_for_tensors_only_and_numpy_never_for_objects() -> None:
    loads = [(path, call) for path, call in calls() if ast.unparse(call.func) == "torch.load"]
    assert loads
    assert all("weights_only=True" in ast.unparse(call) for _, call in loads)
    assert [f"{path}:{call.lineno}" for path, call in calls() for keyword in call.keywords
            if isinstance(keyword.value, ast.Constant) and (keyword.arg, keyword.value.value) in KEYWORDS] == []


def test_broken_pictures_are_never_filled_up_and_archives_never_unpacked_whole() -> None:
    text = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    assert not re.search(r"LOAD_TRUNCATED_IMAGES|\.extractall\(|CERT_NONE|_create_unverified_context", text)


def test_only_constants_are_marked_as_safe_in_the_report() -> None:
    """What autoescape leaves alone are three pieces of HTML that are written in the template itself."""
    text = "".join(path.read_text() for path in (PACKAGE / "report" / "templates").glob("*.j2"))
    assert set(re.findall(r"('[^']*')\|safe", text)) == {"' class=\"caution\"'", "' class=\"narrow\"'", "' class=\"number\"'"}
    assert len(re.findall(r"\|\s*safe", text)) == len(re.findall(r"'\|safe", text))
