"""`spectraq config`: the settings in force, and where each came from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spectraq.workers.cli.common_options import AsJson
from spectraq.workers.cli.terminal import print_json, print_table
from spectraq.workers.operations.masking import masked, masked_secret

if TYPE_CHECKING:
    from pydantic import BaseModel


def config(
    file: Annotated[Path | None, typer.Option("--config", help="TOML file of settings.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print every setting, its value and its origin; secrets are masked.

    Example: `SPECTRAQ_WORKER__BATCH_SPECTRA=256 spectraq config`
    """
    from spectraq.workers.settings import load_settings, where

    settings = load_settings(file)
    values = leaves(settings)
    origins = where(settings)
    if as_json:
        print_json({key: {"value": value, "origin": origins[key]} for key, value in values.items()})
        return
    rows = [(key, "" if value is None else value, origins[key]) for key, value in values.items()]
    print_table(("setting", "value", "origin"), rows)


def leaves(section: BaseModel, prefix: str = "") -> dict[str, Any]:
    """Return the values of a tree of settings by dotted key, secrets masked."""
    from pydantic import BaseModel

    values: dict[str, Any] = {}
    for name in (*type(section).model_fields, *(section.model_extra or {})):
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            values |= leaves(value, f"{prefix}{name}.")
        else:
            values[prefix + name] = _shown(value)
    return values


def _shown(value: Any) -> Any:
    from pydantic import SecretStr

    if isinstance(value, SecretStr):
        return masked_secret(value.get_secret_value())
    if isinstance(value, dict):
        return {str(key): _shown(entry) for key, entry in value.items()}
    return masked(str(value)) if isinstance(value, (str, Path)) else value
