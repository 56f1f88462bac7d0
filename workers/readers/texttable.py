"""Tables of text as people write them: CSV of spreadsheets, columns between blanks, with titles or without.

A comma may stand for the decimal point, D for the E of an exponent, and words for numbers that are not there.
Columns without titles are wavelength, flux, and error, where the numbers themselves agree; that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.workers.errors import ReadError
from spectraq.workers.readers import columns as names
from spectraq.workers.readers.array_rows import need_pixels
from spectraq.workers.readers.beside import SAME_SIZE, noise_power
from spectraq.workers.readers.columns import Columns
from spectraq.workers.readers.source import Source
from spectraq.workers.readers.textlayout import Layout, layout_of
from spectraq.workers.readers.textlines import cells, encoding_of, is_comment, is_nothing, is_number, lines

LINES_AT_ONCE = 50_000
EVEN = 20.0
"""Steps of a spectrum's wavelengths differ by less than this factor, but for a tenth at either end."""
JITTER, DECIMALS = 0.1, 9
"""Neighbouring steps of a grid differ by less than this part, but for rounding to so many decimals."""
WIDEST = 100.0
"""The longest wavelength of a spectrum is less than so many times the shortest; a count of pixels is more."""
LIKE_NOISE = 30.0
"""An error is as large as flux scatters from pixel to pixel, within this factor."""
FLAT = 1.5
"""Below this mean square of flux less its mean, in errors, nothing tells flux from noise about a constant."""
FAINT, BRIGHT = 1.5, 6.0
"""S/N below and above which a spectrum is no more than noise, and plainly more."""
PASSBAND_END = 0.01
"""A filter lets through less than this part of its most at either end."""
TEXT = frozenset((*names.IDENTITY, "source_id", "obj_id", "spec_id", "specid", "cname"))
"""Columns whose cells are names even where they look like numbers."""


def read_text(source: Source, note: Callable[[str], None]) -> Columns:
    """Read a text file as named arrays.

    Parameters
    ----------
    source
        An open file of kind "text".
    note
        Takes a sentence on each thing that had to be assumed.

    Raises
    ------
    ReadError
        Where it holds no table of numbers, no flux or wavelength, or columns that nothing tells apart.
    """
    encoding = encoding_of(source.plain)
    if encoding == "latin-1":
        note("the text is not UTF-8: read as Latin-1 (ISO 8859-1)")
    layout = layout_of(lines(source.plain, encoding))
    if layout.titles:  # a long table that holds no spectrum need not be read to its end
        named = dict(layout.titles)
        need_pixels(Columns(named, named, layout.meta))
    chunks = list(_chunks(lines(source.plain, encoding), layout))
    arrays = [_joined([chunk[column] for chunk in chunks]) for column in range(layout.width)]
    titles = layout.titles or _assumed(arrays, note)
    by_name: dict[str, Any] = {}
    units: dict[str, Any] = {}
    for (name, unit), values in zip(titles, arrays, strict=False):
        if name and name not in by_name:
            by_name[name], units[name] = values, unit
    return Columns(by_name, units, layout.meta)


def _chunks(numbered: Iterator[tuple[int, str]], layout: Layout) -> Iterator[list[NDArray[Any]]]:
    """Yield the columns of some lines after others, so that a long table needs little room."""
    rows = _rows(numbered, layout)
    name_of = dict(enumerate(name for name, _ in layout.titles))
    while chunk := list(islice(rows, LINES_AT_ONCE)):
        yield [
            _column(column, name_of.get(number, f"column {number + 1}"))
            for number, column in enumerate(zip(*chunk, strict=True))
        ]


def _rows(numbered: Iterable[tuple[int, str]], layout: Layout) -> Iterator[list[str]]:
    for number, line in numbered:
        if number < layout.first or is_comment(line):
            continue
        row = cells(line, layout.delimiter)
        if len(row) != layout.width:
            if not any(row):
                continue  # the empty rows below a spreadsheet's table
            raise ReadError(f"line {number} has {len(row)} columns, and the lines above have {layout.width}")
        yield row


def _column(written: Sequence[str], name: str) -> NDArray[Any]:
    if name in TEXT:
        return np.array(written, dtype=object).astype(np.str_)
    for kind in (int, float):
        try:
            return np.array(list(map(kind, written)))
        except (ValueError, OverflowError):
            continue
    kinds = [is_number(cell) or is_nothing(cell) for cell in written]
    if not all(kinds):
        if sum(kinds) > len(kinds) / 2 and name in (*names.FLUX, *names.WAVELENGTH, *names.LOGLAM):
            raise ReadError(
                f"the column {name} holds {written[kinds.index(False)][:40]!r}, which is no number"
            )
        return np.array(written, dtype=object).astype(np.str_)
    if any("," in cell for cell in written) and any("." in cell.strip(".") for cell in written):
        raise ReadError(
            f"the column {name} has numbers with a comma and with a point; which is the decimal one?"
        )
    return np.array([np.nan if is_nothing(cell) else _number(cell) for cell in written])


def _number(cell: str) -> float:
    plain = cell.lower().replace(",", ".").replace("d", "e").replace("q", "e")
    try:
        return float(plain)
    except ValueError:
        return float(f"{plain[:-4]}e{plain[-4:]}")  # Fortran leaves the letter out before three digits


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    if any(part.dtype.kind == "U" for part in parts):
        return np.concatenate([part.astype(np.str_) for part in parts])
    return np.concatenate(parts)


def _assumed(
    arrays: Sequence[NDArray[Any]], note: Callable[[str], None]
) -> tuple[tuple[str, str | None], ...]:
    """Name the columns of a table without titles by what they hold."""
    remedy = "give the columns a title line: wavelength,flux,error"
    if any(values.dtype.kind == "U" for values in arrays[:2]):
        raise ReadError(f"the columns have no titles, and the first two are not numbers; {remedy}")
    wavelength, flux = (values.astype(np.float64) for values in arrays[:2])
    if not _rises_evenly(wavelength):
        raise ReadError(
            f"the columns have no titles, and the first does not rise or fall as wavelengths do; {remedy}"
        )
    if len(arrays) == 2 and _is_passband(flux):
        raise ReadError(
            "the second column begins and ends with zero, reaches at most 1 and has no noise, as a curve of"
            f" transmission or a template has; if it is a spectrum, {remedy}"
        )
    called = ["wavelength", "flux"]
    if len(arrays) > 2 and (noise := _noise_called(arrays[2], flux)):
        called.append(noise)
    unused = [str(number + 1) for number in range(len(called), len(arrays))]
    more = f"; not used: column {', '.join(unused)}" if unused else ""
    note(f"the columns have no titles: taken as {', '.join(called)}{more}")
    return tuple((name, None) for name in called)


def _is_passband(flux: NDArray[np.float64]) -> bool:
    """Whether a column, shape (n,), is smooth, within 0 and 1, and next to nothing at both ends."""
    if flux.size < 5 or not (np.isfinite(flux).all() and flux.min() >= 0 and 0 < flux.max() <= 1):
        return False
    return bool(max(flux[0], flux[-1]) < PASSBAND_END * flux.max())


def _rises_evenly(wavelength: NDArray[np.float64]) -> bool:
    where = wavelength[np.isfinite(wavelength)]
    steps = np.diff(where)
    if not steps.size or not ((steps > 0).all() or (steps < 0).all()):
        return False
    if not 0 < where.max() < WIDEST * where.min():
        return False
    low, high = np.percentile(np.abs(steps), [10, 90])
    return bool(high < EVEN * low) and not _jitters(where, np.abs(steps))


def _jitters(where: NDArray[np.float64], steps: NDArray[np.float64]) -> bool:
    """Whether neighbouring steps differ as the dates of nights do, by more than numbers were rounded by."""
    if steps.size < 10:
        return False
    change = min(float(np.median(np.abs(steps[lag:] - steps[:-lag]))) for lag in (1, 2, 3))
    if change < JITTER * float(np.median(steps)):
        return False
    units = (10.0**-decimals for decimals in range(DECIMALS + 1))
    rounded = next((unit for unit in units if np.allclose(where, unit * np.round(where / unit), 1e-13)), 0.0)
    return change > 2.01 * rounded


def _noise_called(values: NDArray[Any], flux: NDArray[np.float64]) -> str | None:
    """Return what a third column without a title is, by the scatter of flux; None where it is no noise."""
    if values.dtype.kind == "U":
        return None
    column = values.astype(np.float64)
    is_error = _is_like_noise(column, flux)
    if is_error and 1 / SAME_SIZE < float(np.nanmedian(column[column > 0])) / _scatter(flux) < SAME_SIZE:
        return "error"
    power = noise_power(flux, column)
    with np.errstate(divide="ignore", invalid="ignore"):
        if power is None and noise_power(flux, flux / column) == -2:
            return None  # S/N: flux over it is as large as flux scatters
    return {1: "ivar", -1: "variance"}.get(power or 0, "error" if is_error else None)


def _scatter(flux: NDArray[np.float64]) -> float:
    """How much flux differs from pixel to pixel, over what the difference of two normal deviates does."""
    return float(np.median(np.abs(np.diff(flux[np.isfinite(flux)])))) / 0.954


def _is_like_noise(error: NDArray[np.float64], flux: NDArray[np.float64]) -> bool:
    used = np.isfinite(error) & np.isfinite(flux) & (error > 0)
    if used.any() and (np.ptp(error[used]) == 0 or _is_flat(flux[used], error[used])):
        return False  # a width, or what is no spectrum: noise is estimated, and the answer says so
    error = error[np.isfinite(error)]
    good = flux[np.isfinite(flux)]
    if not (error.size and (error >= 0).all() and (error > 0).any() and good.size > 1):
        return False
    scatter = _scatter(flux)
    typical, level = float(np.median(error[error > 0])), float(np.median(np.abs(good)))
    if level < FAINT * typical and level > BRIGHT * scatter:
        return False  # as large as flux itself, which is no noise: another flux, a model or sky
    return scatter / LIKE_NOISE < typical < scatter * LIKE_NOISE


def _is_flat(flux: NDArray[np.float64], error: NDArray[np.float64]) -> bool:
    """Whether flux is a constant within its errors, shapes (n,)."""
    mean = np.average(flux, weights=error**-2.0)
    return bool(np.mean(((flux - mean) / error) ** 2) < FLAT)
