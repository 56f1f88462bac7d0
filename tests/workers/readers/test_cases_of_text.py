"""Text files of the kinds that people of the job have: the right class and redshift of a public galaxy."""

from __future__ import annotations

from pathlib import Path

import pytest

from spectraq.models.pipeline import Pipeline
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.files import analyze_files
from spectraq.workers.inference import SafeInference
from spectraq.workers.readers import read

GALAXY = (
    "quality-columns/dq.csv",
    "text-encodings/excel-bom-crlf.csv",
    "text-encodings/comment-utf8.csv",
    "text-encodings/titles-utf8.csv",
    "text-encodings/comment-latin1.csv",
    "text-without-names/two-columns.txt",
    "text-without-names/three-columns.dat",
    "text-without-names/sedm-like.ascii",
    "text-without-names/tns-fits-cards.ascii",
    "column-names/ispec.txt",
    "column-names/noise-called-sig.csv",
)


@pytest.fixture(scope="module")
def analysis() -> SafeInference:
    return SafeInference(Pipeline.load(), 64)


@pytest.fixture
def cases(shared_data: Path) -> Path:
    path = shared_data.parent / "cases"
    if not path.is_dir():
        pytest.skip("the cases are not in ../shared")
    return path


def answers(items: list[Spectrum], analysis: SafeInference) -> list[analyze_files.Answered]:
    found = list(analyze_files.analyze(items, analysis, 64, 200_000))
    assert all(isinstance(answer, analyze_files.Answered) for answer in found)
    return [answer for answer in found if isinstance(answer, analyze_files.Answered)]


def spectra(path: Path, unit: str | None = None) -> list[Spectrum]:
    items = list(read(path, note=lambda _: None, wavelength_unit=unit))
    assert not [str(item) for item in items if not isinstance(item, Spectrum)]
    return [item for item in items if isinstance(item, Spectrum)]


def test_a_galaxy_is_the_same_galaxy_in_every_kind_of_text(cases: Path, analysis: SafeInference) -> None:
    items = [spectra(cases / name, "nm" if "ispec" in name else None) for name in GALAXY]
    assert [len(item) for item in items] == [1] * len(GALAXY)
    for name, answer in zip(GALAXY, answers([item[0] for item in items], analysis), strict=True):
        results = answer.results
        assert results.classification.spectype == "GALAXY", name
        assert results.redshift.z == pytest.approx(0.12313, abs=2e-4), name
        if "two-columns" not in name and "sedm" not in name:
            assert results.redshift.snr == pytest.approx(19.2, rel=0.1), name


def test_a_long_table_of_a_galaxy_and_a_quasar_is_two_answers(cases: Path, analysis: SafeInference) -> None:
    found = answers(spectra(cases / "several-spectra/long-table.csv"), analysis)
    assert [answer.subject.spectrum_id for answer in found] == ["gal-107", "qso-436"]
    assert [answer.results.classification.spectype for answer in found] == ["GALAXY", "QSO"]
    assert found[0].results.redshift.z == pytest.approx(0.12313, abs=2e-4)
    assert found[1].results.redshift.z == pytest.approx(0.87617, abs=2e-3)
