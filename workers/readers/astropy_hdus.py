"""The HDUs of a FITS file as astropy reads them, or what keeps it from reading them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from spectraq.workers.errors import ReadError
from spectraq.workers.readers import limits, structure
from spectraq.workers.readers.content import Content
from spectraq.workers.readers.hdus import Hdus, text_of
from spectraq.workers.readers.header_text import HeaderText, header_texts
from spectraq.workers.readers.quiet import quiet
from spectraq.workers.readers.scratch import Scratch

SCALED = ("BZERO", "BSCALE", "BLANK")
"""Keywords of an image whose numbers in the file are not its values."""


def astropy_hdus(content: Content, stack: ExitStack, scratch: Scratch) -> Hdus:
    """Come to all HDUs, or name the keyword that keeps them from being read.

    Raises
    ------
    ReadError
        Where the file is truncated or damaged.
    """
    with quiet():
        texts = header_texts(content)
        try:
            return _hdus(content, texts, stack)
        except Exception as error:
            if why := structure.fault(content):
                raise ReadError(f"the FITS file can't be read: {why}") from error
            mended = scratch.file()
            if structure.without_sums(content, mended):
                return _hdus(Content(Path(mended.name), scratch), texts, stack)
            raise


def _hdus(content: Content, texts: Mapping[int, HeaderText], stack: ExitStack) -> Hdus:
    """Come to all HDUs; a file that ends too early is refused whole, whatever could be saved of it."""
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning

    # Opened here, as astropy leaves a file open whose first header makes no sense to it.
    file = stack.enter_context(content.open())
    in_place = not content.is_small
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AstropyWarning)
        # astropy parses the header of each table to see whether it is a packed image.
        plain = bool(texts) and all(text.lacks("ZIMAGE") for text in texts.values())
        lazy = stack.enter_context(
            fits.open(file, mode="readonly", memmap=in_place, disable_image_compression=plain)
        )
        # astropy comes to HDUs as they are asked for, and parses a header when something of it is.
        limits.check_extensions(lazy, content.size, lambda hdu: _has_plain_columns(hdu, texts))
        hdus = Hdus(lazy, texts)
    complaints = [str(warning.message) for warning in caught]
    place = hdus[-1].fileinfo()
    damaged = any("truncated" in said or "validating header" in said for said in complaints)
    if damaged or content.size < place["datLoc"] + place["datSpan"]:
        raise ReadError(f"the FITS file is truncated or damaged after {content.size} bytes; fetch it again")
    if in_place and any(hdu.is_image and any(key in hdu.header for key in SCALED) for hdu in hdus):
        # Scaled images can't be memory-mapped; without, single rows of images are read all the same.
        file.seek(0)
        return Hdus(stack.enter_context(fits.open(file, mode="readonly", memmap=False)), texts)
    return hdus


def _has_plain_columns(hdu: Any, texts: Mapping[int, HeaderText]) -> bool:
    text = text_of(hdu, texts)
    if text is None:
        return False
    count = text.count("TFIELDS")
    return text.lacks("TFIELDS") if count is None else count <= limits.COLUMNS
