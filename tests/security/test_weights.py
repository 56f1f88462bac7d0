"""Weights are what their cards say, or they are not used."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from spectraq.models import shipped
from spectraq.models.pipeline import Pipeline

ROOT = Path(__file__).parents[2]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A copy of the shipped ones."""
    return Path(shutil.copytree(shipped.FOLDER, tmp_path / "weights"))


def test_an_exchanged_weight_file_is_refused_by_name(weights: Path) -> None:
    path = weights / "encoder.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(shipped.DamagedWeightsError, match=r"encoder\.safetensors .*sha256"):
        Pipeline.load(weights)


def test_a_weight_file_without_a_digest_is_refused_by_name(weights: Path) -> None:
    (weights / "unet.json").unlink()
    with pytest.raises(shipped.MissingWeightsError, match=r"unet\.safetensors has no card"):
        Pipeline.load(weights)


def test_nothing_that_is_read_can_run() -> None:
    for folder in ("workers", "schemas", "models"):
        for path in (ROOT / folder).rglob("*.py"):
            code = path.read_text()
            assert not re.search(r"\bimport (pickle|marshal|shelve|dill)\b|\bpickle\.load", code), path
            assert not re.search(r"(?<![.\w])(eval|exec)\(", code), path
            assert "allow_pickle=True" not in code, path
            for call in re.findall(r"torch\.load\([^)]*\)", code):
                assert "weights_only=True" in call, f"{path}: {call}"
            assert not re.search(r"yaml\.(unsafe_)?load\(", code), path
            assert "shell=True" not in code, path
