"""DICOM that unpacks without end, nests without end, or is a program too."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import corpus
import pytest
from corpus import DEFLATED, JPEG, RLE, dicom, element, fragments, pixel_data, unsigned
from PIL import Image as pillow

from wardround.data.readers.image import read_image
from wardround.errors import ImageError

RUN = struct.pack("<16I", 1, 64, *[0] * 14)  # an RLE frame of one segment


def deflated(num_bytes: int) -> bytes:
    """A deflated DICOM that unpacks to so many bytes."""
    plain = dicom(4, 4, pixel_data(bytes(16)), syntax=DEFLATED)
    start = plain.index(struct.pack("<HH", 0x28, 2))
    return plain[:start] + corpus.deflated(num_bytes, wbits=-zlib.MAX_WBITS, head=plain[start:])


def without_preamble(content: bytes) -> bytes:
    return content[132:]


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "4 billion pixels": (lambda: dicom(65_535, 65_535, pixel_data(bytes(4))), "too_large"),
    "a billion frames": (lambda: dicom(4, 4, pixel_data(bytes(16)), frames=10**9), "too_large"),
    "minus one frame": (lambda: dicom(4, 4, pixel_data(bytes(16)), frames=-1), "truncated"),
    "no rows": (lambda: dicom(0, 4, pixel_data(bytes(16))), "truncated"),
    "fewer pixels than it says": (lambda: dicom(1000, 1000, pixel_data(bytes(4))), "truncated"),
    "300 bytes and 100 million pixels of 64 bits": (lambda: dicom(10_000, 10_000, pixel_data(bytes(4)), bits=64), "too_large"),
    "deflated, 2 MB that unpack to 2 GB": (lambda: deflated(2**31), "too_large"),
    "deflated, without its preamble": (lambda: without_preamble(deflated(2**29)), "too_large"),
    "deflated, cut short": (lambda: deflated(2**20)[:-20], "truncated"),
    "runs of zeros, which rescaling makes larger": (
        lambda: dicom(8000, 8000, fragments(RUN + b"\x81\0" * 500_000), syntax=RLE, further=element(0x28, 0x1053, b"DS", b"2")),
        "too_large"),
    "a frame that is another, larger JPEG": (
        lambda: dicom(16, 16, fragments(corpus.saved(pillow.new("L", (12_000, 12_000)), "JPEG")), syntax=JPEG), "unsupported"),
    "sequences in sequences, 5,000 deep": (lambda: dicom(4, 4, pixel_data(bytes(16)), before=corpus.nested(5000)), "truncated"),
    "200,000 elements": (
        lambda: dicom(4, 4, pixel_data(bytes(16)), before=b"".join(element(9, i % 0xE000, b"LO", b"") for i in range(200_000))),
        "too_large"),
    "an element longer than the file": (
        lambda: dicom(4, 4, b"", before=struct.pack("<HH2sHI", 9, 0x1000, b"OB", 0, 2**31)), "not_an_image"),
    "a palette in segments": (
        lambda: dicom(4, 4, pixel_data(bytes(16)), photometric=b"PALETTE COLOR", further=b"".join(
            [*(element(0x28, 0x1101 + i, b"US", struct.pack("<3H", 0, 0, 16)) for i in range(3)),
             *(element(0x28, 0x1221 + i, b"OW", struct.pack("<3H", 0, 65_535, 0) * 1000) for i in range(3))])), "unsupported"),
    "no pixels": (lambda: dicom(4, 4, b""), "not_an_image"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_by_the_name_of_its_fault(case: str, tmp_path: Path) -> None:
    make, reason = REFUSED[case]
    (tmp_path / "hostile.dcm").write_bytes(make())
    with pytest.raises(ImageError, match=r"hostile\.dcm: ") as caught:
        read_image(tmp_path / "hostile.dcm")
    assert caught.value.reason == reason


def test_a_file_that_is_a_program_too_is_read_as_an_image_alone(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(dicom(4, 4, pixel_data(bytes(16)), preamble=b"MZ\x90" + bytes(125)))
    image = read_image(tmp_path / "a.dcm")
    assert image.pixels.shape == (1, 1, 4, 4)
    assert not image.pixels.any()


def test_an_honest_deflated_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(deflated(1000))
    assert read_image(tmp_path / "a.dcm").pixels.shape == (1, 1, 4, 4)


def test_colour_frames_are_not_taken_for_a_bomb(tmp_path: Path) -> None:
    """A cine of 35 million samples in a file that is small because its frames are black."""
    frame = corpus.saved(pillow.new("RGB", (480, 480)), "JPEG")
    pixels = fragments(*[frame] * 50)
    (tmp_path / "a.dcm").write_bytes(dicom(480, 480, pixels, frames=50, samples=3, photometric=b"YBR_FULL_422", syntax=JPEG,
                                           further=unsigned(0x28, 6, 0)))
    assert read_image(tmp_path / "a.dcm").pixels.shape == (3, 50, 480, 480)
