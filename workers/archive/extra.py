"""The libraries that the archive needs, which come with an extra of their own."""

from __future__ import annotations

from importlib.util import find_spec

from spectraq.workers.errors import SettingsError

PACKAGES = ("deltalake", "duckdb", "astropy_healpix")


def require_archive_packages() -> None:
    """See that what reads and writes the archive is installed.

    Raises
    ------
    SettingsError
        Where it is not.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise SettingsError(f"the archive needs {', '.join(missing)}: pip install 'spectraq[archive]'")
