"""One hostile file among a data set's images is counted, by the name of its fault, and the others are used."""

from collections import Counter
from pathlib import Path

import corpus

from wardround.data.cache import open_cache
from wardround.data.catalogue import UNKNOWN
from wardround.data.datasets.folder import READER
from wardround.data.ledger import Ledger

HOSTILE = {
    "bomb.png": (corpus.png(2**31 - 1, 2**31 - 1, data=b""), "too_large"), "empty.png": (b"", "empty_file"),
    "program.png": (b"MZ" + bytes(1000), "not_an_image"), "torn.png": (corpus.png(64, 64)[:45], "truncated"),
    "scans.jpg": (corpus.jpeg_of_scans(64, 100), "unsupported"), "claims.nii": (corpus.nifti((32_000, 32_000, 1000)), "too_large"),
    "frames.dcm": (corpus.dicom(4, 4, corpus.pixel_data(bytes(16)), frames=10**9), "too_large"),
    "script.gif": (b"GIF89a<script>alert(1)</script>", "unsupported"), "\x1b[2J.png": (b"\x1b[2J", "not_an_image"),
}


def test_each_is_counted_and_the_others_are_used(tmp_path: Path) -> None:
    for index in range(6):
        corpus.picture_of(tmp_path / ("left", "right")[index % 2] / f"{index}.png", seed=index)
    for name, (content, _) in HOSTILE.items():
        (tmp_path / "left" / name).write_bytes(content)
    catalogue = READER.read(tmp_path)
    cache = open_cache(catalogue, size=16, channels=1)
    ledger = Ledger.of(catalogue.images, failed=cache.reasons, detail=cache.details, skipped=cache.reasons)
    assert ledger.counts() == {"used": 6, "skipped": 0, "failed": len(HOSTILE)}
    assert ledger.reasons() == dict(Counter(reason for _, reason in HOSTILE.values()).most_common())
    assert {image.partition("/")[2]: reason for image, reason in zip(catalogue.images, cache.reasons, strict=True)
            if reason != UNKNOWN} == {name: reason for name, (_, reason) in HOSTILE.items()}
