"""`import spectraq`: the same answers in a notebook, from whatever the spectra are in."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import InverseVariance
from astropy.table import Table

import spectraq
from spectraq._input import Assumption

FLUX_UNIT = 1e-17 * u.erg / u.s / u.cm**2 / u.AA
HEAVY = ("torch", "kafka", "redis", "astropy", "numpy", "pydantic", "matplotlib")


@pytest.fixture(scope="module")
def spectra() -> list[spectraq.Spectrum]:
    return spectraq.simulate(4, seed=3)


@pytest.fixture(scope="module")
def results(spectra: list[spectraq.Spectrum]) -> list[Any]:
    return list(spectraq.analyze(spectra))


def test_importing_it_loads_nothing_heavy() -> None:
    program = f"import spectraq, sys; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there_and_has_a_docstring() -> None:
    assert set(spectraq.__all__) <= set(dir(spectraq))
    for name in spectraq.__all__:
        thing = getattr(spectraq, name)
        assert name == "__version__" or thing.__doc__, name
    with pytest.raises(AttributeError, match="no 'analyse'; it has"):
        _ = spectraq.analyse


def test_files_have_the_answers_of_the_command_line(spectra: list[Any], tmp_path: Path) -> None:
    path, first = tmp_path / "first.npz", spectra[0]
    np.savez(path, flux=first.flux, wavelength=first.wavelength, ivar=first.ivar, medium="vacuum")
    command = [str(Path(sys.executable).with_name("spectraq")), "analyze", str(path), "--json"]
    printed = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    with pytest.warns(Assumption, match="unit"):
        (result,) = spectraq.analyze(path)
    assert json.loads(json.dumps(result.as_json())) == printed


def test_many_of_a_survey_judge_each_other_and_keep_their_order_and_pixels() -> None:
    several = [s.model_copy(update={"survey": "sdss"}) for s in spectraq.simulate(24, seed=5)]
    together = list(spectraq.analyze(several))
    judgements = {result.anomaly.judgement for result in together}
    assert "adapted" in judgements and "alone" not in judgements
    assert [result.spectrum.digest for result in together] == [spectrum.digest for spectrum in several]


def test_spectra_without_an_end_are_judged_alone_where_that_is_asked_for(spectra: list[Any]) -> None:
    results = spectraq.analyze(itertools.cycle(spectra), adapt=False)
    first = list(itertools.islice(results, 70))
    judgements = {result.anomaly.judgement for result in first}
    assert "alone" in judgements and "adapted" not in judgements
    assert [result.spectrum_id for result in first[:4]] == [spectrum.spectrum_id for spectrum in spectra]


def of_specutils(spectrum: Any) -> Any:
    specutils = pytest.importorskip("specutils")
    return specutils.Spectrum(
        spectral_axis=spectrum.wavelength * u.AA,
        flux=spectrum.flux * FLUX_UNIT,
        uncertainty=InverseVariance(spectrum.ivar / FLUX_UNIT**2),
    )


@pytest.mark.parametrize(
    "given",
    [
        lambda s: (s.wavelength, s.flux, s.ivar),
        lambda s: (s.wavelength * u.AA, s.flux * FLUX_UNIT, s.ivar / FLUX_UNIT**2),
        lambda s: ((s.wavelength * u.AA).to(u.um), s.flux * FLUX_UNIT, s.ivar / FLUX_UNIT**2),
        lambda s: (s.wavelength[::-1], s.flux[::-1], s.ivar[::-1]),
        lambda s: [(s.wavelength, s.flux, s.ivar)],
        lambda s: Table({"wave": s.wavelength * u.AA, "flux": s.flux, "err": s.ivar.clip(1e-9) ** -0.5}),
        of_specutils,
    ],
    ids=["arrays", "units", "micrometres", "descending", "a list", "table", "specutils"],
)
@pytest.mark.filterwarnings("ignore::spectraq._input.Assumption")
def test_a_spectrum_has_its_answer_in_whatever_form_it_comes(
    spectra: list[Any], results: list[Any], given: Any
) -> None:
    (result,) = spectraq.analyze(given(spectra[1]))
    assert result.error is None
    assert result.redshift.z == pytest.approx(results[1].redshift.z, abs=0.01 * results[1].redshift.zerr)
    assert result.classification.subtype == results[1].classification.subtype


@pytest.mark.filterwarnings("ignore::spectraq._input.Assumption")
def test_several_spectra_on_one_axis_are_several_results(spectra: list[Any]) -> None:
    one = spectra[0]
    several = list(spectraq.analyze((one.wavelength, np.stack([one.flux] * 3), np.stack([one.ivar] * 3))))
    assert [result.spectrum_id for result in several] == ["spectrum-0", "spectrum-1", "spectrum-2"]
    assert len({result.redshift.z for result in several}) == 1


def test_what_is_assumed_is_said(spectra: list[Any]) -> None:
    one = spectra[0]
    with pytest.warns(Assumption) as warned:
        list(spectraq.read((one.wavelength * u.AA, one.flux * FLUX_UNIT, one.ivar)))
    said = " ".join(str(warning.message) for warning in warned)
    assert "taken as in vacuum" in said and "ivar has no unit" in said


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (3, "is no spectrum: give a path"),
        ("nowhere.fits", "no such file"),
        (([4000.0, 5000.0], [1.0]), "1 pixels and wavelength has 2"),
        (([4000.0, 5000.0] * u.s, [1.0, 2.0]), "no unit of wavelength"),
        ((np.arange(4000.0, 4300.0), np.full(300, np.nan)), "0 of 300 pixels are finite"),
    ],
    ids=["number", "no file", "lengths", "seconds", "nothing but nan"],
)
@pytest.mark.filterwarnings("ignore::spectraq._input.Assumption")
def test_what_can_t_be_analysed_is_a_value_with_its_error_and_the_rest_goes_on(
    spectra: list[Any], given: Any, error: str
) -> None:
    bad, good = spectraq.analyze([given, spectra[0]])
    assert isinstance(bad, spectraq.Unanswered)
    assert error in str(bad)
    assert good.error is None


def test_the_table_has_units_and_a_masked_row_for_what_has_no_answer(results: list[Any]) -> None:
    lost = spectraq.Unanswered("lost.fits", None, "it is not there")
    table = spectraq.table([*results, lost])
    assert len(table) == 5
    assert table["ra"].unit == u.deg
    assert table["z"].mask.tolist() == [False] * 4 + [True]
    assert table["error"][4] == "it is not there"


def test_a_result_shows_itself_with_its_fit_and_lets_no_text_become_markup(spectra: list[Any]) -> None:
    (result,) = spectraq.analyze(spectra[0].model_copy(update={"spectrum_id": "<script>alert(1)</script>"}))
    shown = result._repr_html_()
    assert "<script" not in shown and "&lt;script" in shown
    assert shown.count("<polyline") == 2
    assert result.summary in shown and result.summary in repr(result)


def test_a_redshift_is_shown_with_the_digits_that_its_error_allows(results: list[Any]) -> None:
    redshift = results[1].redshift
    shown, error = results[1].summary.split("z = ")[1].split(",")[0].split(" ± ")
    assert float(shown) == pytest.approx(redshift.z, abs=0.1 * redshift.zerr)
    assert float(error) == pytest.approx(redshift.zerr, rel=0.06)


def test_a_result_draws_itself_with_matplotlib(results: list[Any]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    axes = results[0].plot()
    assert [line.get_label() for line in axes.lines] == ["flux", "best fit"]
    assert results[0].spectrum_id in axes.get_title()


def test_the_best_fit_is_of_the_answer_and_several_spectra_have_none_together(
    spectra: list[Any], results: list[Any]
) -> None:
    fit = spectraq.fit(spectra[1])
    assert fit.z == results[1].redshift.z
    with pytest.raises(spectraq.SpectraqError, match="fit takes one spectrum, and these are 4"):
        spectraq.fit(spectra)


def test_a_result_has_its_measurement_which_the_table_holds_where_it_is_wanted(results: list[Any]) -> None:
    result = next(one for one in results if one.classification.spectype == "STAR")
    velocity = result.measurement.quantity("radial_velocity")
    assert result.measurement.z == result.redshift.z
    assert velocity.value == pytest.approx(299792.458 * result.redshift.z)
    assert "radial_velocity" in result._repr_html_()
    table = spectraq.table([result], measurements=True)
    assert table["radial_velocity"][0] == velocity.value
    assert table["radial_velocity"].unit == u.km / u.s
    assert table["halpha_narrow_flux"].mask.all()
    assert "radial_velocity" not in spectraq.table([result]).colnames


def test_simulated_spectra_come_with_their_truth_where_it_is_asked_for() -> None:
    spectra, truth = spectraq.simulate(3, seed=1, truth=True)
    assert [spectrum.spectrum_id for spectrum in spectra] == list(truth["spectrum_id"])
    assert set(truth.colnames) >= {"spectype", "z", "snr"}


def test_networks_that_are_not_there_are_refused_in_one_line() -> None:
    with pytest.raises(spectraq.SpectraqError, match="can't be loaded"):
        spectraq.load(members=["no-such-network"])
