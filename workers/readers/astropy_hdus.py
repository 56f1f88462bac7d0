"""The HDUs of a FITS file as astropy reads them, or what keeps it from reading them."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from pathlib import Path

from spectraq.workers.errors import ReadError
from spectraq.workers.readers import limits, structure
from spectraq.workers.readers.hdus import Hdus
from spectraq.workers.readers.quiet import quiet
from spectraq.workers.readers.scratch import Scratch

SCALED = ("BZERO", "BSCALE", "BLANK")
"""Keywords of an image whose numbers in the file are not its values."""


def astropy_hdus(plain: Path, stack: ExitStack, scratch: Scratch) -> Hdus:
    """Read all headers, or name the keyword that keeps them from being read.

    Raises
    ------
    ReadError
        Where the file is truncated or damaged.
    """
    structure.check_axes(plain)
    with quiet():
        try:
            return _hdus(plain, stack)
        except Exception as error:
            if why := structure.fault(plain):
                raise ReadError(f"the FITS file can't be read: {why}") from error
            mended = scratch.file()
            if structure.without_sums(plain, mended):
                return _hdus(Path(mended.name), stack)
            raise


def _hdus(plain: Path, stack: ExitStack) -> Hdus:
    """Read all headers; a file that ends too early is refused whole, whatever could be saved of it."""
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning

    # Opened here, as astropy leaves a file open whose first header makes no sense to it.
    file = stack.enter_context(plain.open("rb"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AstropyWarning)
        lazy = stack.enter_context(fits.open(file, mode="readonly", memmap=True))
        limits.check_extensions(lazy, plain.stat().st_size)  # astropy reads headers as they are asked for
        hdus = Hdus(lazy)
    complaints = [str(warning.message) for warning in caught]
    size = plain.stat().st_size
    place = hdus[-1].fileinfo()
    damaged = any("truncated" in said or "validating header" in said for said in complaints)
    if damaged or size < place["datLoc"] + place["datSpan"]:
        raise ReadError(f"the FITS file is truncated or damaged after {size} bytes; fetch it again")
    if any(hdu.is_image and any(key in hdu.header for key in SCALED) for hdu in hdus):
        # Scaled images can't be memory-mapped; without, single rows of images are read all the same.
        file.seek(0)
        return Hdus(stack.enter_context(fits.open(file, mode="readonly", memmap=False)))
    return hdus
