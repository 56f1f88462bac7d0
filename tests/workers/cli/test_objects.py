"""`spectraq objects`, as a user would go through it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import Table

from tests.support.commandline import CommandLine

ROWS = 3


def release(path: Path) -> Path:
    """A survey's earlier release: two objects with a name, and one spectrum of nothing but noise."""
    rng = np.random.default_rng(1)
    table = Table(
        {
            "spectrum_id": [f"{path.stem}-{row}" for row in range(ROWS)],
            "target_id": [f"{path.parent.name}-{row}" for row in range(ROWS)],
            "ra": [10.0, 20.0, 30.0],
            "dec": [-5.0, 5.0, 15.0],
            "mjd": [55000.0] * ROWS,
            "wavelength_vac": np.tile(np.linspace(4000.0, 9000.0, 500), (ROWS, 1)),
            "flux": rng.normal([[10.0], [10.0], [0.0]], 1.0, (ROWS, 500)).astype(np.float32),
            "ivar": np.ones((ROWS, 500), np.float32),
        }
    )
    table["wavelength_vac"].unit = "Angstrom"
    table.write(path)
    return path


def test_a_release_is_loaded_found_rebuilt_and_forgotten(online: CommandLine, tmp_path: Path) -> None:
    file = release(tmp_path / "release.fits")
    loaded = online.json("objects", "load", str(file))
    assert loaded == {"kept": 2, "worse": 0, "nameless": 0, "noisy": 1, "unreadable": 0}
    (shown,) = online.json("objects", "show", "--position", "10.0002", "-5.0")
    assert shown["spectrum_id"] == "release-0" and shown["spectype"] is None
    assert shown["object"].endswith(f":{tmp_path.name}-0")
    listed = online.json("objects", "list", "--max", "1000")
    assert {one["object"] for one in listed} >= {shown["object"]}
    assert online.json("objects", "rebuild")["spectra"] >= 2
    assert online.json("objects", "forget", shown["object"]) == {"object": shown["object"], "forgotten": 1}
    refused = online("objects", "show", shown["object"], code=1)
    assert "nothing is remembered of" in refused.stderr
    wrong = online("objects", "show", code=2)
    assert "--position" in wrong.stderr
