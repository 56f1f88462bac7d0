"""The networks of a notebook: loaded once, asked for whole folders or for one spectrum."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from spectraq._input import read
from spectraq._result import AnalyzedSpectrum
from spectraq.models.answer import Extra
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError, SpectraqError
from spectraq.workers.files import analyze_files
from spectraq.workers.files.analyze_files import Answered, Unanswered
from spectraq.workers.files.kept_spectra import KeptSpectra
from spectraq.workers.inference import SafeInference, load_networks, load_normal
from spectraq.workers.settings import WorkerSettings
from spectraq.workers.web.sources.best_fits import Modelling

if TYPE_CHECKING:
    from spectraq.models.change.record import Change
    from spectraq.schemas.results import ModelSpectrum
    from spectraq.workers.contract.convert import Results
    from spectraq.workers.files.compare_spectra import Comparing


class Ensemble:
    """The networks on one device, as `load` makes them.

    Parameters
    ----------
    settings
        Weights, members, device and cores.

    Attributes
    ----------
    digest
        SHA-256 (hex) of weights and code: the same digest gives the same answers.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._networks = load_networks(settings)
        self._fits = Modelling(settings, self._networks)
        self._comparing: Comparing | None = None
        self.digest = self._networks.digest

    def __repr__(self) -> str:
        return f"<spectraq.Ensemble {self._networks.version}: {', '.join(self._networks.members)}>"

    def analyze(
        self, spectra: Any, *, adapt: bool = True, **reading: Any
    ) -> Iterator[AnalyzedSpectrum | Unanswered]:
        """Return an iterator over results, as `spectraq.analyze` does."""
        with closing(KeptSpectra()) as kept:
            are_spectra: deque[bool] = deque()

            def noted() -> Iterator[Spectrum | ReadError]:
                for item in read(spectra, **reading):
                    are_spectra.append(isinstance(item, Spectrum))
                    if isinstance(item, Spectrum):
                        kept.keep(item)
                    yield item

            for result in self._answers(noted(), adapt):
                spectrum = kept.next() if are_spectra.popleft() else None
                if isinstance(result, Answered) and spectrum is not None:
                    yield AnalyzedSpectrum(spectrum, result, self)
                elif isinstance(result, Unanswered):
                    yield result

    def _answers(self, items: Iterator[Spectrum | ReadError], adapt: bool) -> Iterator[Answered | Unanswered]:
        settings = self._settings
        analysis = SafeInference(self._networks, settings.batch_spectra)
        limits = (settings.batch_spectra, settings.max_pixels)
        if not adapt:
            return analyze_files.analyze(items, analysis, *limits)
        return analyze_files.analyze_in_groups(items, analysis, *limits, load_normal(settings))

    def fit(self, spectrum: Any, **reading: Any) -> ModelSpectrum:
        """Return the best fit of one spectrum, as `spectraq.fit` does."""
        model = self.results(spectrum, Extra.MODEL, **reading).model
        assert model is not None
        return model

    def compare(self, earlier: Any, newer: Any, **reading: Any) -> Change:
        """Return what changed between two spectra of one object, as `spectraq.compare` does."""
        from spectraq.workers.files.compare_spectra import Comparing

        if self._comparing is None:
            self._comparing = Comparing(self._networks, self._settings)
        return self._comparing.change(*(_single(given, "compare", **reading) for given in (earlier, newer)))

    def results(self, spectrum: Any, extra: Extra, **reading: Any) -> Results:
        """Return the results of one spectrum, with what is asked for beside the usual."""
        return self._fits.results(_single(spectrum, "fit", **reading), extra)


def load(
    *,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int = 0,
    members: Sequence[str] = (),
    weights: str | Path | None = None,
) -> Ensemble:
    """Return the networks, to be given to `analyze` and `fit`; those use the shipped ones otherwise.

    Parameters
    ----------
    device
        Where the networks run; "auto" is a GPU where there is one.
    threads
        CPU cores to use; 0 for all there are.
    members
        Networks to ask, by name; none for the whole ensemble.
    weights
        Folder of other weights, as `spectraq train` writes them.

    Raises
    ------
    SpectraqError
        Where they can't be loaded.
    """
    given: dict[str, Any] = {"device": device, "threads": threads, "members": tuple(members)}
    return Ensemble(WorkerSettings(**given, weights=Path(weights) if weights else None))


def analyze(
    spectra: Any, *, ensemble: Ensemble | None = None, adapt: bool = True, **reading: Any
) -> Iterator[AnalyzedSpectrum | Unanswered]:
    """Return an iterator over results, one for each spectrum, in their order.

    Parameters
    ----------
    spectra
        As of `spectraq.read`: paths, arrays, tables, specutils' spectra, or any iterable of these.
    ensemble
        As `load` makes it; the shipped networks otherwise.
    adapt
        Whether anomalies are judged by what 20 or more spectra of a survey have in common, and without
        what those of a plate share, as `spectraq analyze` judges a folder. The first result then comes when
        the last spectrum is analysed. False judges each alone, as it comes: for spectra without an end.
    **reading
        `medium`, `wavelength_unit` and `format`, as of `spectraq.read`.

    Yields
    ------
    AnalyzedSpectrum or Unanswered
        The second, as a value, where a spectrum can't be read or analysed: its `error` says why. That of
        the first is None.

    Examples
    --------
    >>> for result in spectraq.analyze("night/*.fits"):  # doctest: +SKIP
    ...     print(result.redshift.z, result.redshift.zerr, result.anomaly.flagged)
    """
    return (ensemble or _shipped()).analyze(spectra, adapt=adapt, **reading)


def fit(spectrum: Any, *, ensemble: Ensemble | None = None, **reading: Any) -> ModelSpectrum:
    """Return the best fit of one spectrum: its model with error, and chi2(z) of each class.

    Parameters
    ----------
    spectrum
        One spectrum, in any form that `spectraq.read` takes.
    ensemble
        As of `analyze`.
    **reading
        As of `analyze`.

    Raises
    ------
    SpectraqError
        Where it can't be read or analysed, or is more than one.
    """
    return (ensemble or _shipped()).fit(spectrum, **reading)


def compare(earlier: Any, newer: Any, *, ensemble: Ensemble | None = None, **reading: Any) -> Change:
    """Return what changed between two spectra of one object, how much, and how sure that is.

    A smooth response and a scale between the two are no change. `docs/comparison.md` says what is tested for.

    Parameters
    ----------
    earlier, newer
        One spectrum each, in any form that `spectraq.read` takes.
    ensemble
        As of `analyze`.
    **reading
        As of `analyze`.

    Returns
    -------
    Change
        `changed` is true or false; each of `reasons` has kind, strength, rate, size and one sentence. Its
        fields may change until it is a message of the wire.

    Raises
    ------
    SpectraqError
        Where one can't be read or analysed or is more than one spectrum, and where the two can't be compared:
        other positions on the sky, too few common wavelengths, or nothing but noise.
    """
    return (ensemble or _shipped()).compare(earlier, newer, **reading)


def _single(given: Any, what: str, **reading: Any) -> Spectrum:
    items = list(read(given, **reading))
    if len(items) != 1:
        raise SpectraqError(f"{what} takes one spectrum, and these are {len(items)}; {what} them one by one")
    if isinstance(items[0], ReadError):
        raise items[0]
    return items[0]


@lru_cache(maxsize=1)
def _shipped() -> Ensemble:
    return load()
