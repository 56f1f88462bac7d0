from pathlib import Path

import numpy as np

from spectraq.models.measurement.rotation import FILE, TYPES, sharp_stars
from spectraq.models.shipped import FOLDER
from spectraq.models.training import rotation


def test_shipped_model_spectra_are_those_that_their_command_picks(shared_data: Path, tmp_path: Path) -> None:
    rotation.make(shared_data, tmp_path)
    for suffix in (".safetensors", ".json"):
        assert (tmp_path / FILE).with_suffix(suffix).exists()
    shipped = sharp_stars()
    for subtype in TYPES:
        spectra = rotation.archetypes(shared_data, subtype)
        picked = spectra[rotation.unlike(spectra, rotation.MODELS)]
        picked /= picked.mean(1, keepdims=True)
        assert np.allclose(shipped.flux[subtype], picked, atol=0.003)
    assert (FOLDER / FILE).with_suffix(".json").read_text().count("sha256") == 1


def test_spectra_that_are_picked_are_unlike_each_other() -> None:
    random = np.random.default_rng(2)
    kinds = 1 + 0.2 * random.standard_normal((3, 3200))
    spectra = np.repeat(kinds, 5, axis=0) + 0.01 * random.standard_normal((15, 3200))
    assert sorted((rotation.unlike(spectra, 3) // 5).tolist()) == [0, 1, 2]
