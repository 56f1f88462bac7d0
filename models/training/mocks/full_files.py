"""Mocks at full resolution with what they would be without noise: what reconstruction is learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spectraq.models.classes import CLASSES
from spectraq.models.grid.axis import N_PIXELS
from spectraq.models.training.mocks import Mocks, MockSky
from spectraq.models.training.mocks.coarse_files import HALF_LIMIT, Truth

N_PLANES = 3
"""Flux, square root of ivar, and flux without noise and faults."""


@dataclass(frozen=True)
class Exposures:
    """Mocks of several files on disk, one after another; n rows."""

    pixels: Sequence[NDArray[np.float16]]  # of each file (n_file, N_PLANES, N_PIXELS)
    truth: Truth
    snr: Tensor  # (n,) median S/N a pixel that was asked for

    def __len__(self) -> int:
        return len(self.truth)

    def read(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return flux, sqrt_ivar and noiseless flux of some rows, (b, N_PIXELS) each."""
        index = rows.numpy()
        block = np.empty((len(index), N_PLANES, N_PIXELS), np.float32)
        start = 0
        for part in self.pixels:
            in_part = (index >= start) & (index < start + len(part))
            block[in_part] = part[index[in_part] - start]
            start += len(part)
        planes = torch.from_numpy(block)
        return planes[:, 0], planes[:, 1], planes[:, 2]


def planes(mocks: Mocks) -> NDArray[np.float16]:
    """Return the pixels of a batch of mocks as they are kept on disk, (n, N_PLANES, N_PIXELS)."""
    stacked = torch.stack([mocks.flux, mocks.ivar.sqrt(), mocks.truth], 1)
    return stacked.clamp(-HALF_LIMIT, HALF_LIMIT).numpy().astype(np.float16)


def draw(sky: MockSky, n: int, path: Path) -> None:
    """Draw n mocks into PATH.npy and PATH.npz, whole or not at all."""
    partial = path.with_suffix(".partial.npy")
    pixels = np.lib.format.open_memmap(partial, "w+", np.float16, (n, N_PLANES, N_PIXELS))
    truths, done = [], 0
    while done < n:
        mocks = sky.batch()
        take = min(len(mocks), n - done)
        pixels[done : done + take] = planes(mocks)[:take]
        spectype = np.array([CLASSES.index(name) for name in mocks.spectype])
        truths.append([column[:take] for column in (spectype, mocks.z, mocks.allowed, mocks.snr)])
        done += take
    pixels.flush()
    names = ("spectype", "z", "allowed", "snr")
    columns: dict[str, Any] = {
        name: np.concatenate(column) for name, column in zip(names, zip(*truths, strict=True), strict=True)
    }
    np.savez(path.with_suffix(".npz"), **columns)
    partial.rename(path.with_suffix(".npy"))


def opened(paths: Sequence[Path]) -> Exposures:
    """Open files that `draw` wrote."""
    columns: dict[str, list[Tensor]] = {"spectype": [], "z": [], "allowed": [], "snr": []}
    for path in paths:
        with np.load(path.with_suffix(".npz")) as archive:
            for name, parts in columns.items():
                parts.append(torch.from_numpy(archive[name]))
    joined = {name: torch.cat(parts) for name, parts in columns.items()}
    truth = Truth(joined["spectype"], joined["z"], joined["allowed"])
    pixels = [np.load(path.with_suffix(".npy"), mmap_mode="r") for path in paths]
    return Exposures(pixels, truth, joined["snr"])
