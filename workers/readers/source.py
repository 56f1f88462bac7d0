"""A file opened for reading: unpacked where it is packed, and what kind it is by its first bytes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from spectraq.schemas.text import escaped
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import limits, packing, structure
from spectraq.workers.readers.hdus import Hdus
from spectraq.workers.readers.keywords import text
from spectraq.workers.readers.kinds import archive_kind, foreign_kind, is_votable
from spectraq.workers.readers.pipes import at_rest
from spectraq.workers.readers.scratch import Scratch
from spectraq.workers.readers.textlines import byte_order_mark

PACKED_SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
FITS_SUFFIXES = (".fits.fz", ".fits", ".fit", ".fts")
TABLE_SUFFIXES = (".ecsv", ".csv", ".npz", ".parquet", ".vot")
TEXT_SUFFIXES = (".tsv", ".txt", ".dat", ".ascii", ".asci", ".asc", ".tbl", ".flm")
HEAD_BYTES = 4096
NO_HEADER = "the file begins as FITS does, and its first header is damaged or cut off; fetch it again"
SCALED = ("BZERO", "BSCALE", "BLANK")
"""Keywords of an image whose numbers in the file are not its values."""

Kind = Literal["fits", "npz", "ecsv", "parquet", "votable", "text", "binary"]


@dataclass(frozen=True, slots=True)
class Source:
    """An open file.

    Attributes
    ----------
    name
        The path as it was given, escaped: names of files are bytes, and may hold anything.
    plain
        Where its unpacked content lies: the file itself, or a temporary file.
    kind
        What it is, by content.
    hdus
        The HDUs of a FITS file (memory-mapped), else None.
    scratch
        Room for what is unpacked, until the file is closed.
    memo
        What a format found while recognising the file, and needs again for reading it, by the format's name.
    """

    name: str
    plain: Path
    kind: Kind
    hdus: Any
    scratch: Scratch
    memo: dict[str, Any] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """The file's name without its suffixes, as far as they name a format, and of bounded length."""
        name = base = Path(self.name).name
        for suffix in (*PACKED_SUFFIXES, *FITS_SUFFIXES, *TABLE_SUFFIXES, *TEXT_SUFFIXES):
            name = name.removesuffix(suffix)
        return text(name or base) or "spectrum"


@contextmanager
def opened(name: Path | str) -> Iterator[Source]:
    """Open a file and say what it is.

    Raises
    ------
    ReadError
        Where it is missing, empty, truncated, or not what its name says.
    """
    path = Path(name)
    with ExitStack() as stack:
        scratch = Scratch(stack)
        try:
            plain = _unpacked(at_rest(path, scratch), scratch)
            kind = _kind(path, plain)
            with quiet():
                hdus = _explained_hdus(plain, stack, scratch) if kind == "fits" else None
        except EOFError as error:
            raise ReadError(f"the file is truncated: {error}; fetch it again") from error
        except OSError as error:
            # astropy's own have no number
            why = f"the file can't be opened: {error.strerror}" if error.strerror else NO_HEADER
            raise ReadError(why) from error
        yield Source(escaped(str(name)), plain, kind, hdus, scratch)


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back warnings of what does no harm here: headers that bend the standard, numbers without bounds.

    What overflows is infinite, and such a pixel is not used.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", AstropyWarning)
        yield


def _unpacked(path: Path, scratch: Scratch) -> Path:
    with path.open("rb") as file:
        unpack = packing.unpacker(file.read(packing.HEAD))
        if unpack is None:
            return path
        file.seek(0)
        # Seeking back in a packed stream starts anew each time; a plain file can be memory-mapped.
        plain = scratch.file()
        try:
            limits.unpack(unpack(file), plain, path.stat().st_size)
            plain.flush()
        except packing.FAULTS as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's, and no fault of the file
            raise ReadError(f"the file can't be unpacked: {error}; fetch it again") from error
    return Path(plain.name)


def _kind(path: Path, plain: Path) -> Kind:
    with plain.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise ReadError("the file is empty")
    if head.startswith(b"SIMPLE  ="):
        return "fits"
    what = archive_kind(plain) if head.startswith(b"PK\x03\x04") else foreign_kind(head)
    if what:
        raise ReadError(f"this is {what}")
    if _is_named_fits(path):
        raise ReadError("the file is named FITS but does not begin as FITS does (SIMPLE =)")
    if head.startswith(b"PK\x03\x04"):
        return "npz"
    if head.startswith(b"PAR1"):
        return "parquet"
    if is_votable(head):
        return "votable"
    if head.startswith(b"# %ECSV"):
        return "ecsv"
    return "binary" if b"\0" in head and byte_order_mark(head) is None else "text"


def _is_named_fits(path: Path) -> bool:
    name = path.name.lower()
    for suffix in PACKED_SUFFIXES:
        name = name.removesuffix(suffix)
    return name.endswith(FITS_SUFFIXES)


def _explained_hdus(plain: Path, stack: ExitStack, scratch: Scratch) -> Hdus:
    """Read all headers, or name the keyword that keeps them from being read."""
    structure.check_axes(plain)
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
