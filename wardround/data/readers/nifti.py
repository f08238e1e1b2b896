"""NIfTI (.nii, .nii.gz) through nibabel."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from wardround.data.readers.image import Image, check_size, damaged
from wardround.errors import ImageError


def read(path: Path, *, limit_pixels: int) -> Image:
    """Read a volume in RAS order. A fourth axis (time, modality) becomes C; two axes are a single slice.

    Scaled integers become float32, others keep their type. ImageError "unsupported" for more than four axes or RGB voxels.
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
    import nibabel
    from nibabel.funcs import as_closest_canonical

    file: Any = nibabel.load(path)
    if not 2 <= len(file.shape) <= 4 or file.get_data_dtype().names:
        raise ImageError(f"{path}: {len(file.shape)} axes of {file.get_data_dtype()} voxels. Volumes of two to four axes and one "
                         "number a voxel are read: split it before use.", reason="unsupported")
    check_size(path, file.shape, limit_pixels)
    turned = as_closest_canonical(file) if len(file.shape) > 2 else file  # type: ignore[no-untyped-call]
    data = np.asanyarray(turned.dataobj)
    if data.dtype == np.float64:
        data = data.astype(np.float32)
    while data.ndim < 4:
        data = data[..., None]  # (X, Y, Z, C)
    x, y, z = (*(float(step) for step in turned.header.get_zooms()[:3]), 1.0)[:3]
    return Image(pixels=np.ascontiguousarray(data.transpose(3, 2, 1, 0)), spacing_mm=(z, y, x), orientation="RAS")


def write_labels(labels: np.ndarray, *, like: Path, path: Path) -> None:
    """Write (D, H, W) in RAS order, whole numbers, as a NIfTI file with the voxels of `like`: its order of axes, its affine.

    ImageError "unsupported" if `like` is no NIfTI file."""
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.orientations import apply_orientation, axcodes2ornt, io_orientation, ornt_transform

    try:
        file: Any = nibabel.load(like)
    except ImageFileError as error:
        raise ImageError(f"{like}: a mask is written voxel by voxel beside a NIfTI file, and this is none. Convert it to NIfTI.",
                         reason="unsupported") from error
    voxels = labels.transpose(2, 1, 0)
    if len(file.shape) > 2:  # a single slice is read as it lies
        turn = ornt_transform(axcodes2ornt("RAS"), io_orientation(file.affine))  # type: ignore[no-untyped-call]
        voxels = apply_orientation(voxels, turn)  # type: ignore[no-untyped-call]
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(voxels), file.affine), path)  # type: ignore[no-untyped-call]
