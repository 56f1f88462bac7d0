"""Options of an object store: secrets are in a file that only the settings name, or in its own variables."""

from __future__ import annotations

import tomllib
from pathlib import Path

from spectraq.workers.archive_settings import ArchiveSettings
from spectraq.workers.errors import SettingsError


def storage_options(settings: ArchiveSettings) -> dict[str, str]:
    """Return the options that `archive.storage_file` holds; none where it is not set.

    Raises
    ------
    SettingsError
        Naming the file, and what is wrong with it; never what stands in it.
    """
    path = settings.storage_file
    if path is None:
        return {}
    try:
        options = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"archive.storage_file: {path}: {error.strerror}") from None
    except ValueError:
        raise SettingsError(
            f'archive.storage_file: {path} is not TOML; write lines as NAME = "value"'
        ) from None
    if strange := [name for name, value in options.items() if not isinstance(value, str)]:
        raise SettingsError(f"archive.storage_file: {path}: {strange[0]} is no text; put it in quotes")
    return options


def archive_url(given: str | None, settings: ArchiveSettings) -> str:
    """Return where the archive is: what the command line says, else the settings.

    Raises
    ------
    SettingsError
        Where neither does.
    """
    url = given or settings.url
    if not url:
        raise SettingsError("archive.url: it is not said where the archive is; name a folder or an address")
    return url if "://" in url else str(Path(url).absolute())
