"""Stars hardly move: a speed of a thousand km/s needs evidence."""

import torch

from spectraq.models.classes import STAR_TYPES
from spectraq.models.grid.axis import N_COARSE, N_PIXELS, REBIN
from spectraq.models.redshift.continuum import Continuum
from spectraq.models.redshift.eigenspectra import Basis
from spectraq.models.redshift.scan_all_lags import CONTINUUM_TERMS
from spectraq.models.redshift.search import STAR_RADIUS_COARSE, Stars

SPECTRA = 64


def found(bases: dict[str, Basis], flux: torch.Tensor, ivar: float) -> torch.Tensor:
    """Lags that spectra of equal noise are given as K stars."""
    stars = Stars({n: b for n, b in bases.items() if b.spectype == "STAR"}, torch.device("cpu"))
    weight = torch.full_like(flux, ivar)
    kinds = torch.zeros(len(flux), len(STAR_TYPES))
    kinds[:, STAR_TYPES.index("K")] = 1
    candidates = stars.search(flux, weight, Continuum.fit(flux, weight, CONTINUUM_TERMS), kinds)
    return candidates.lag[:, 0]


def test_noise_alone_is_not_a_fast_star(bases: dict[str, Basis]) -> None:
    noise = torch.randn(SPECTRA, N_COARSE, generator=torch.Generator().manual_seed(1))
    lag = found(bases, 1 + noise, 1.0).abs()
    # Without a preference for slow ones the mean would be half of the range.
    assert float(lag.mean()) < 0.35 * REBIN * STAR_RADIUS_COARSE


def test_a_fast_star_is_found_where_the_spectrum_shows_it(bases: dict[str, Basis]) -> None:
    shift = 3 * REBIN
    k = bases["K"]
    rest = (k.amplitudes.mean(0)[:, None] * k.window(-shift, N_PIXELS)).sum(0)
    flux = (rest / rest.abs().mean()).view(1, -1, REBIN).mean(2).expand(4, -1)
    lag = found(bases, flux.contiguous(), 400.0)
    assert ((lag - shift).abs() < 1.0).all()
