"""One spectrum with all that was found of it, for a notebook."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from spectraq._picture import axes, svg
from spectraq.models.answer import Extra
from spectraq.schemas.results import Anomaly, Classification, Measurement, ModelSpectrum, Redshift
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.files.analyze_files import Answered, Unanswered

if TYPE_CHECKING:
    from spectraq._ensemble import Ensemble


@dataclass(frozen=True)
class AnalyzedSpectrum:
    """A spectrum, its class, redshift and anomaly.

    Attributes
    ----------
    spectrum
        The pixels that were analysed.
    error
        None: there are results.
    """

    spectrum: Spectrum
    answered: Answered = field(repr=False)
    ensemble: Ensemble = field(repr=False)
    error: None = None

    @property
    def spectrum_id(self) -> str:
        """Its identity."""
        return self.spectrum.spectrum_id

    @property
    def classification(self) -> Classification:
        """Class and subclass with their probabilities."""
        return self.answered.results.classification

    @property
    def redshift(self) -> Redshift:
        """Redshift, its error and warnings, and the other candidates."""
        return self.answered.results.redshift

    @property
    def anomaly(self) -> Anomaly:
        """Score, flag and reasons."""
        return self.answered.results.anomaly

    @cached_property
    def model(self) -> ModelSpectrum:
        """The best fit and chi2(z) of each class; computed when it is first asked for."""
        model = self.ensemble.results(self.spectrum, Extra.MODEL).model
        assert model is not None
        return model

    @cached_property
    def measurement(self) -> Measurement:
        """Lines, indices and masses, each with its error; computed when they are first asked for."""
        measurement = self.ensemble.results(self.spectrum, Extra.MEASUREMENT).measurement
        assert measurement is not None
        return measurement

    def _row(self, measurements: bool) -> Answered:
        """Return what a row of a table is made of."""
        if not measurements:
            return self.answered
        return replace(self.answered, results=replace(self.answered.results, measurement=self.measurement))

    def as_json(self) -> dict[str, Any]:
        """Return what `spectraq analyze --json` prints of it."""
        return self.answered.as_json()

    def plot(self, ax: Any = None) -> Any:
        """Draw flux, best fit and what is flagged with matplotlib, and return the axes.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure otherwise.

        Raises
        ------
        SpectraqError
            Where matplotlib is not installed.
        """
        return axes(self, ax)

    def __repr__(self) -> str:
        return f"<spectraq.AnalyzedSpectrum {self.spectrum_id}: {self.summary}>"

    @property
    def summary(self) -> str:
        """Class, redshift with its error, warnings and flag, in one line."""
        redshift = self.redshift
        digits = max(1 - math.floor(math.log10(redshift.zerr)), 0) if redshift.zerr > 0 else 6
        z = f"z = {redshift.z:.{digits}f} ± {redshift.zerr:.{digits}f}"
        words = [redshift.spectype, redshift.subtype, z]
        words += [f"zwarn: {', '.join(redshift.zwarn_names)}"] if redshift.zwarn else []
        words += ["anomalous"] if self.anomaly.flagged else []
        return ", ".join(word for word in words if word)

    def _repr_html_(self) -> str:
        reasons = "".join(f"<li>{html.escape(reason.message)}</li>" for reason in self.anomaly.reasons)
        title = f"<b>{html.escape(self.spectrum_id)}</b> {html.escape(self.summary)}"
        listed = f"<ul>{reasons}</ul>" if reasons else ""
        return f"<div>{title}<br>{svg(self)}{listed}{_measured_html(self.measurement)}</div>"


def _measured_html(measurement: Measurement) -> str:
    """Return what is seen of lines and quantities as a folded table."""
    rows = [
        (
            f"{line.name} ({line.component})",
            f"{line.flux:.4g} ± {line.flux_error:.2g}",
            measurement.flux_unit + " Å",
        )
        for line in measurement.lines
        if line.flux is not None and line.upper_limit is None
    ]
    rows += [
        (q.name, f"{q.value:.4g}" + ("" if q.error is None else f" ± {q.error:.2g}"), q.unit)
        for q in measurement.quantities
        if q.value is not None
    ]
    cells = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return cells and f"<details><summary>measured</summary><table>{cells}</table></details>"


def table(results: Iterable[AnalyzedSpectrum | Unanswered], *, measurements: bool = False) -> Any:
    """Return results as an astropy table with units and descriptions, one row a spectrum.

    Parameters
    ----------
    results
        As `analyze` gives them; what has no answer is a row with its error, and masked elsewhere.
    measurements
        Whether lines, indices and masses are measured and have columns, too.

    Returns
    -------
    astropy.table.Table
        The columns of `spectraq analyze --output`.
    """
    from spectraq.workers.files.result_table import columns, row, table_of

    wanted = columns(measurements)
    answered = (r._row(measurements) if isinstance(r, AnalyzedSpectrum) else r for r in results)
    return table_of([row(result, wanted) for result in answered], wanted)
