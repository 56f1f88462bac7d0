"""IRAF's multispec: one wavelength solution a row, written into the attributes of the second axis.

Source: IRAF's help page "specwcs".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev, legendre
from numpy.typing import NDArray

from spectraq.workers.errors import ReadError
from spectraq.workers.readers.headeraxis import attributes, written_unit
from spectraq.workers.readers.units import angstrom, unit_of

_SPEC = re.compile(r"spec(\d+)\s*=\s*\"([^\"]*)\"")
_CHEBYSHEV, _LEGENDRE, _CUBIC, _LINEAR, _PIXELS = 1, 2, 3, 4, 5


def solutions(header: Mapping[str, Any]) -> dict[int, str]:
    """Return the solutions of a header (lower-case keywords) as written, by row from 0; empty for none."""
    return {int(row) - 1: said for row, said in _SPEC.findall(attributes(header, 2))}


def wavelengths(header: Mapping[str, Any], row: int, n: int) -> NDArray[np.float64]:
    """Return the wavelengths of a row of n pixels in angstrom, shape (n,).

    Raises
    ------
    ReadError
        Where the row has no solution, or one that is not understood.
    """
    said = solutions(header).get(row)
    if said is None:
        raise ReadError(f"WAT2 has no spec{row + 1}: nothing says where the pixels lie")
    try:
        numbers = [float(word.replace("INDEF", "nan")) for word in said.split()]
        kind, start, step, count, doppler = (numbers[place] for place in (2, 3, 4, 5, 6))
    except (ValueError, IndexError) as error:
        raise ReadError(f"the solution spec{row + 1} can't be read: {said[:60]}") from error
    index = np.arange(n, dtype=np.float64)
    if kind in (0, 1):
        values = start + step * index
        values = values if kind == 0 else 10.0**values
    elif kind == 2:
        values = _sum_of_functions(numbers[9:], index + 1.0)
    else:
        raise ReadError(f"spec{row + 1} has the dispersion type {kind:g}: its pixels have no wavelengths")
    values = values / (1.0 + doppler)
    values[int(count) :] = np.nan
    unit = unit_of(written_unit(header))
    return values if unit is None or kind == 1 else angstrom(values, unit)


def _sum_of_functions(numbers: list[float], pixel: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.zeros_like(pixel)
    place = 0
    while place < len(numbers):
        try:
            weight, zero, kind = numbers[place : place + 3]
            value, place = _function(int(kind), numbers, place + 3, pixel)
        except (ValueError, IndexError) as error:
            raise ReadError("a function of the wavelength solution is cut off") from error
        total += weight * (zero + value)
    return total


def _function(
    kind: int, numbers: list[float], place: int, pixel: NDArray[np.float64]
) -> tuple[NDArray[np.float64], int]:
    """One function's values, and where the next begins."""
    order = int(numbers[place])
    if kind == _PIXELS:
        table = np.array(numbers[place + 1 : place + 1 + order])
        return np.interp(pixel, np.arange(1, order + 1), table), place + 1 + order
    if kind not in (_CHEBYSHEV, _LEGENDRE, _CUBIC, _LINEAR):
        raise ReadError(f"the wavelength solution has the function type {kind}, which is not known")
    low, high = numbers[place + 1 : place + 3]
    many = order + {_CUBIC: 3, _LINEAR: 1}.get(kind, 0)
    terms = np.array(numbers[place + 3 : place + 3 + many])
    if terms.size < many:
        raise IndexError
    after = place + 3 + many
    if kind in (_CUBIC, _LINEAR):
        return _spline(terms, order * (pixel - low) / (high - low), cubic=kind == _CUBIC), after
    scaled = (pixel - (high + low) / 2) / ((high - low) / 2)
    series = chebyshev.chebval if kind == _CHEBYSHEV else legendre.legval
    return series(scaled, terms), after


def _spline(terms: NDArray[np.float64], place: NDArray[np.float64], cubic: bool) -> NDArray[np.float64]:
    """A spline of even pieces at places from 0 to their number; IRAF's cubic functions add up to six."""
    pieces = terms.size - (3 if cubic else 1)
    piece = np.clip(np.floor(place), 0, pieces - 1).astype(np.int64)
    right = place - piece
    left = 1.0 - right
    if cubic:
        functions: tuple[NDArray[np.float64], ...] = (
            left**3,
            1.0 + 3.0 * left * (1.0 + left * right),
            1.0 + 3.0 * right * (1.0 + right * left),
            right**3,
        )
    else:
        functions = (left, right)
    return np.asarray(sum(terms[piece + number] * part for number, part in enumerate(functions)))
