import subprocess
import sys

FRESH = """
import sys, warnings
import wardround.models.resnet, wardround.models.densenet, wardround.models.build
assert "monai" not in sys.modules, "imported before a network was asked for"
from wardround.models.monai import network
shown, filters = warnings.showwarning, list(warnings.filters)
assert network("resnet", "ResNet").__name__ == "ResNet"
assert warnings.showwarning is shown and warnings.filters == filters, "the import changed how warnings are shown"
"""


def test_import_waits_until_a_network_is_asked_for_and_is_silent() -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", FRESH], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
