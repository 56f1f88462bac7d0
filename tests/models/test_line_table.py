"""A line stands once: in one table, from which everything that knows a line takes it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from spectraq.models.classes import CLASSES
from spectraq.models.lines import AIRGLOW_LINES, BANDS, LINES
from spectraq.schemas.air import vacuum_from_air
from spectraq.workers.web.server.constants_module import constants_module

ROOT = Path(__file__).parents[2]
IN_AIR = {
    "CaK": 3933.663, "CaH": 3968.469, "Hdelta": 4101.734, "Hgamma": 4340.472, "OIII_4364": 4363.209,
    "OIII_4960": 4958.911, "OIII_5008": 5006.843, "NaD_5892": 5889.951, "NaD_5898": 5895.924,
    "OI_6302": 6300.304, "OI_6366": 6363.776, "NII_6550": 6548.05, "Halpha": 6562.80, "NII_6585": 6583.45,
    "HeI_6680": 6678.152, "SII_6718": 6716.44, "SII_6733": 6730.82, "ArIII": 7135.79, "CaII_8500": 8498.02,
    "CaII_8544": 8542.09, "CaII_8665": 8662.14, "SIII_9071": 9068.6, "SIII_9533": 9530.6,
}  # fmt: skip
"""Wavelengths in air, as textbooks have them."""
ELSEWHERE = ("models/lines.py", "models/measurement/indices.py")
"""The table, and the limits of bands that lie on a line by chance."""


def test_lines_ascend_have_names_of_their_own_and_classes_that_exist() -> None:
    wavelengths = [line.wavelength for line in LINES]
    assert wavelengths == sorted(wavelengths)
    assert len({line.name for line in LINES}) == len(LINES)
    assert {name for line in LINES for name in line.emitted_by} == set(CLASSES)
    assert all(line.emitted_by for line in LINES if line.winged or line.broad)
    assert all(band.low < band.high for band in BANDS)


@pytest.mark.parametrize("name", IN_AIR)
def test_a_line_lies_where_a_textbook_has_it_in_air(name: str) -> None:
    line = next(line for line in LINES if line.name == name)
    assert line.wavelength == pytest.approx(float(vacuum_from_air(np.array([IN_AIR[name]]))[0]), abs=0.015)


def test_a_blend_lies_between_its_parts() -> None:
    at = {line.name: line.wavelength for line in LINES}
    for blend, blue, red in [("OII", "OII_3727", "OII_3730"), ("NaD", "NaD_5892", "NaD_5898")]:
        assert at[blend] == pytest.approx((at[blue] + at[red]) / 2, abs=0.01)
    for blend, blue, red in [("CIV", "CIV_1548", "CIV_1551"), ("MgII", "MgII_2796", "MgII_2804")]:
        assert at[blue] < at[blend] < at[red]


def test_no_wavelength_of_a_line_is_written_anywhere_else() -> None:
    folders = ("models", "schemas", "workers", "spectraq", "benchmarks")
    paths = [path for name in folders for ending in ("*.py", "*.js") for path in (ROOT / name).rglob(ending)]
    known = [line.wavelength for line in LINES] + [line for line, _ in AIRGLOW_LINES]
    written = [
        f"{path.relative_to(ROOT)}: {number}"
        for path in {path.resolve() for path in paths} - {ROOT / name for name in ELSEWHERE}
        if "vendor" not in path.parts
        for number in re.findall(r"(?<![\w.])\d{4}\.\d+(?![\w.])", path.read_text())
        if min(abs(float(number) - one) for one in known) < 0.3
    ]
    assert written == []


def test_the_page_is_given_the_lines_and_the_sky_of_the_table() -> None:
    exported = dict(re.findall(r"^export const (\w+) = (.+);$", constants_module(), re.MULTILINE))
    lines = json.loads(exported["EMISSION"]) + json.loads(exported["ABSORPTION"])
    assert sorted(map(tuple, lines)) == sorted(
        (line.label, line.wavelength, line.name) for line in LINES if line.label
    )
    assert [name for name, _, _ in json.loads(exported["TELLURIC"])].count("H₂O") == 4
    assert float(exported["LIGHT_KM_S"]) == 299792.458
