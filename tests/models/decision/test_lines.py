import math

import numpy as np
import pytest
import torch

from spectraq.models.classes import GALAXY_TYPES, SUBCLASSES
from spectraq.models.decision.galaxy_lines import NAMES, GalaxyLines, measure
from spectraq.models.decision.galaxy_types import FIRST, evidence, typed
from spectraq.models.grid.axis import DLOGLAM, N_PIXELS
from spectraq.models.training.mocks.lines import LINES, paint

Z = 0.1
LAG = math.log10(1 + Z) / DLOGLAM


def galaxy(noise=0.01, **widths):
    """A flat continuum with lines of these rest-frame widths at Z, and its inverse variance."""
    first = -round(LAG)
    strengths = np.zeros((1, len(LINES)))
    for name, value in widths.items():
        strengths[0, list(LINES).index(name)] = value
    rest = paint(torch.ones(1, N_PIXELS), first, strengths, torch.tensor([2.2]))
    generator = torch.Generator().manual_seed(1)
    flux = rest + noise * torch.randn(rest.shape, generator=generator)
    return flux, torch.full_like(flux, noise**-2), torch.tensor([float(round(LAG))]).double()


def test_widths_are_those_that_were_painted():
    painted = {"Halpha": 40.0, "NII_6585": 12.0, "NII_6550": 4.0, "Hbeta": 12.0, "OIII_5008": 20.0}
    lines = measure(*galaxy(**painted, OIII_4960=20 / 2.98))
    found = dict(zip(NAMES, lines.width[0].tolist(), strict=True))
    assert found["Halpha"] == pytest.approx(40, rel=0.06)
    assert found["NII"] == pytest.approx(12, rel=0.08)
    assert found["Hbeta"] == pytest.approx(12, rel=0.06)
    assert found["OIII"] == pytest.approx(20, rel=0.06)


def test_errors_are_those_of_the_noise():
    pulls = []
    for seed in range(60):
        flux, ivar, lag = galaxy(noise=0.1)
        generator = torch.Generator().manual_seed(seed)
        lines = measure(1 + 0.1 * torch.randn(flux.shape, generator=generator), ivar, lag)
        pulls.append(float(lines.width[0, 2] / lines.error[0, 2]))
    assert 0.7 < np.std(pulls) < 1.5  # the widest of three widths is chosen by the noise itself


def test_a_line_beyond_the_spectrum_is_not_seen_and_says_nothing():
    flux, ivar, _ = galaxy(Halpha=40.0)
    lines = measure(flux, ivar, torch.tensor([math.log10(2.2) / DLOGLAM]))
    assert torch.isinf(lines.error[0, NAMES.index("Halpha")])
    nothing = evidence(lines)
    assert torch.equal(nothing, torch.zeros_like(nothing))


@pytest.mark.parametrize(
    ("widths", "kind"),
    [
        ((8.0, 4.0, 25.0, 6.0), "STARFORMING"),
        ((50.0, 60.0, 160.0, 20.0), "STARBURST"),
        ((2.0, 15.0, 8.0, 8.0), "AGN"),
        ((0.0, 0.0, 0.2, 0.1), "PASSIVE"),
    ],
)
def test_the_lines_decide_where_the_networks_do_not(widths, kind):
    hbeta, oiii, halpha, nii = widths
    width = torch.tensor([[hbeta, oiii, halpha, nii]])
    believed = torch.zeros(1, len(SUBCLASSES))
    believed[0, FIRST : FIRST + len(GALAXY_TYPES)] = 0.25
    decided = typed(believed, GalaxyLines(width, torch.full_like(width, 0.3)))
    assert GALAXY_TYPES[int(decided[0, FIRST : FIRST + 4].argmax())] == kind
    assert float(decided.sum()) == pytest.approx(1, abs=1e-5)
