"""NIfTI (.nii, .nii.gz) through nibabel."""

from __future__ import annotations

import gzip
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from wardround.data.readers.image import Image, check_size, check_unpacked, damaged
from wardround.errors import ImageError

_HEAD = 540  # bytes: the header of NIfTI-2; that of NIfTI-1 has 348
MOST_BEFORE = 2**22  # bytes before the voxels: extensions of the header, which are read whole


def read(path: Path, *, limit_pixels: int) -> Image:
    """Read a volume in RAS order. A fourth axis (time, modality) becomes C; two axes are a single slice.

    Scaled integers become float32, others keep their type. ImageError "unsupported" for more than four axes, RGB or complex voxels.
    """
    from nibabel.filebasedimages import ImageFileError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # values of a damaged header that overflow
            return _read(path, limit_pixels)
    except ImageError:
        raise
    except ImageFileError as error:
        raise ImageError(f"{path}: not a NIfTI file, whatever its name says. Take it out of the data set.",
                         reason="not_an_image") from error
    except Exception as error:  # a damaged header can raise anything from the parser
        raise damaged(path, error) from error


def _read(path: Path, limit_pixels: int) -> Image:
    from nibabel.funcs import as_closest_canonical

    file = _open(path)
    dtype = file.get_data_dtype()
    if not 2 <= len(file.shape) <= 4 or dtype.kind not in "buif":
        raise ImageError(f"{path}: {len(file.shape)} axes of {dtype} voxels. Volumes of two to four axes and one "
                         "real number a voxel are read: split it before use.", reason="unsupported")
    check_size(path, file.shape, limit_pixels)
    is_scaled = (file.dataobj.slope, file.dataobj.inter) != (1, 0)
    check_unpacked(path, math.prod(file.shape) * (8 if is_scaled else dtype.itemsize))
    if len(file.shape) > 2 and not np.isfinite(file.affine).all():
        raise ImageError(f"{path}: damaged, the directions of its axes (affine) are not finite. Copy it again from its source.",
                         reason="truncated")
    turned = as_closest_canonical(file) if len(file.shape) > 2 else file  # type: ignore[no-untyped-call]
    data = np.asanyarray(turned.dataobj)
    if data.dtype.kind == "f" and data.dtype.itemsize > 4:
        data = data.astype(np.float32)
    while data.ndim < 4:
        data = data[..., None]  # (X, Y, Z, C)
    x, y, z = (*(float(step) for step in turned.header.get_zooms()[:3]), 1.0)[:3]
    return Image(pixels=np.ascontiguousarray(data.transpose(3, 2, 1, 0)), spacing_mm=(z, y, x), orientation="RAS")


def _open(path: Path) -> Any:
    """The file as nibabel reads NIfTI and no other format, whatever its name says."""
    import nibabel

    try:
        with (gzip.open if path.name.lower().endswith(".gz") else Path.open)(path, "rb") as file:
            head = file.read(_HEAD)
    except gzip.BadGzipFile:
        head = b""
    kinds: dict[int, Any] = {348: nibabel.Nifti1Image, _HEAD: nibabel.Nifti2Image}
    kind = next((kind for size, kind in kinds.items() if head[:4] in (size.to_bytes(4, "little"), size.to_bytes(4, "big"))), None)
    if kind is None:
        raise ImageError(f"{path}: not a NIfTI file, whatever its name says. Take it out of the data set.", reason="not_an_image")
    header = kind.header_class(head[:kind.header_class.template_dtype.itemsize], check=False)
    if not header["vox_offset"] <= MOST_BEFORE:  # NaN is refused too
        raise ImageError(f"{path}: {header['vox_offset']:g} bytes before its voxels, more than {MOST_BEFORE:,}. Save it anew, without "
                         "extensions of the header.", reason="too_large")
    return kind.from_filename(path)


def write_labels(labels: np.ndarray, *, like: Path, path: Path) -> None:
    """Write (D, H, W) in RAS order, whole numbers, as a NIfTI file with the voxels of `like`: its order of axes, its affine.

    ImageError "unsupported" if `like` is no NIfTI file."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.orientations import apply_orientation, axcodes2ornt, io_orientation, ornt_transform

    try:
        file = _open(like)
    except (ImageFileError, ImageError, OSError) as error:
        raise ImageError(f"{like}: a mask is written voxel by voxel beside a NIfTI file, and this is none. Convert it to NIfTI.",
                         reason="unsupported") from error
    voxels = labels.transpose(2, 1, 0)
    if len(file.shape) > 2:  # a single slice is read as it lies
        turn = ornt_transform(axcodes2ornt("RAS"), io_orientation(file.affine))  # type: ignore[no-untyped-call]
        voxels = apply_orientation(voxels, turn)  # type: ignore[no-untyped-call]
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(voxels), file.affine), path)  # type: ignore[no-untyped-call]
