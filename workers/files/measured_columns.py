"""The columns of what is measured: four of each line, two of each quantity."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from spectraq.models.measurement.line_groups import BROAD, BROAD_LINES, NARROW, SUMS, narrow_lines
from spectraq.models.measurement.quantities import QUANTITIES
from spectraq.workers.files.analyze_files import Answered
from spectraq.workers.files.table_column import Column, Value

OF_LINES = (
    ("flux", None, "flux, in the spectrum's unit of flux times angstrom"),
    ("flux_error", None, "its standard deviation"),
    ("ew", "Angstrom", "equivalent width at rest, positive in emission"),
    ("sigma", "km/s", "standard deviation, the instrument's taken out"),
)
"""Field of a line, unit and description."""
UNITS = {
    "log10(erg/s)": "dex(erg/s)",
    "log10(solMass)": "dex(solMass)",
    "log10(cm/s2)": "dex(cm/s2)",
    "log10(cm-2)": "dex(cm-2)",
}
"""How astropy writes what a table can't have as its unit."""


def measured_columns() -> Iterator[Column]:
    """Yield the columns of all lines and quantities, whatever the class."""
    yield Column("bpt", str, _bpt, "most probable class of a galaxy by its line ratios")
    of_any_class = {name: said for quantities in QUANTITIES.values() for name, said in quantities.items()}
    for name, (unit, meaning) in of_any_class.items():
        written = UNITS.get(unit, unit) or None
        yield Column(name, float, _quantity(name, "value"), meaning, written)
        yield Column(f"{name}_error", float, _quantity(name, "error"), "its standard deviation", written)
    narrow = sorted({*narrow_lines("GALAXY")[0], *narrow_lines("GALAXY")[1], *SUMS})
    broad = [name for names in BROAD_LINES.values() for name in names]
    for component, names in ((NARROW, narrow), (BROAD, broad)):
        for line in names:
            for field, of_line, meaning in OF_LINES:
                name = f"{line.lower()}_{component}_{field}"
                yield Column(
                    name, float, _line(line, component, field), f"{component} {line}: {meaning}", of_line
                )


def _bpt(answered: Answered) -> Value:
    measurement = answered.results.measurement
    return None if measurement is None else measurement.bpt


def _quantity(name: str, field: str) -> Callable[[Answered], Value]:
    def value(answered: Answered) -> Value:
        measurement = answered.results.measurement
        known = None if measurement is None else measurement.quantity(name)
        return None if known is None else _number(getattr(known, field))

    return value


def _line(name: str, component: str, field: str) -> Callable[[Answered], Value]:
    def value(answered: Answered) -> Value:
        measurement = answered.results.measurement
        known = None if measurement is None else measurement.line(name, component)
        return None if known is None else _number(getattr(known, field))

    return value


def _number(value: float | None) -> Value:
    return None if value is None else float(value)
