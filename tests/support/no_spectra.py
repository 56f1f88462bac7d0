"""Files without end that hold no spectrum, of some sixty kinds; the same seed makes the same files."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sqlite3
import struct
import tarfile
import wave
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy.io import fits

from tests.support.no_spectra_fits import FITS, Maker, Rng
from tests.support.no_spectra_text import TEXT


def _write(path: Path, suffix: str, content: bytes) -> Path:
    path = path.with_suffix(suffix)
    path.write_bytes(content)
    return path


def bytes_of_chance(path: Path, rng: Rng) -> Path:
    """Any bytes, under any name."""
    suffix = str(rng.choice([".fits", ".csv", ".npz", ".dat", ".parquet", ".fits.gz", ".txt"]))
    return _write(path, suffix, rng.bytes(int(rng.integers(0, 50_000))))


def zeros(path: Path, rng: Rng) -> Path:
    """A file that was made and never written."""
    return _write(path, str(rng.choice([".fits", ".dat"])), bytes(int(rng.integers(1, 100_000))))


def cut_off(path: Path, rng: Rng) -> Path:
    """What is left of a file of another kind."""
    whole = FITS[int(rng.integers(len(FITS)))](path, rng)
    content = whole.read_bytes()
    return _write(path, ".fits", content[: int(rng.integers(1, len(content)))])


def png(path: Path, rng: Rng) -> Path:
    """A picture."""
    rows = b"".join(b"\0" + rng.bytes(16) for _ in range(16))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 0)
    content = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    return _write(path, str(rng.choice([".png", ".dat"])), content)


def archive(path: Path, rng: Rng) -> Path:
    """A zip or tar of other files, packed or not."""
    inside = [TEXT[int(rng.integers(len(TEXT)))](path.with_name(f"{path.name}-{n}"), rng) for n in range(3)]
    if rng.random() < 0.5:
        with zipfile.ZipFile(path.with_suffix(".zip"), "w", zipfile.ZIP_DEFLATED) as made:
            for file in inside:
                made.write(file, file.name)
        return path.with_suffix(".zip")
    way = str(rng.choice(["", "gz", "bz2", "xz"]))
    path = path.with_suffix(f".tar.{way}" if way else ".tar")
    with tarfile.open(path, f"w:{way}") as packed:  # type: ignore[call-overload]
        for file in inside:
            packed.add(file, file.name)
    return path


def packed(path: Path, rng: Rng) -> Path:
    """Any other kind, packed."""
    maker = (*FITS, *TEXT)[int(rng.integers(len(FITS) + len(TEXT)))]
    made = maker(path, rng)
    way, pack = ((".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress))[rng.integers(3)]
    target = made.with_name(made.name + way)
    target.write_bytes(pack(made.read_bytes()))
    return target


def arrays(path: Path, rng: Rng) -> Path:
    """NumPy arrays of other things: pictures, features, a catalogue, one array without a name."""
    path = path.with_suffix(".npz")
    n = int(rng.integers(5, 400))
    given = (
        {"x": rng.normal(0, 1, (n, 20)), "y": rng.integers(0, 3, n)},
        {"flux": rng.lognormal(0, 1, n), "ra": rng.uniform(0, 360, n)},
        {"flux": rng.normal(0, 1, (4, n, n)), "wavelength": np.arange(4000.0, 4000.0 + n)},
        {"flux": rng.normal(0, 1, (n, 5)), "wavelength": np.array([3551, 4686, 6166, 7480, 8932.0])},
        {"image": rng.normal(0, 1, (n, n))},
        {"flux": np.array([f"text {k}" for k in range(n)]), "wavelength": np.arange(n) + 4000.0},
    )[rng.integers(6)]
    np.savez(path, **given)
    if rng.random() < 0.1:
        np.save(path.with_suffix(".npy"), rng.normal(0, 1, n))
        return path.with_suffix(".npy")
    return path


def parquet(path: Path, rng: Rng) -> Path:
    """A catalogue in Parquet."""
    import pyarrow
    from pyarrow import parquet

    n = int(rng.integers(5, 5000))
    columns = {"id": rng.integers(0, 2**62, n), "ra": rng.uniform(0, 360, n), "flux": rng.lognormal(0, 1, n)}
    if rng.random() < 0.3:
        columns["wavelength"] = rng.uniform(3000, 9000, n)
    parquet.write_table(pyarrow.table(columns), path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def database(path: Path, rng: Rng) -> Path:
    """An SQLite database."""
    path = path.with_suffix(str(rng.choice([".db", ".sqlite"])))
    with sqlite3.connect(path) as made:
        made.execute("create table spectra (wavelength real, flux real)")
        made.executemany("insert into spectra values (?, ?)", rng.uniform(1, 9, (50, 2)).tolist())
    made.close()
    return path


def sound(path: Path, rng: Rng) -> Path:
    """A recording."""
    content = io.BytesIO()
    with wave.open(content, "wb") as made:
        made.setnchannels(1)
        made.setsampwidth(2)
        made.setframerate(8000)
        made.writeframes(rng.bytes(4000))
    return _write(path, ".wav", content.getvalue())


def other_containers(path: Path, rng: Rng) -> Path:
    """The beginnings of files of other programs: HDF5, netCDF, PDF, JPEG, ASDF, pickles."""
    beginning = (
        b"\x89HDF\r\n\x1a\n", b"CDF\x01", b"%PDF-1.7\n", b"\xff\xd8\xff\xe0", b"#ASDF 1.0.0\n",
        b"\x80\x04\x95",
    )[rng.integers(6)]  # fmt: skip
    return _write(path, str(rng.choice([".h5", ".nc", ".dat", ".pkl"])), beginning + rng.bytes(3000))


def large(path: Path, rng: Rng) -> Path:
    """A picture of some 100 MB, a cube, or a catalogue of many lines."""
    kind = int(rng.integers(4))
    if kind == 0:
        hdu = fits.PrimaryHDU(np.ones((6000, 5000), "f4"))
    elif kind == 1:
        hdu = fits.PrimaryHDU(np.ones((2000, 100, 100), "f4"))
        hdu.header.update({"CTYPE3": "WAVE", "CUNIT3": "Angstrom", "CRVAL3": 4000.0, "CDELT3": 1.0})
    elif kind == 2:
        rows = (f"{n},{n / 7:.5f},{n / 11:.5f},{n % 13},star\n" for n in range(400_000))
        return _write(path, ".csv", ("id,ra,dec,flux,class\n" + "".join(rows)).encode())
    else:
        rows = (f"{n / 7:.5f} {n / 11:.5f} {n % 13}\n" for n in range(400_000))
        return _write(path, ".dat", "".join(rows).encode())
    hdu.writeto(path.with_suffix(".fits"))
    return path.with_suffix(".fits")


LARGE_EVERY = 100
OTHER: tuple[Maker, ...] = (
    bytes_of_chance, zeros, cut_off, png, archive, packed, arrays, parquet, database, sound, other_containers,
)  # fmt: skip
KINDS: tuple[Maker, ...] = (*FITS, *TEXT, *OTHER)


def files(folder: Path, n: int, seed: int, with_large: bool = True) -> Iterator[tuple[str, Path]]:
    """Make n files one by one, the kinds in turn; yields what each is and where it lies."""
    for number in range(n):
        in_turn = KINDS[number % len(KINDS)]
        maker = large if with_large and number % LARGE_EVERY == LARGE_EVERY - 1 else in_turn
        path = folder / f"{number:05d}"
        yield maker.__name__, maker(path, np.random.default_rng([seed, number]))
