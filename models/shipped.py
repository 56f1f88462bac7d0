"""Where the shipped weights lie, and the one digest that names them all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from spectraq.models.code_digest import code_digest

FOLDER = Path(__file__).parent / "weights"
"""The weights that come with the package."""


class MissingWeightsError(ValueError):
    """The folder of weights lacks something the pipeline can't do without."""


class DamagedWeightsError(ValueError):
    """A weight file is not the one that its card speaks of."""


def verify(folder: Path) -> None:
    """Compare every weight file with the digest on its card.

    Raises
    ------
    MissingWeightsError
        Where a weight file has no card, or the card no digest.
    DamagedWeightsError
        Where a file is another one.
    """
    for path in sorted(folder.glob("*.safetensors")):
        card = path.with_suffix(".json")
        said = json.loads(card.read_text()).get("sha256") if card.exists() else None
        if said is None:
            raise MissingWeightsError(
                f"{path} has no card with its sha256 ({card.name}): "
                "`spectraq train` writes one beside each file; copy both"
            )
        if said != digest_of(path):
            raise DamagedWeightsError(
                f"{path} is not the file that {card.name} speaks of (sha256 {said[:12]}...): "
                "it was damaged or exchanged; reinstall spectraq, or copy the folder again"
            )


def required(folder: Path, pattern: str) -> list[Path]:
    """Return the files of `folder` that match `pattern`, sorted by name.

    Raises
    ------
    MissingWeightsError
        Where there is none.
    """
    paths = sorted(folder.glob(pattern))
    if not paths:
        raise MissingWeightsError(
            f"no {pattern} in {folder}: the weights are missing; "
            "reinstall spectraq, or make them again with `spectraq train` and point at them"
        )
    return paths


def digest_of(path: Path) -> str:
    """Return the SHA-256 (hex) of one file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digest(folder: Path, members: Sequence[str] | None = None) -> str:
    """Return the SHA-256 (hex) of all that an answer depends on: the weight files and the numbers' own code.

    The code counts because its constants are part of the method: a cached answer of other constants is stale.

    Parameters
    ----------
    members
        The networks that are asked, where not all are.
    """
    total = hashlib.sha256()
    for path in sorted(path for path in folder.glob("*") if path.suffix in {".safetensors", ".json"}):
        total.update(path.name.encode())
        total.update(digest_of(path).encode())
    total.update(code_digest().encode())
    total.update(",".join(members or ()).encode())
    return total.hexdigest()
