"""Options that mean the same in every command that has them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Config: TypeAlias = Annotated[Path | None, typer.Option(help="TOML file of settings.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Weights: TypeAlias = Annotated[
    Path | None, typer.Option(help="Folder of other weights, as `spectraq train` writes them.")
]
