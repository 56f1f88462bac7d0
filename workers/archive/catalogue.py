"""The tables that an archive has."""

from __future__ import annotations

from collections.abc import Mapping

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from spectraq.workers.archive.columns import KINDS, UNREADABLE
from spectraq.workers.archive.table import address, one_line
from spectraq.workers.errors import SettingsError


def tables_of(url: str, storage: Mapping[str, str]) -> dict[str, DeltaTable]:
    """Return the tables of an archive as they are now, by name.

    Parameters
    ----------
    url
        Folder or address of the archive.
    storage
        Options of the object store.

    Raises
    ------
    SettingsError
        Where there is none, or one can't be read.
    """
    found = {}
    for name in (*KINDS, UNREADABLE):
        where = address(url, name)
        try:
            found[name] = DeltaTable(where, storage_options=dict(storage))
        except TableNotFoundError:
            continue
        except (DeltaError, OSError, ValueError) as error:
            raise SettingsError(f"archive {where}: {one_line(error)}") from error
    if not found:
        raise SettingsError(f"archive {url}: there is no table of ours; `spectraq sink {url}` makes them")
    return found
