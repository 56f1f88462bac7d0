"""Emission and absorption that no known line of the object, nor of the sky, explains: a matched filter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import torch
from torch.nn.functional import max_pool1d, pad
from torch.nn.utils.rnn import pad_sequence

from spectraq.models.anomaly.residual import Residual, Windows, intervals
from spectraq.models.classes import CLASSES
from spectraq.models.decision.decide import QSO, STAR
from spectraq.models.grid.axis import N_COARSE, N_PIXELS, REBIN, pixel_of, rebinned
from spectraq.models.grid.prepare import box_mean
from spectraq.models.lines import BANDS, LINES, Line
from spectraq.models.tiles import on_lines, sums

WIDTHS = (1.3, 2.5, 5.0)
"""Standard deviations in pixels of the lines that are sought: 90 to 345 km/s."""
REACH = 12
STRETCH = 32
"""Pixels that are convolved by one product: N_PIXELS is a multiple."""
LOCAL_PIXELS = 800
"""Half width of the box that the filter's own scatter is measured over: a noisy stretch is not all lines."""
LOCAL_CLIP = 6.0
NEAR_PIXELS, NEAR_CLIP = 150, 3.0
"""The same close by, for lines that are to be confirmed."""
CANDIDATES = 4
END_PIXELS = 50
"""Of a spectrum, on either side, where the calibration rises or falls steeply: no line is confirmed there."""
APART_PIXELS = 15
LOOKED_AT_PIXELS = 40
SEVERAL_ALLOWED, ABOVE_ALLOWED = 1.5, 1.2
"""How much weaker than itself a line may be without its best pixel, and with a parabola beneath."""
HALF_WIDTH_PIXELS = {"star": 7, "galaxy": 10, "quasar": 14, "broad": 45, "winged": 110}
KNOWN = tuple(line for line in LINES if line.known)
EMITTED = tuple(tuple(line for line in LINES if name in line.emitted_by) for name in CLASSES)
"""By class, lines that are emitted so strongly that a fit leaves some of it. Emission at other lines, as at
[OIII] of a star, is as strange as anywhere: no normal spectrum has five sigma there."""
EDGE_PIXELS = 3
NO_LINE = -1e6
"""Padding of the line tables: centre and half width of an interval without pixels."""
SKY_PIXELS = 3
SKY_DAMPING = 1.0
"""On the brightest airglow lines a line counts as this much more than once weaker: of the strongest twenty
"lines" of normal real spectra, fifteen were airglow."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The strongest unexplained line of each of B spectra."""

    strength: torch.Tensor  # (B,) in units of the filter's own local scatter, at least one sigma of noise
    pixel: torch.Tensor  # (B,) int64
    width: torch.Tensor  # (B,) standard deviation in pixels


def near_known_lines(residual: Residual) -> torch.Tensor:
    """Return the pixels where the object may have lines of its own; shape (B, N_PIXELS)."""
    return _near(residual, _line_tables((KNOWN,) * len(CLASSES), residual.flux.device))


def near_emitted_lines(residual: Residual) -> torch.Tensor:
    """Return the pixels where the object may emit more than the fit can follow; shape (B, N_PIXELS)."""
    return _near(residual, _line_tables(EMITTED, residual.flux.device))


def _near(residual: Residual, tables: torch.Tensor) -> torch.Tensor:
    centre, half = tables[residual.spectype].unbind(2)
    return intervals(residual.lag[:, None] + centre, half)


@cache
def _line_tables(lines: tuple[tuple[Line, ...], ...], device: torch.device) -> torch.Tensor:
    """Return the grid pixel at rest and half width of the lines of every class, shape (classes, n, 2)."""
    tables = []
    for spectype, of_class in enumerate(lines):
        rows = [(pixel_of(line.wavelength), _half_width(line, spectype)) for line in of_class]
        tables.append(torch.tensor(rows, dtype=torch.float64))
    with torch.inference_mode(False):  # kept for callers of every kind
        return pad_sequence(tables, batch_first=True, padding_value=NO_LINE).to(device)


def _half_width(line: Line, spectype: int) -> int:
    if spectype != QSO:
        return HALF_WIDTH_PIXELS["star" if spectype == STAR else "galaxy"]
    return HALF_WIDTH_PIXELS["winged" if line.winged else "broad" if line.broad else "quasar"]


def untrusted(residual: Residual) -> torch.Tensor:
    """Return the pixels of the worst of the sky, of gaps and of their edges; shape (B, N_PIXELS)."""
    unused = (residual.ivar == 0).float()
    return _bad(residual.flux.device) | (
        max_pool1d(unused[:, None], 2 * EDGE_PIXELS + 1, 1, EDGE_PIXELS)[:, 0] > 0
    )


@cache
def _bad(device: torch.device) -> torch.Tensor:
    """Return the pixels of the unusable bands, shape (1, N_PIXELS) bool."""
    with torch.inference_mode(False):  # kept for callers of every kind
        ends = torch.tensor([[pixel_of(band.low), pixel_of(band.high)] for band in BANDS if band.unusable])
        return intervals(ends.mean(1)[None], (ends[:, 1] - ends[:, 0])[None] / 2).to(device)


def filtered(residual: Residual) -> tuple[torch.Tensor, torch.Tensor]:
    """Return lines of every width at every pixel.

    Returns
    -------
    ratio
        Heights in units of their noise, shape (B, len(WIDTHS), N_PIXELS).
    weight
        Inverse variances of the heights, the same shape.
    """
    profile, square = _bands(residual.flux.device)
    signal = _convolved(residual.narrow * residual.ivar, profile)
    weight = _convolved(residual.ivar, square).clamp_min(1e-9)
    return signal / weight.sqrt(), weight


@dataclass(frozen=True, slots=True)
class Search:
    """Where lines are sought in B spectra, and what they are measured in."""

    emitted: torch.Tensor  # (B, widths, N_PIXELS) the filters, zero where the object or the sky emits
    free: torch.Tensor  # (B, widths, N_PIXELS) the same without all known lines
    counted: torch.Tensor  # (B, N_PIXELS) one where `free` is
    scatter: torch.Tensor  # (B, widths, N_COARSE) of `free` far and wide
    damping: torch.Tensor  # (N_PIXELS,) how much less a line on airglow counts

    @classmethod
    def of(cls, residual: Residual, ratio: torch.Tensor, airglow: torch.Tensor) -> Search:
        """Prepare a batch.

        Parameters
        ----------
        ratio
            From `filtered`.
        airglow
            From `airglow.airglow`: a line there must be stronger to be told from what sky subtraction left.
        """
        bad = untrusted(residual)
        counted = (~(bad | near_known_lines(residual))).to(ratio.dtype)
        free = ratio * counted[:, None]
        near = max_pool1d(airglow[None, None], 2 * SKY_PIXELS + 1, 1, SKY_PIXELS)[0, 0]
        emitted = ratio * (~(bad | near_emitted_lines(residual))).to(ratio.dtype)[:, None]
        scatter = _scatter(free, counted, LOCAL_PIXELS, LOCAL_CLIP)
        return cls(emitted, free, counted, scatter, 1 + SKY_DAMPING * near)

    def beside(self, weight: torch.Tensor, level: torch.Tensor, variance: torch.Tensor) -> Search:
        """Return the same in units of the noise and what a fit leaves of normal spectra together.

        Parameters
        ----------
        weight
            From `filtered`.
        level
            Flux that errors are fractions of, shape (B, N_PIXELS).
        variance
            From `LineErrors.variance`.
        """
        share = (1 + weight * level.square()[:, None] * variance).rsqrt()
        free = self.free * share
        scatter = _scatter(free, self.counted, LOCAL_PIXELS, LOCAL_CLIP)
        return replace(self, emitted=self.emitted * share, free=free, scatter=scatter)


def sought(search: Search) -> tuple[Lines, Lines]:
    """Find the strongest unexplained emission and absorption line."""
    unit = damped(search.scatter, search.damping)
    return _strongest(search.emitted / unit), _strongest(-search.free / unit)


def confirmed(residual: Residual, ratio: torch.Tensor, search: Search) -> Lines:
    """Find the emission line that stands best where it is: sharp, of several pixels, and above its own place.

    The strongest candidates are looked at again without the pixel that gives most, which cosmic rays do not
    survive, and with a parabola beneath, which the wings of badly fitted features do not. Each counts as much
    as the weakest of its three views, the latter two a little stronger than they are.

    Parameters
    ----------
    ratio
        From `filtered`.
    search
        As of `Search.beside`.
    """
    near = _scatter(search.free, search.counted, NEAR_PIXELS, NEAR_CLIP)
    unit = damped(torch.maximum(search.scatter, near), search.damping)
    relative = (search.emitted / unit * (~_ends(residual))[:, None]).max(1)
    strength, pixel = _candidates(relative.values)
    column = relative.indices.gather(1, pixel)
    weakest = _looked_at_again(residual, ratio, strength, pixel, column)
    best = weakest.max(1)
    pick = best.indices[:, None]
    width = torch.tensor(WIDTHS, device=ratio.device)[column.gather(1, pick)[:, 0]]
    return Lines(best.values, pixel.gather(1, pick)[:, 0], width)


def _candidates(relative: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return strength and pixel of the strongest that are apart in B rows of pixels, (B, CANDIDATES) each."""
    place = torch.arange(relative.shape[1], device=relative.device)
    strengths, pixels = [], []
    for _ in range(CANDIDATES):
        best = relative.max(1)
        strengths.append(best.values.clamp_min(0))
        pixels.append(best.indices)
        relative = relative * ((place - best.indices[:, None]).abs() >= APART_PIXELS)
    return torch.stack(strengths, 1), torch.stack(pixels, 1)


def _ends(residual: Residual) -> torch.Tensor:
    """Return the pixels near either end of a spectrum, and beyond, shape (B, N_PIXELS) bool."""
    used = (residual.ivar > 0).int()
    place = torch.arange(used.shape[1], device=used.device)
    first, last = used.argmax(1), used.shape[1] - 1 - used.flip(1).argmax(1)
    return (place < first[:, None] + END_PIXELS) | (place > last[:, None] - END_PIXELS)


def _looked_at_again(
    residual: Residual, ratio: torch.Tensor, strength: torch.Tensor, pixel: torch.Tensor, column: torch.Tensor
) -> torch.Tensor:
    """Return candidates at the strength of their weakest view.

    Parameters
    ----------
    strength, pixel, column
        Of each candidate, the last the filter's it was seen best with, shape (B, CANDIDATES); so is what is
        returned.
    """
    window = Windows.around(pixel, LOOKED_AT_PIXELS)
    offset = window.offset
    weight, narrow = window.of(residual.ivar) * window.inside, window.of(residual.narrow)
    width = torch.tensor(WIDTHS, device=ratio.device)[column]
    profile = torch.exp(-0.5 * (offset / width[..., None]).square())
    signal = narrow * profile * weight
    without = torch.zeros_like(weight).scatter(2, signal.argmax(2, keepdim=True), 1.0) == 0
    square = profile.square() * weight
    several = (signal * without).sum(2) / (square * without).sum(2).clamp_min(1e-9).sqrt()
    plain = ratio.flatten(1).gather(1, column * N_PIXELS + pixel)
    unit = torch.where(plain.abs() > 1e-6, strength / plain, 0.0)
    above = _above_parabola(window.of(residual.flux), profile, weight, offset / LOOKED_AT_PIXELS)
    views = (strength, SEVERAL_ALLOWED * several * unit, ABOVE_ALLOWED * above * unit)
    return torch.stack(views).amin(0).clamp_min(0)


def _above_parabola(
    flux: torch.Tensor, profile: torch.Tensor, weight: torch.Tensor, x: torch.Tensor
) -> torch.Tensor:
    """Return the significance of profiles with a parabola of x (n,) fitted beneath, (..., n) each; (...)."""
    left, shape, weight = flux.double(), profile.double(), weight.double()
    basis: list[torch.Tensor] = []
    for power in range(3):  # one after the other made orthogonal to those before
        term = x.double().expand_as(shape) ** power
        for known in basis:
            term = term - (term * known * weight).sum(-1, keepdim=True) * known
        size = (term.square() * weight).sum(-1, keepdim=True)
        basis.append(torch.where(size > 1e-9, term / size.clamp_min(1e-9).sqrt(), 0.0))
    for known in basis:
        left = left - (left * known * weight).sum(-1, keepdim=True) * known
        shape = shape - (shape * known * weight).sum(-1, keepdim=True) * known
    norm = (shape.square() * weight).sum(-1)
    return ((left * shape * weight).sum(-1) / norm.clamp_min(1e-9).sqrt()).float()


def _scatter(free: torch.Tensor, counted: torch.Tensor, half: int, clip: float) -> torch.Tensor:
    """Return the local root mean square of every filter, at least one: (B, widths, N_COARSE)."""
    power = rebinned(free.clamp(-clip, clip).square_())
    count = rebinned(counted)[:, None]
    sums = box_mean(torch.cat([power, count], 1), half // REBIN)
    share = sums[:, -1:].clamp_min(0.05 * REBIN)
    return (sums[:, :-1] / share).sqrt_().clamp_min_(1.0)


def damped(scatter: torch.Tensor, damping: torch.Tensor) -> torch.Tensor:
    """Return a scatter (B, widths, N_COARSE) where it is damped, shape (B, widths, N_PIXELS)."""
    return (scatter[..., None] * damping.view(N_COARSE, REBIN)).flatten(2)


def _kernels(device: torch.device) -> torch.Tensor:
    """Return the profiles of lines, shape (widths, 2 * REACH + 1)."""
    offset = torch.arange(-REACH, REACH + 1, device=device)
    width = torch.tensor(WIDTHS, device=device)[:, None]
    return torch.exp(-0.5 * (offset / width).square())


@cache
def _bands(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Band matrices of the profiles and of their squares, (widths * STRETCH, STRETCH + 2 * REACH) each."""
    with torch.inference_mode(False):  # kept for callers of every kind
        kernels = _kernels(device)
        bands = kernels.new_zeros(2, len(WIDTHS), STRETCH, STRETCH + 2 * REACH)
        for i in range(STRETCH):
            bands[:, :, i, i : i + kernels.shape[1]] = torch.stack([kernels, kernels.square()])
        profile, square = on_lines(bands.flatten(1, 2))
        return profile, square


def _convolved(values: torch.Tensor, band: torch.Tensor) -> torch.Tensor:
    """Convolve (B, N_PIXELS) with the lines of every width, shape (B, widths, N_PIXELS).

    As products of stretches with a band matrix: half the time of a convolution with so few channels.
    """
    stretches = pad(values, (REACH, REACH)).unfold(1, STRETCH + 2 * REACH, STRETCH)  # (B, n, S + 2 REACH)
    convolved = sums(stretches, band.expand(len(values), -1, -1))  # (B, n, widths * S)
    split = convolved.view(*convolved.shape[:2], len(WIDTHS), STRETCH)
    return split.transpose(1, 2).flatten(2)


def _strongest(relative: torch.Tensor) -> Lines:
    pixels = relative.shape[2]
    best = relative.flatten(1).max(1)
    width = torch.tensor(WIDTHS, device=relative.device)[best.indices // pixels]
    return Lines(best.values.clamp_min(0), best.indices % pixels, width)
