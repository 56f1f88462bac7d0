"""What a file is by its first bytes, where it is none that holds spectra: said by name, with what to do."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

TAR = slice(257, 262)

UNPACK = "unpack it and give the files in it"
SAVE_AS_CSV = "save the sheet as CSV"
BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", f"a packed file within a packed one; {UNPACK}"),
    (b"BZh", f"a packed file within a packed one; {UNPACK}"),
    (b"\xfd7zXZ", f"a packed file within a packed one; {UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"a packed file within a packed one; {UNPACK}"),
    (b"\x1f\x9d", "a file packed by `compress` (.Z); unpack it with gunzip"),
    (b"\x1f\xa0", "a file packed by `compress` (.Z); unpack it with gunzip"),
    (b"\x04\x22\x4d\x18", "a file packed by lz4; unpack it"),
    (b"7z\xbc\xaf\x27\x1c", f"a 7-Zip archive; {UNPACK}"),
    (b"Rar!\x1a", f"a RAR archive; {UNPACK}"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file; write its spectra as FITS, NPZ, Parquet or CSV"),
    (b"CDF\x01", "a netCDF file; write its spectra as FITS, NPZ, Parquet or CSV"),
    (b"CDF\x02", "a netCDF file; write its spectra as FITS, NPZ, Parquet or CSV"),
    (b"\x93NUMPY", "one NumPy array without a name; save wavelength, flux and ivar with numpy.savez"),
    (b"#ASDF", "an ASDF file; write its spectra as FITS, NPZ, Parquet or CSV"),
    (b"MATLAB ", "a MATLAB file; write its spectra as FITS, Parquet or CSV"),
    (b"\x80\x02", "a pickle of Python; write its spectra as FITS, NPZ, Parquet or CSV"),
    (b"\x80\x03", "a pickle of Python; write its spectra as FITS, NPZ, Parquet or CSV"),
    (b"\x80\x04\x95", "a pickle of Python; write its spectra as FITS, NPZ, Parquet or CSV"),
    (b"\x80\x05\x95", "a pickle of Python; write its spectra as FITS, NPZ, Parquet or CSV"),
    (b"ARROW1", "an Arrow file; write it as Parquet"),
    (b"Obj\x01", "an Avro container file; write its spectra as FITS, NPZ, Parquet or CSV"),
    (b"SQLite format 3\0", "an SQLite database; write its spectra as CSV"),
    (b"SR\0\x04", "an IDL save file; write its spectra as FITS or text"),
    (b"\xd0\xcf\x11\xe0", f"an old Excel or Word file; {SAVE_AS_CSV}"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"\x7fELF", "a program"),
)  # fmt: skip
"""How kinds of files begin, and what to say of them."""

_JSON = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\{\s*[\"}]|\[\s*[\[{\"])")
_MARKUP = re.compile(rb"\s*<(!doctype html|html|\?xml|[a-z]+[\s>])", re.I)
_VOTABLE = re.compile(rb"<(\w+:)?VOTABLE[\s>]", re.I)


def is_votable(head: bytes) -> bool:
    """Whether a file's first bytes are those of a VOTable."""
    return _MARKUP.match(head.lstrip(b"\xef\xbb\xbf")) is not None and _VOTABLE.search(head) is not None


def foreign_kind(head: bytes) -> str | None:
    """Return what a file is that no format here reads, and what to do; None where it may be read."""
    for beginning, what in BEGINNINGS:
        if head.startswith(beginning):
            return what
    if head[TAR] == b"ustar":
        return f"a tar archive; {UNPACK}"
    if _JSON.match(head):
        return "a JSON document; write its spectra as CSV, a line a pixel: wavelength,flux,error"
    if _MARKUP.match(head) and not is_votable(head):
        return "a page of HTML or XML, and no table; was it a download that failed?"
    return None


def archive_kind(path: Path) -> str | None:
    """Return what a zip file is that is no NPZ; None where it holds arrays of NumPy, or can't be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return None
    if any(name.endswith(".npy") for name in members):
        return None
    if any(name.startswith("xl/") for name in members):
        return f"an Excel workbook; {SAVE_AS_CSV}"
    return f"a zip archive of {len(members)} files; {UNPACK}"
