"""Secrets from files: `SPECTRAQ_KAFKA__SASL_PASSWORD_FILE=/run/secrets/kafka`, for every secret setting.

The convention of container images: orchestrators mount secrets as files, and a variable only says where.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from spectraq.workers.errors import SettingsError
from spectraq.workers.setting_keys import keys_of

SUFFIX = "_FILE"
LARGEST_BYTES = 64 << 10


def variables(settings: type[BaseSettings], prefix: str) -> dict[str, tuple[str, ...]]:
    """Return the variables that may name a file, with the place of each one's secret in the settings."""
    return {
        f"{prefix}{'__'.join(key)}{SUFFIX}".upper(): key
        for key, field in keys_of(settings)
        if _is_secret(field)
    }


class SecretFiles(PydanticBaseSettingsSource):
    """The source of settings that reads them.

    Parameters
    ----------
    settings_cls
        The tree of settings.
    prefix
        Of the variables.
    """

    def __init__(self, settings_cls: type[BaseSettings], prefix: str) -> None:
        super().__init__(settings_cls)
        self._variables = variables(settings_cls, prefix)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Nothing: sections are read as a whole by `__call__`."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Read every file that a variable names.

        Raises
        ------
        SettingsError
            Naming the variable and the file that can't be read or holds no secret, or that a secret is said
            twice.
        """
        tree: dict[str, Any] = {}
        for name, path in os.environ.items():
            if name.upper() in self._variables:
                *sections, key = self._variables[name.upper()]
                plain = name[: -len(SUFFIX)]
                if plain in os.environ:
                    raise SettingsError(f"settings: both {plain} and {name} are set; unset one")
                place = tree
                for section in sections:
                    place = place.setdefault(section, {})
                place[key] = _read(name, Path(path))
        return tree


def _read(variable: str, path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise SettingsError(f"settings: {variable}: {path} is larger than a secret can be")
        text = path.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise SettingsError(f"settings: {variable}: {path}: {why}") from None
    if not text:
        raise SettingsError(f"settings: {variable}: {path} is empty")
    return text


def _is_secret(field: FieldInfo) -> bool:
    return field.annotation is SecretStr or SecretStr in get_args(field.annotation)
