"""spectraq in a notebook or a script: classes, redshifts and anomalies of optical spectra.

    import spectraq
    for result in spectraq.analyze("night/*.fits"):
        print(result.redshift.z, result.redshift.zerr, result.anomaly.flagged)

`analyze`, `compare`, `fit` and `read` take paths, arrays, astropy tables and specutils' spectra; `load`
chooses networks and device; `table` makes an astropy table of results; `simulate` makes spectra of known
truth. What these give is what may be relied on. Nothing heavy is imported before it is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spectraq._ensemble import Ensemble, analyze, compare, fit, load
    from spectraq._input import read
    from spectraq._result import AnalyzedSpectrum, table
    from spectraq._simulate import simulate
    from spectraq.models.change.record import Change
    from spectraq.schemas.spectrum import Spectrum
    from spectraq.workers.errors import SpectraqError
    from spectraq.workers.files.analyze_files import Unanswered

__all__ = [
    "AnalyzedSpectrum",
    "Change",
    "Ensemble",
    "SpectraqError",
    "Spectrum",
    "Unanswered",
    "__version__",
    "analyze",
    "compare",
    "fit",
    "load",
    "read",
    "simulate",
    "table",
]

_HOME = {
    "AnalyzedSpectrum": "spectraq._result",
    "Change": "spectraq.models.change.record",
    "Ensemble": "spectraq._ensemble",
    "Spectrum": "spectraq.schemas.spectrum",
    "SpectraqError": "spectraq.workers.errors",
    "Unanswered": "spectraq.workers.files.analyze_files",
    "analyze": "spectraq._ensemble",
    "compare": "spectraq._ensemble",
    "fit": "spectraq._ensemble",
    "load": "spectraq._ensemble",
    "read": "spectraq._input",
    "simulate": "spectraq._simulate",
    "table": "spectraq._result",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("spectraq")
    if name not in _HOME:
        raise AttributeError(f"spectraq has no {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
