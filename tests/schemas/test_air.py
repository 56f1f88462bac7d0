"""Wavelengths in air and in vacuum."""

import numpy as np
import pytest

from spectraq.schemas.air import vacuum_from_air


@pytest.mark.parametrize(
    ("air", "vacuum"),
    [(4861.363, 4862.721), (4958.911, 4960.295), (5006.843, 5008.240), (6562.801, 6564.614)],
    ids=["H-beta", "[O III] 4959", "[O III] 5007", "H-alpha"],
)
def test_known_lines_come_out_where_sdss_lists_them_in_vacuum(air: float, vacuum: float) -> None:
    assert vacuum_from_air(np.array([air]))[0] == pytest.approx(vacuum, abs=0.003)


def test_the_inverse_of_the_published_formula_is_exact() -> None:
    vacuum = np.linspace(2001.0, 25000.0, 1000)
    wavenumber2 = (1e4 / vacuum) ** 2
    index = 1 + 5.792105e-2 / (238.0185 - wavenumber2) + 1.67917e-3 / (57.362 - wavenumber2)
    np.testing.assert_allclose(vacuum_from_air(vacuum / index), vacuum, rtol=1e-13)


def test_ultraviolet_wavelengths_are_in_vacuum_already() -> None:
    assert vacuum_from_air(np.array([1215.67, 1999.9])).tolist() == [1215.67, 1999.9]


def test_what_is_no_wavelength_is_left_for_the_analysis_to_refuse() -> None:
    strange = vacuum_from_air(np.array([0.0, -1.0, np.nan, np.inf]))
    assert strange[0] == 0 and strange[1] == -1 and np.isnan(strange[2]) and not np.isfinite(strange[3])
