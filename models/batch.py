"""One batch from gridded spectra to numbers: networks, scans, decision, refined redshift, best fit.

Every step runs on blocks of rows. Networks take blocks of a fixed size, the last one filled up by repeating
a row; the other steps treat rows one by one, and multiply in tiles of a fixed size (`tiles.py`). So a
spectrum meets the same kernels whatever else is in the batch, and its answer does not depend on the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from spectraq.models.classes import CLASSES, STAR_TYPES
from spectraq.models.decision.decide import GALAXY, QSO, STAR, Decision, decide, to_scan
from spectraq.models.decision.galaxy_lines import measure
from spectraq.models.decision.galaxy_types import typed
from spectraq.models.grid.axis import N_PIXELS, REBIN
from spectraq.models.grid.prepare import Gridded, Prepared, prepare
from spectraq.models.grid.survey_noise import STATED, SurveyNoise
from spectraq.models.networks.encoder import Latent
from spectraq.models.networks.ensemble import Ensemble, Opinion
from spectraq.models.redshift.best_fit import Fit, fit, interpolated
from spectraq.models.redshift.candidates import Candidates
from spectraq.models.redshift.chi2_evidence import kappa_of
from spectraq.models.redshift.continuum import Continuum
from spectraq.models.redshift.eigenspectra import Basis
from spectraq.models.redshift.minima import quartic, sigma_lnz
from spectraq.models.redshift.scan_all_lags import CONTINUUM_TERMS
from spectraq.models.redshift.scan_near_lag import ExactScan
from spectraq.models.redshift.search import ScannedClass, Stars
from spectraq.models.redshift.templates import Templates
from spectraq.models.redshift.troughs import LEAST_PIXELS, absorbed, without_troughs
from spectraq.models.tensors import joined, rows_of
from spectraq.models.tiles import TILE

FINE_RADIUS = 4
"""Exact gains are taken this many grid pixels around the coarse minimum: one coarse pixel."""
MARGIN_PIXELS = 16
"""Template margin beyond the searched lags, in pixels: the windows of the fine search reach there."""
MARGIN = 2
"""Pixels that the interpolation of templates needs on either side."""


SMALL_ROWS_A_BLOCK = 128
"""Rows worked on together where a row is a few numbers."""


@dataclass(frozen=True, slots=True)
class BatchAnalysis:
    """Everything that is known of a batch of B spectra."""

    gridded: Gridded
    prepared: Prepared
    opinion: Opinion
    latent: Latent | None  # None where the encoder is not a member
    candidates: tuple[Candidates, ...]  # by class, in the order of CLASSES
    decision: Decision
    lag: torch.Tensor  # (B,) float64, the answer's, in grid pixels, sub-pixel offset not included
    sigma: torch.Tensor  # (B,) one standard deviation of ln(1 + z), from chi2 alone
    at_limit: torch.Tensor  # (B,) bool
    kappa: torch.Tensor  # (B,) max(1, chi2/dof) on coarse pixels
    fit: Fit

    @property
    def noise_ivar(self) -> torch.Tensor:
        """Return `Prepared.noise_ivar` in units of the gridded flux, shape (B, N_PIXELS)."""
        return self.prepared.noise_ivar / self.prepared.scale.square()


def in_blocks(
    rows: torch.Tensor, block: int, least: int = TILE
) -> Iterator[tuple[torch.Tensor, torch.Tensor | slice]]:
    """Yield rows in blocks: those that count, and those filled up to a whole number of `least` rows.

    Parameters
    ----------
    rows
        Ascending.
    """
    for start in range(0, len(rows), block):
        part = rows[start : start + block]
        first, last = int(part[0]), int(part[-1])
        missing = -len(part) % least
        if missing == 0 and last - first == len(part) - 1:
            yield part, slice(first, last + 1)  # what is picked by a slice is not copied
        else:
            yield part, torch.cat([part, part[:1].expand(missing)])


class BatchAnalyst:
    """The networks and bases on one device.

    Parameters
    ----------
    block
        Rows that are worked on together: small enough that they stay in a core's cache.
    noise
        What the surveys' noise leaves out, on the same device.
    """

    def __init__(
        self,
        ensemble: Ensemble,
        bases: dict[str, Basis],
        device: torch.device,
        block: int = 16,
        noise: SurveyNoise = STATED,
    ) -> None:
        self.ensemble = ensemble
        self.block = block
        self.device = device
        self._noise = noise
        self.stars = Stars({n: basis for n, basis in bases.items() if basis.spectype == "STAR"}, device)
        self.scans = {name: ScannedClass(bases[name], device) for name in ("GALAXY", "QSO")}
        self.lags = (self.stars.lags, self.scans["GALAXY"].lags, self.scans["QSO"].lags)
        self._templates = (
            Templates(self.stars.flux, self.stars.first, MARGIN),
            self._whole(bases["GALAXY"]),
            self._whole(bases["QSO"]),
        )
        # Broad lines gain nothing from single pixels: quasars' coarse parabola is better.
        stars, galaxies = self._templates[:QSO]
        leading = galaxies.flux[:, : bases["GALAXY"].leading]
        self._fine = (
            ExactScan(stars.flux, stars.first, FINE_RADIUS),
            ExactScan(leading, galaxies.first, FINE_RADIUS),
        )

    def _whole(self, basis: Basis) -> Templates:
        lags = self.scans[basis.spectype].lags
        first = -int(lags[-1]) - MARGIN_PIXELS
        last = N_PIXELS - int(lags[0]) + MARGIN_PIXELS
        return Templates(basis.window(first, last - first)[None].to(self.device), first, MARGIN)

    @torch.inference_mode()
    def analyze(self, gridded: Gridded, everything: bool = False) -> BatchAnalysis:
        """Analyse a batch.

        Parameters
        ----------
        everything
            Also fill the chi2(z) curves of classes that the answer does not need, and the fit's error.
        """
        n = len(gridded.flux)
        every = torch.arange(n, device=self.device)
        prepared, opinion, latent = self._asked(gridded, every)
        wanted = to_scan(opinion)
        candidates = tuple(self._search(c, prepared, opinion, wanted[:, c]) for c in range(len(CLASSES)))
        freedom = (prepared.coarse_ivar > 0).sum(1)
        decision = self._decided(opinion, candidates, freedom, every)
        if everything:
            candidates = tuple(
                self._with_curve(c, prepared, opinion, ~wanted[:, c], of_class)
                for c, of_class in enumerate(candidates)
            )
        chi2 = torch.stack([c.chi2[:, 0] for c in candidates])[decision.spectype, every]
        kappa = kappa_of(chi2, freedom)
        lag = torch.stack([c.lag[:, 0] for c in candidates])[decision.spectype, every]
        curvature = torch.stack([c.curvature[:, 0] for c in candidates])[decision.spectype, every]
        sigma = sigma_lnz(curvature, kappa, REBIN)
        at_limit = torch.stack([c.at_limit[:, 0] for c in candidates])[decision.spectype, every]
        best = Fit.empty(n, max(t.flux.shape[1] for t in self._templates), self.device, everything)
        for c in range(len(CLASSES)):
            rows = torch.nonzero(decision.spectype == c)[:, 0]
            self._finish(c, prepared, latent, candidates[c].basis[:, 0], rows, lag, sigma, at_limit, best)
        moved = self._moved_by_troughs(prepared, decision, best.model, lag, sigma)
        self._finish(QSO, prepared, latent, candidates[QSO].basis[:, 0], moved, lag, sigma, at_limit, best)
        decision = self._with_galaxy_types(gridded, decision, lag)
        return BatchAnalysis(
            gridded, prepared, opinion, latent, candidates, decision, lag, sigma, at_limit, kappa, best
        )

    def _asked(self, gridded: Gridded, every: torch.Tensor) -> tuple[Prepared, Opinion, Latent | None]:
        """Prepare every row and ask the networks."""
        prepared, opinions, latents = [], [], []
        for part, filled in in_blocks(every, self.block, self.block):
            rows = rows_of(gridded, filled)
            ready = prepare(rows, self._noise)
            opinion, latent = self.ensemble.ask(rows, ready)
            opinions.append(rows_of(opinion, slice(len(part)), dim=1))
            prepared.append(rows_of(ready, slice(len(part))))
            if latent is not None:
                latents.append(rows_of(latent, slice(len(part))))
        return joined(prepared), joined(opinions, dim=1), joined(latents) if latents else None

    def _search(self, c: int, prepared: Prepared, opinion: Opinion, wanted: torch.Tensor) -> Candidates:
        """Find the candidates of one class for the rows that want it."""
        candidates = Candidates.empty(len(wanted), len(self.lags[c]), self.device)
        for part, filled in in_blocks(torch.nonzero(wanted)[:, 0], self.block):
            flux, ivar = prepared.coarse_flux[filled], prepared.coarse_ivar[filled]
            continuum = Continuum.fit(flux, ivar, CONTINUUM_TERMS)
            if c == STAR:
                probability = opinion.subclass[:, filled, : len(STAR_TYPES)].mean(0)
                candidates.put(part, self.stars.search(flux, ivar, continuum, probability))
            else:
                posterior = (opinion.z_galaxy if c == GALAXY else opinion.z_qso)[:, filled].mean(0)
                snr = prepared.snr[filled]
                candidates.put(part, self.scans[CLASSES[c]].search(flux, ivar, continuum, posterior, snr))
        return candidates

    def _with_curve(
        self, c: int, prepared: Prepared, opinion: Opinion, rows: torch.Tensor, candidates: Candidates
    ) -> Candidates:
        """Return candidates with the chi2(z) of these rows too, (B,) bool, which the answer does not need."""
        curve = self._search(c, prepared, opinion, rows).curve
        return replace(candidates, curve=torch.where(rows[:, None], curve, candidates.curve))

    def _decided(
        self,
        opinion: Opinion,
        candidates: Sequence[Candidates],
        freedom: torch.Tensor,
        every: torch.Tensor,
    ) -> Decision:
        """Decide on every row."""
        done = []
        for part, filled in in_blocks(every, max(self.block, SMALL_ROWS_A_BLOCK)):
            minima = [rows_of(of_class, filled) for of_class in candidates]
            decision = decide(rows_of(opinion, filled, dim=1), minima, freedom[filled])
            done.append(rows_of(decision, slice(len(part))))
        return joined(done)

    def _with_galaxy_types(self, gridded: Gridded, decision: Decision, lag: torch.Tensor) -> Decision:
        """Return a decision in which measured lines have shifted probability between the kinds of galaxy."""
        probability = decision.subclass_probability.clone()
        rows = torch.nonzero(decision.spectype == GALAXY)[:, 0]
        for part, filled in in_blocks(rows, max(self.block, SMALL_ROWS_A_BLOCK)):
            lines = measure(gridded.flux[filled], gridded.ivar[filled], lag[filled])
            probability[part] = typed(decision.subclass_probability[filled], lines)[: len(part)]
        return replace(decision, subclass_probability=probability)

    def _finish(
        self,
        c: int,
        prepared: Prepared,
        latent: Latent | None,
        basis: torch.Tensor,
        rows: torch.Tensor,
        lag: torch.Tensor,
        sigma: torch.Tensor,
        at_limit: torch.Tensor,
        best: Fit,
    ) -> None:
        """Refine the redshifts of rows of one class and fit them; writes to lag, sigma, at_limit and best."""
        templates = self._templates[c]
        for part, filled in in_blocks(rows, self.block):
            flux, ivar = prepared.flux[filled], prepared.ivar[filled]
            which, lags = basis[filled], lag[filled]
            if c < len(self._fine):
                lags, width, end = self._refined(self._fine[c], flux, ivar, which, lags)
                lag[part], sigma[part] = lags[: len(part)], width[: len(part)]
                at_limit[part] |= end[: len(part)]
            expected = None
            if latent is not None and self.ensemble.encoder is not None:
                # What the encoder expects of this very spectrum follows it further than any few eigenspectra.
                expected = self.ensemble.encoder.observed(rows_of(latent, filled), CLASSES[c], lags)
            shapes = interpolated(templates, which, lags)
            best.put(part, fit(flux, ivar, shapes, expected, best.sigma is not None))

    def _moved_by_troughs(
        self,
        prepared: Prepared,
        decision: Decision,
        model: torch.Tensor,
        lag: torch.Tensor,
        sigma: torch.Tensor,
    ) -> torch.Tensor:
        """Return the rows whose redshift troughs had moved, having written lag and sigma without them."""
        moved = []
        quasars = torch.nonzero(decision.spectype == QSO)[:, 0]
        for part, _ in in_blocks(quasars, self.block):
            smooth = model[part].view(len(part), -1, REBIN).mean(2)
            mask = absorbed(prepared.coarse_flux[part], prepared.coarse_ivar[part], smooth, lag[part])
            wide = mask.sum(1) >= LEAST_PIXELS
            mask = mask[wide]
            for i, row in enumerate(part[wide]):
                one = slice(int(row), int(row) + 1)
                coarse = prepared.coarse_flux[one], prepared.coarse_ivar[one]
                spectrum = (prepared.flux[one], prepared.ivar[one], coarse, lag[one], mask[i : i + 1])
                better = without_troughs(self.scans["QSO"], self._templates[QSO], *spectrum)
                if better[2].item():
                    lag[one], sigma[one] = better[0], better[1].to(sigma.dtype)
                    moved.append(int(row))
        return torch.tensor(moved, dtype=torch.int64, device=self.device)

    @staticmethod
    def _refined(
        scan: ExactScan, flux: torch.Tensor, ivar: torch.Tensor, which: torch.Tensor, lag: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return lag and error by exact gains at single pixels, and whether these have no peak within."""
        continuum = Continuum.fit(flux, ivar, CONTINUUM_TERMS)
        centre = lag.round().long()
        gain = scan.gain(flux, ivar, continuum, which, centre)
        top = gain.argmax(1, keepdim=True)
        peak = quartic(gain, top)
        at_end = (top[:, 0] == 0) | (top[:, 0] == gain.shape[1] - 1)
        kappa = kappa_of(continuum.chi2 - peak.height[:, 0], (ivar > 0).sum(1))
        refined = centre - scan.radius + peak.index[:, 0]
        return refined, sigma_lnz(peak.curvature[:, 0], kappa, 1), at_end
