"""What an operating system refuses, said in one line; and files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = "the disk is full; make room, or write elsewhere"
FORBIDDEN = "permission denied; write elsewhere, or have its owner let you"
CAUSES = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: "your share of the disk is used up; make room, or write elsewhere",
    errno.EFBIG: "the file would be larger than is allowed here; write elsewhere",
    errno.EROFS: "the file system is read-only; write elsewhere",
    errno.EACCES: FORBIDDEN,
    errno.EPERM: FORBIDDEN,
    errno.ENOTDIR: "there is a file where a folder is needed; name another folder",
    errno.EEXIST: "there is a file where a folder is needed; name another folder",
    errno.EISDIR: "it is a folder, and a file is needed; name a file",
    errno.ENOENT: "there is no such file or folder",
    errno.EIO: "the disk fails; write elsewhere",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
}
SAID_WITHOUT_A_NUMBER = ("no space left", "not enough space", " requested and ")
"""By libraries that give no errno: the second is astropy's, the third numpy's."""
LEAST_BYTES = 1 << 20
"""A disk with less than this is full for a server that writes logs in pieces."""


def explained(error: OSError) -> str | None:
    """Return what was refused, where, and what to do; None where it is no matter of files."""
    if isinstance(error, shutil.Error):
        _, where, why = error.args[0][0]
        return f"{where}: {FULL if _says_full(str(why)) else why}"
    cause = FULL if _says_full(str(error)) else CAUSES.get(error.errno or 0)
    if cause is None:
        return None
    return f"{error.filename}: {cause}" if error.filename is not None else cause


def is_full(folder: Path) -> bool:
    """Return whether the disk that a folder is on, or would be, is full."""
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    return shutil.disk_usage(there).free < LEAST_BYTES


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield the name of a file to write, which takes the place of `path` once it is whole.

    Where writing fails nothing is left of it, and what was under that name before is still there.
    """
    part = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        number = errno.ENOSPC if _says_full(str(error)) else error.errno
        if number is None or error.filename not in (None, str(part)):
            raise
        raise OSError(number, os.strerror(number), str(path)) from error
    finally:
        part.unlink(missing_ok=True)


def _says_full(text: str) -> bool:
    return any(words in text.lower() for words in SAID_WITHOUT_A_NUMBER)
