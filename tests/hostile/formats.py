"""The formats that are fuzzed: honest files to begin with, the words of each, and the door of wardround that reads them."""

from __future__ import annotations

import io
import json
import pickle
import re
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import corpus
import numpy as np
import safetensors.numpy
import torch
from mutants import mutant, with_checksums
from PIL import Image as pillow

from wardround.core.events import Note, RoundFinished, RunFinished, RunStarted, to_record
from wardround.core.exchange import Update
from wardround.core.params import Layout, Params
from wardround.data.datasets.manifest import READER as MANIFEST
from wardround.data.datasets.medmnist import PNEUMONIA
from wardround.data.fetch.unpack import unpack
from wardround.data.geometry import prepared_volume
from wardround.data.legacy import datasets, modules
from wardround.data.readers.image import load, load_picture, read_image, to_uint8
from wardround.errors import WardroundError
from wardround.fleet.wire import decode, encode, kinds_of
from wardround.models.weights import read_tensors
from wardround.network.envelope import Envelope
from wardround.network.messages import Hello, SiteSummary
from wardround.plan.load import dump_plan, load_plan
from wardround.plan.schema import Plan, Recipe
from wardround.report import story, tables
from wardround.report.material import primary_metric, read_run, understood
from wardround.strategies.fedavg import FedAvg

LAYOUT = Layout.of([("fc.weight", torch.zeros(2, 3), True), ("fc.bias", torch.zeros(2), True)])
TABLE = kinds_of(FedAvg(recipe=Recipe()), Update, Hello, SiteSummary)


@dataclass(frozen=True, kw_only=True)
class Format:
    """make: the honest files. read: what wardround does with a file of this name. finish: what is put around a mutant in half of the
    cases, so that what is inside a compressed or summed file is changed too."""

    name: str
    make: Callable[[], Sequence[bytes]]
    read: Callable[[Path], object]
    words: Sequence[bytes] = ()
    finish: Callable[[bytes], bytes] | None = None

    def mutant(self, number: int) -> bytes:
        made = mutant(self.make(), self.words, self.name, number)
        return self.finish(made) if self.finish is not None and number % 2 else made


def grey(side: int = 24) -> pillow.Image:
    return pillow.fromarray((np.arange(side * side) % 251).astype(np.uint8).reshape(side, side))


def pictures(form: str) -> Sequence[bytes]:
    further = {"JPEG": [{"progressive": True}], "TIFF": [{"compression": "tiff_lzw"}, {"save_all": True, "append_images": [grey()]}]}
    return [corpus.saved(grey(), form), corpus.saved(grey().convert("RGB"), form),
            *(corpus.saved(grey(), form, **options) for options in further.get(form, [{}]))]


def seen(path: Path) -> None:
    """A picture by both doors."""
    load_picture(path.parent, path.name)
    to_uint8(read_image(path))


def volume(path: Path) -> None:
    prepared_volume(read_image(path), spacing_mm=1.0)


def saved(value: object, **options: object) -> bytes:
    memory = io.BytesIO()
    torch.save(value, memory, **options)  # type: ignore[arg-type]
    return memory.getvalue()


def same_keys(content: bytes) -> bytes:
    """A file in the older format of torch.save, whose storages are named by their place in memory, with names that stay the same."""
    names: dict[bytes, bytes] = {}
    return re.sub(rb"X[\x0a-\x14]\0\0\0(\d{10,20})",
                  lambda found: b"X\x01\0\0\0" + names.setdefault(found[1], b"%d" % len(names)), content)


def tensors_of(path: Path) -> None:
    """A file of torch.save by both doors: first weights, and conversion."""
    for read in (read_tensors, modules.state_of):
        try:
            read(path)
        except WardroundError as error:
            refused = error
        else:
            refused = None
    if refused is not None:
        raise refused


def converted(path: Path) -> None:
    try:
        datasets.convert(path, path.with_name("folder"))
    finally:
        shutil.rmtree(path.with_name("folder"), ignore_errors=True)


def unpacked(path: Path) -> None:
    try:
        unpack(path, path.with_name("folder"), limit_bytes=10**7)
    finally:
        shutil.rmtree(path.with_name("folder"), ignore_errors=True)


def arrays(path: Path) -> None:
    load(path.parent, f"{path.name}#train_images/0")
    PNEUMONIA.read(path)


def message(path: Path) -> None:
    envelope, _ = decode(path.read_bytes(), TABLE, LAYOUT)
    Envelope.of(envelope)


def run_of(path: Path) -> None:
    """A run's folder whose scores, journal or predictions are the mutant, as the terminal shows it."""
    folder = path.with_name("run")
    folder.mkdir(exist_ok=True)
    for name, content in run_files().items():
        (folder / name).write_bytes(content)
    data = path.read_bytes()
    name = "predictions.csv" if data[:4] == b"case" else "journal.jsonl" if data[:8] == b'{"event"' else "scores.json"
    (folder / name).write_bytes(data)
    try:
        with understood(folder):
            run = read_run(folder)
            metric = primary_metric(run)
            tables.per_site_table(run.scores, metric)
            story.run_headline(run, metric)
            story.outcome(run)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_files() -> Mapping[str, bytes]:
    """A finished run's files, the smallest there can be."""
    entry = {"value": 0.8, "low": 0.7, "high": 0.9}
    events = [RunStarted(arm="federated", num_rounds=1, num_sites=1, num_train=5, num_parameters=8, phantom=True),
              RoundFinished(round=1, lr=0.1, train_loss=0.5, train_loss_by_site={"north": 0.5}, val={"auroc": 0.8}), Note(text="a note"),
              RunFinished(rounds=1, best_round=1, stopped_early=False, seconds=1.0, metrics={"auroc": 0.8})]
    scores = {"arm": "federated", "task": "binary", "phantom": True, "rounds": 1, "best_round": 1, "seconds": 1.0, "num_train": 5,
              "num_test": 2, "threshold": 0.5, "temperature": 1.0, "metrics": {"auroc": entry, "accuracy": entry}, "classes": ["no", "yes"],
              "per_site": {"north": {"num_train": 5, "num_val": 1, "num_test": 2, "metrics": {"auroc": entry}}},
              "confusion": [[1, 0], [0, 1]], "without": [], "regions": {}, "published": None, "uncalibrated": {"ece": 0.1, "brier": 0.2},
              "bytes_up": 0, "bytes_down": 0}
    return {"scores.json": json.dumps(scores).encode(), "plan.toml": b'name = "x"\n',
            "journal.jsonl": b"".join(json.dumps(to_record(event)).encode() + b"\n" for event in events),
            "predictions.csv": b"case,group,site,split,truth,p_no,p_yes\na,b,north,test,yes,0.2,0.8\nc,d,north,test,no,0.9,0.1\n"}


def array_file(content: bytes) -> bytes:
    """An array file with this content in place of its labels."""
    images = io.BytesIO()
    np.save(images, np.zeros((3, 4, 4), np.uint8))
    labels = io.BytesIO()
    np.save(labels, np.zeros((3, 1), np.uint8))
    return corpus.zipped({**{f"{split}_images.npy": images.getvalue() for split in ("train", "val", "test")},
                          **{f"{split}_labels.npy": labels.getvalue() for split in ("val", "test")}, "train_labels.npy": content},
                         compression=zipfile.ZIP_DEFLATED)


def array_seeds() -> Sequence[bytes]:
    content = io.BytesIO()
    np.save(content, np.zeros((3, 1), np.uint8))
    return [array_file(content.getvalue()), content.getvalue()]


def plans() -> Sequence[bytes]:
    return [dump_plan(Plan(name="x")).encode(), b'name = "y"\n[sites]\nnames = ["a", "b"]\nnum = 2\n']


def messages() -> Sequence[bytes]:
    envelope = Envelope(run="r", plan="ab" * 32, site="north", round=1, nonce="cd" * 16)
    update = Update(site="north", num_examples=3, delta=Params(torch.zeros(8), LAYOUT), num_steps=2, train_loss=0.1)
    return [encode(replace(envelope, notes=("x",)).record(), found) for found in (update, Hello(plan='name = "x"'), SiteSummary(
        site="north", scores={"auroc": {"value": 0.5}}, replicates=np.zeros((2, 3))))]


def dicoms() -> Sequence[bytes]:
    pixels = corpus.pixel_data(bytes(range(64)))
    rle = corpus.fragments(b"\1\0\0\0\x40\0\0\0" + bytes(56) + b"\xc1\0")
    return [corpus.dicom(8, 8, pixels), corpus.dicom(8, 8, rle, syntax=corpus.RLE),
            corpus.dicom(8, 8, pixels, before=corpus.nested(2), further=corpus.element(0x28, 0x1053, b"DS", b"2")),
            corpus.dicom(24, 24, corpus.fragments(corpus.saved(grey(), "JPEG")), syntax=corpus.JPEG),
            corpus.dicom(8, 8, pixels, photometric=b"MONOCHROME1", further=corpus.element(0x28, 0x1050, b"DS", b"40")
                         + corpus.element(0x28, 0x1051, b"DS", b"80"))]


def niftis() -> Sequence[bytes]:
    return [corpus.nifti((4, 4, 4), bytes(range(64))), corpus.nifti((4, 4, 4), bytes(range(128)), code=4, bits=16, slope=2.0),
            corpus.nifti_2((4, 4, 4), bytes(range(64)))]


def packed_niftis() -> Sequence[bytes]:
    return [*map(corpus.gzip_of, niftis()), *niftis()]


def old_sets() -> Sequence[bytes]:
    images = [np.full((4, 4), value, np.uint8) for value in range(3)]
    return [pickle.dumps([[0, 1, 0], images], protocol) for protocol in (0, 2, 5)] + [
        pickle.dumps({"images": np.stack(images), "labels": np.array([0, 1, 0]), "patients": ["a", "b", "c"]}, 4)]


def old_models() -> Sequence[bytes]:
    state = {"fc.weight": torch.zeros(2, 3), "fc.bias": torch.zeros(2)}
    whole = torch.nn.Linear(3, 2)
    whole.load_state_dict({"weight": torch.zeros(2, 3), "bias": torch.zeros(2)})
    older = same_keys(saved({"fc.weight": torch.zeros(2, 3)}, _use_new_zipfile_serialization=False))  # of one storage: their order varies
    return [saved(state), older, saved({"state_dict": state, "epoch": 3}), saved(whole)]


def tensor_files() -> Sequence[bytes]:
    return [safetensors.numpy.save({"fc.weight": np.zeros((2, 3), np.float32), "fc.bias": np.zeros(2, np.float32)})]


def zips() -> Sequence[bytes]:
    entries = {"a/1.png": b"one" * 20, "b.txt": b""}
    return [corpus.zipped(entries), corpus.zipped(entries, compression=zipfile.ZIP_DEFLATED)]


def csvs() -> Sequence[bytes]:
    return [b"image,label,patient,site,split\na.png,x,p1,s,train\nb.png,y,p2,s,test\n", b'image;label\n"a,b.png";x|y\nc.png;y\n']


PICKLED = (b"cos\nsystem\n", b"c__builtin__\neval\n", b"\x93", b"R", b"\x81", b"b", b"(", b"t", b".", b"\x95", b"cnumpy\nload\n", b"2",
           b"0", b"cnumpy.core.multiarray\n_reconstruct\n", b"\x8e\xff\xff\xff\xff\0\0\0\0", b"ctorch._utils\n_rebuild_tensor_v2\n")
TEXT = (b"[", b"]", b"{", b"}", b'"', b"\0", b"\x1b[2J", b"<script>", b"9" * 5000, b"[" * 2000, b"nan", b"-1", b"1e999", b"\xff",
        b"\\u0000")

FORMATS: Mapping[str, Format] = {found.name: found for found in (
    Format(name="safetensors", make=tensor_files, read=read_tensors,
           words=(b'"F32"', b'"F64"', b'"data_offsets":[0,0]', b'"shape":[]', *TEXT)),
    Format(name="npz", make=array_seeds, read=arrays, finish=array_file,
           words=(b"'|O'", b"'<U99999999'", b"(99999999999,)", b"True", *TEXT)),
    Format(name="pt", make=old_models, read=tensors_of, words=PICKLED),
    Format(name="p", make=old_sets, read=converted, words=PICKLED),
    Format(name="dcm", make=dicoms, read=volume,
           words=(b"\xfe\xff\x00\xe0", b"\xff\xff\xff\xff", b"SQ\0\0", b"UN\0\0", b"\x28\0\x10\0US\x02\0")),
    Format(name="nii", make=niftis, read=volume, words=(b"n+1\0", b"n+2\0", b"\0\0\x80\x7f", b"\0\0\xc0\x7f", b"\0\x08")),
    Format(name="nii.gz", make=packed_niftis, read=volume, words=(b"\x1f\x8b\x08",), finish=corpus.gzip_of),
    Format(name="png", make=lambda: pictures("PNG"), read=seen, finish=with_checksums,
           words=(b"IDAT", b"PLTE", b"tRNS", b"iCCP", b"zTXt", b"acTL", b"eXIf")),
    Format(name="jpg", make=lambda: pictures("JPEG"), read=seen,
           words=(b"\xff\xd8", b"\xff\xc0", b"\xff\xc2", b"\xff\xda", b"\xff\xc4", b"\xff\xe1")),
    Format(name="tif", make=lambda: pictures("TIFF"), read=seen,
           words=(b"II*\0", b"\x42\1\4\0", b"\x43\1\4\0", b"\x16\1\4\0", b"\x03\1\3\0")),
    Format(name="zip", make=zips, read=unpacked, words=(b"PK\1\2", b"PK\3\4", b"PK\5\6", b"../", b"/", b"\\", b"\0")),
    Format(name="toml", make=plans, read=load_plan,
           words=(b"[[x]]", b"[a.b.c]", b"= 0x", b"'''", b"{a={b={}}}", b"1979-05-27T07:32:00Z", *TEXT)),
    Format(name="csv", make=csvs, read=lambda path: MANIFEST.read(path),
           words=(b"../", b"/", b"=cmd", b"\r", b"\n", b",", b";", b"|", *TEXT)),
    Format(name="json", make=lambda: [run_files()[name] for name in ("scores.json", "journal.jsonl", "predictions.csv")], read=run_of,
           words=(b"null", b"true", b"NaN", b"Infinity", b"{}", b"[]", b'"x":', *TEXT)),
    Format(name="message", make=messages, read=message,
           words=(b'"kind"', b'"whole"', b'"packed"', b'"array"', b'"F64"', b'"shape":[]', *TEXT)),
)}
