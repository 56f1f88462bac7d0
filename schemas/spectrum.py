"""The message that comes in: one spectrum."""

from __future__ import annotations

import hashlib
import math
import struct
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from spectraq.schemas.air import vacuum_from_air
from spectraq.schemas.message import Message
from spectraq.schemas.pixels import Float32Pixels, Float64Pixels, UInt32Pixels
from spectraq.schemas.text import unprintable

MAX_LOGLAM = 9.0
"""log10(angstrom): ten centimetres. A grid that goes on beyond holds no wavelengths but a mistake."""


def _unknown_is_none(value: Any) -> Any:
    return None if isinstance(value, (float, np.floating)) and math.isnan(value) else value


def _printable(value: str) -> str:
    mark = unprintable(value)
    if mark is not None:
        raise PydanticCustomError(
            "unprintable",
            "an identity holds no control, invisible or unassigned characters; character {number} is {mark}",
            {"number": value.index(mark) + 1, "mark": f"U+{ord(mark):04X}"},
        )
    return value


SpectrumId = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
GroupName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_printable)]
RightAscension = Annotated[
    Annotated[float, Field(ge=0, le=360, allow_inf_nan=False)] | None, BeforeValidator(_unknown_is_none)
]
Declination = Annotated[
    Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)] | None, BeforeValidator(_unknown_is_none)
]
Mjd = Annotated[Annotated[float, Field(allow_inf_nan=False)] | None, BeforeValidator(_unknown_is_none)]


class Spectrum(Message):
    """One observed spectrum: n pixels, where they lie, how sure they are, and whose they are.

    Wavelengths are given either pixel by pixel (`wavelength`) or as a grid in log10 (`loglam0`, `dloglam`),
    in angstrom, in the medium that `medium` names.

    Raises
    ------
    pydantic.ValidationError
        With the type "empty", "length_mismatch", "bad_wavelength" or "wrong_shape" where the reason of the
        dead letter is known.

    Notes
    -----
    Units and meaning of each field: `avro/Spectrum/`.
    """

    spectrum_id: SpectrumId
    flux: Float32Pixels  # (n,) flux_unit, per angstrom; NaN is not used
    ivar: Float32Pixels | None = None  # (n,) 1/flux_unit^2; zero is not used
    mask: UInt32Pixels | None = None  # (n,) the survey's bits; nonzero is not used
    wavelength: Float64Pixels | None = None  # (n,) angstrom, strictly ascending
    loglam0: Annotated[float, Field(allow_inf_nan=False)] | None = None  # log10(angstrom) of pixel 0
    dloglam: Annotated[float, Field(allow_inf_nan=False)] | None = None  # log10(angstrom) a pixel
    medium: Literal["vacuum", "air"] = "vacuum"
    flux_unit: str = ""
    survey: str | None = None
    target_id: str | None = None
    ra: RightAscension = None  # deg, ICRS
    dec: Declination = None  # deg, ICRS
    mjd: Mjd = None  # day, UTC, middle of the exposure
    source_file: str | None = None
    source_row: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    exposure: GroupName | None = None  # unique within the survey, as the next two are
    plate: GroupName | None = None  # plate, tile or field, night and spectrograph
    fiber: GroupName | None = None  # the same in every exposure

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        n = self.flux.size
        if n == 0:
            raise PydanticCustomError("empty", "the spectrum has no pixels")
        for name in ("ivar", "mask", "wavelength"):
            array = getattr(self, name)
            if array is not None and array.size != n:
                raise PydanticCustomError(
                    "length_mismatch",
                    "flux has {flux} pixels and {name} has {other}",
                    {"flux": n, "name": name, "other": array.size},
                )
        self._check_grid(n)
        return self

    def _check_grid(self, n: int) -> None:
        if self.loglam0 is None and self.dloglam is None:
            if self.wavelength is None:
                raise PydanticCustomError("bad_wavelength", "give wavelength, or loglam0 and dloglam")
            return
        if self.wavelength is not None:
            raise PydanticCustomError("bad_wavelength", "give wavelength, or loglam0 and dloglam, not both")
        if self.loglam0 is None or self.dloglam is None:
            raise PydanticCustomError("bad_wavelength", "loglam0 and dloglam go together")
        if not (
            self.dloglam > 0 and self.loglam0 > -MAX_LOGLAM and self.loglam0 + n * self.dloglam < MAX_LOGLAM
        ):
            raise PydanticCustomError(
                "bad_wavelength",
                "loglam0 {loglam0}, dloglam {dloglam} and {n} pixels are no grid of wavelengths",
                {"loglam0": self.loglam0, "dloglam": self.dloglam, "n": n},
            )

    @property
    def n_pixels(self) -> int:
        """Number of pixels."""
        return self.flux.size

    def good(self) -> NDArray[np.bool_]:
        """Return which pixels count, shape (n,): finite, not masked, of positive ivar where there is one."""
        good = np.isfinite(self.flux)
        if self.wavelength is not None:
            good &= np.isfinite(self.wavelength)
        if self.ivar is not None:
            good &= np.isfinite(self.ivar) & (self.ivar > 0)
        if self.mask is not None:
            good &= self.mask == 0
        return good

    def vacuum_wavelength(self) -> NDArray[np.float64]:
        """Return the vacuum wavelength of each pixel in angstrom, shape (n,)."""
        if self.wavelength is not None:
            wavelength = self.wavelength
        else:
            assert self.loglam0 is not None and self.dloglam is not None
            wavelength = np.power(
                10.0, self.loglam0 + self.dloglam * np.arange(self.n_pixels, dtype=np.float64)
            )
        return vacuum_from_air(wavelength) if self.medium == "air" else wavelength

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of what the networks are given: flux, ivar, mask and the vacuum wavelengths.

        Identity and position are not in it: the same pixels under another name have the same digest. A mask
        of zeros is no mask. A grid counts by its two numbers, so that it need not be written out.
        """
        used = self.mask if self.mask is not None and self.mask.any() else None
        on_grid = self.wavelength is None and self.medium == "vacuum"
        grid = np.array([self.loglam0, self.dloglam]) if on_grid else self.vacuum_wavelength()
        sha = hashlib.sha256(struct.pack("<q", self.n_pixels))
        for name, array in (("flux", self.flux), ("ivar", self.ivar), ("mask", used), ("grid", grid)):
            if array is not None:
                sha.update(name.encode())
                sha.update(array.data)
        return sha.hexdigest()
