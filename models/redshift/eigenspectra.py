"""The learned eigenspectra of every class and star type, as they are shipped.

Each is a rest-frame basis on the common grid's own pixels, continued to shorter and longer wavelengths:
pixel i stands for log10(wavelength) = LOGLAM0 + DLOGLAM * i, with i negative in the ultraviolet.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch

from spectraq.models import shipped

FILE = "eigenspectra.safetensors"


@dataclass(frozen=True, slots=True)
class Basis:
    """The eigenspectra of one class or star type, with typical amplitudes.

    Attributes
    ----------
    spectype, subtype
        Whose they are; subtype is "" where one basis serves the whole class.
    flux
        Eigenspectra of unit mean square, shape (K, L).
    first
        Grid pixel of element 0 of `flux` at redshift zero.
    amplitudes
        Of M typical members, each of mean |flux| one over all pixels, shape (M, K).
    z
        Their redshifts, shape (M,).
    labels
        Their subclasses, length M.
    leading
        How many of the first eigenspectra place the redshift within a pixel; those that follow widen what
        can be found and modelled, but were made from templates with small zero points of their own.
    """

    spectype: str
    subtype: str
    flux: torch.Tensor
    first: int
    amplitudes: torch.Tensor
    z: torch.Tensor
    labels: tuple[str, ...]
    leading: int

    @property
    def name(self) -> str:
        """Return the subtype where there is one, else the spectype."""
        return self.subtype or self.spectype

    def window(self, start: int, length: int) -> torch.Tensor:
        """Cut out grid pixels start .. start + length, zero where the basis has none; shape (K, length)."""
        out = torch.zeros(len(self.flux), length)
        low, high = max(start, self.first), min(start + length, self.first + self.flux.shape[1])
        if low < high:
            out[:, low - start : high - start] = self.flux[:, low - self.first : high - self.first]
        return out


def load(folder: Path = shipped.FOLDER) -> dict[str, Basis]:
    """Read every basis, by name.

    Raises
    ------
    spectraq.models.shipped.MissingWeightsError
        Where the file is not there.
    """
    from safetensors import safe_open

    path = shipped.required(folder, FILE)[0]
    bases = {}
    with safe_open(path, framework="pt") as file:
        for name, about in json.loads(file.metadata()["bases"]).items():
            bases[name] = Basis(
                spectype=about["spectype"],
                subtype=about["subtype"],
                flux=file.get_tensor(f"{name}.flux").float(),
                first=about["first"],
                amplitudes=file.get_tensor(f"{name}.amplitudes").float(),
                z=file.get_tensor(f"{name}.z").float(),
                labels=tuple(about["labels"][index] for index in file.get_tensor(f"{name}.label").tolist()),
                leading=about["leading"],
            )
    return bases
