"""Template libraries as families of noiseless rest-frame spectra, from which eigenspectra and mocks are made.

`load` reads them all; `Family.draw` gives spectra. The folder's layout is described in docs/training.md.
"""

from __future__ import annotations

import csv
from pathlib import Path

import torch

from spectraq.models.training.material.family import Family

__all__ = ["Family", "labelled_spectra", "load", "sky_lines"]


def labelled_spectra(data: Path) -> set[str]:
    """Identities (plate-mjd-fiber) of the labelled real spectra, which nothing may be learned from."""
    index = data / "spectra/INDEX.csv"
    if not index.exists():
        return set()
    with index.open() as lines:
        return {row["obj_id"] for row in csv.DictReader(lines)}


def load(data: Path) -> list[Family]:
    """Read every family of templates.

    Raises
    ------
    FileNotFoundError
        Naming the folder that is missing.
    """
    if not (data / "templates").is_dir():
        raise FileNotFoundError(
            f"{data / 'templates'}: no such folder; give the folder of templates with --data"
        )
    # Reading the libraries takes astropy; training on packed material does not.
    from spectraq.models.training.material import galaxies, quasars, stars

    excluded = labelled_spectra(data)
    return [*galaxies.families(data, excluded), *quasars.families(data, excluded), *stars.families(data)]


def sky_lines(data: Path) -> torch.Tensor:
    """Read DESI's sky model: strength of lines above the local median, 99th percentile one, (N_PIXELS,)."""
    from spectraq.models.training.material import sky

    return sky.lines(data)
