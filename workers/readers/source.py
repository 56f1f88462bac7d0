"""A file opened for reading: unpacked where it is packed, and what kind it is by its first bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from spectraq.schemas.text import escaped
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import packing
from spectraq.workers.readers.astropy_hdus import astropy_hdus
from spectraq.workers.readers.content import Content, unpacked
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

Kind = Literal["fits", "npz", "ecsv", "parquet", "votable", "text", "binary"]


@dataclass(frozen=True, slots=True)
class Source:
    """An open file.

    Attributes
    ----------
    name
        The path as it was given, escaped: names of files are bytes, and may hold anything.
    content
        What stands in it, unpacked.
    kind
        What it is, by content.
    hdus
        The HDUs of a FITS file, else None.
    scratch
        Room for what is unpacked, until the file is closed.
    memo
        What a format found while recognising the file, and needs again for reading it, by the format's name.
    """

    name: str
    content: Content
    kind: Kind
    hdus: Any
    scratch: Scratch
    memo: dict[str, Any] = field(default_factory=dict)

    @property
    def plain(self) -> Path:
        """Where its unpacked content lies: the file itself, or a temporary file."""
        return self.content.path

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
            content = _unpacked(at_rest(path, scratch), scratch)
            kind = _kind(path, content)
            hdus = astropy_hdus(content, stack, scratch) if kind == "fits" else None
        except EOFError as error:
            raise ReadError(f"the file is truncated: {error}; fetch it again") from error
        except OSError as error:
            # astropy's own have no number
            why = f"the file can't be opened: {error.strerror}" if error.strerror else NO_HEADER
            raise ReadError(why) from error
        yield Source(escaped(str(name)), content, kind, hdus, scratch)


def _unpacked(path: Path, scratch: Scratch) -> Content:
    with path.open("rb") as file:
        unpack = packing.unpacker(file.read(packing.HEAD))
        if unpack is None:
            return Content(path, scratch)
        file.seek(0)
        try:
            return unpacked(unpack(file), path.stat().st_size, scratch)
        except packing.FAULTS as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's, and no fault of the file
            raise ReadError(f"the file can't be unpacked: {error}; fetch it again") from error


def _kind(path: Path, content: Content) -> Kind:
    head = content.head(HEAD_BYTES)
    if not head:
        raise ReadError("the file is empty")
    if head.startswith(b"SIMPLE  ="):
        return "fits"
    what = archive_kind(content.path) if head.startswith(b"PK\x03\x04") else foreign_kind(head)
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
