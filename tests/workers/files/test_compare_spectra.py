"""`spectraq compare` and `spectraq.compare`: one Change of two spectra, or a sentence why there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import spectraq
from spectraq.models.change.record import KINDS
from spectraq.workers.demonstration import simulated
from spectraq.workers.errors import SpectraqError

COMMAND = str(Path(sys.executable).with_name("spectraq"))


def written(folder: Path, name: str, spectrum: spectraq.Spectrum) -> str:
    path = folder / f"{name}.npz"
    np.savez(
        path,
        flux=spectrum.flux,
        wavelength=spectrum.vacuum_wavelength(),
        ivar=spectrum.ivar,
        medium="vacuum",
        wavelength_unit="Angstrom",
        flux_unit="1e-17 erg / (s cm2 Angstrom)",
    )
    return str(path)


def test_the_command_line_and_python_say_the_same(tmp_path: Path) -> None:
    pairs = list(simulated.repeats(30, seed=3))
    earlier, newer = next(
        (a, b)
        for (a, truth, change), (b, _, _) in zip(pairs[::2], pairs[1::2], strict=True)
        if change == "line_appeared" and truth.snr > 8
    )
    files = [written(tmp_path, "a", earlier), written(tmp_path, "b", newer)]
    done = subprocess.run([COMMAND, "compare", *files, "--json"], capture_output=True, text=True, check=True)
    printed = json.loads(done.stdout)
    change = spectraq.compare(*files)
    assert printed["changed"] is change.changed is True
    assert [reason["message"] for reason in printed["reasons"]] == [one.message for one in change.reasons]
    assert {reason.kind for reason in change.reasons} <= set(KINDS)
    assert "line_appeared" in {reason.kind for reason in change.reasons}
    shown = subprocess.run([COMMAND, "compare", *files], capture_output=True, text=True, check=True).stdout
    assert change.message in shown


def test_what_is_no_pair_is_said_in_one_line(tmp_path: Path) -> None:
    file = written(tmp_path, "a", spectraq.simulate(1, seed=1)[0])
    done = subprocess.run([COMMAND, "compare", file], capture_output=True, text=True)
    assert done.returncode == 1 and "these files hold 1; give two files" in done.stderr
    with pytest.raises(SpectraqError, match="compare takes one spectrum, and these are 2"):
        spectraq.compare([file, file], file)


def test_spectra_of_two_places_are_refused() -> None:
    spectrum = spectraq.simulate(1, seed=1)[0]
    here, there = (spectrum.model_copy(update={"ra": ra, "dec": 5.0}) for ra in (10.0, 10.1))
    with pytest.raises(SpectraqError, match="arcsec apart on the sky"):
        spectraq.compare(here, there)


def test_repeats_are_pairs_with_known_changes(tmp_path: Path) -> None:
    output, truth = tmp_path / "pairs.npz", tmp_path / "truth.csv"
    command = [COMMAND, "simulate", "6", "--repeats", "--output", str(output), "--truth", str(truth)]
    subprocess.run(command, capture_output=True, check=True)
    rows = [line.split(",") for line in truth.read_text().splitlines()]
    assert rows[0][-1] == "change" and len(rows) == 13
    for first, second in zip(rows[1::2], rows[2::2], strict=True):
        assert first[0].removesuffix("-a") == second[0].removesuffix("-b")
        assert first[1:] == second[1:] and (first[-1] == "" or first[-1] in KINDS)
