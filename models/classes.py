"""Classes and subclasses, the redshifts that each may have, and the bins in which a network sees them."""

from __future__ import annotations

import torch
from torch import Tensor

Z_RANGES = {"STAR": (-0.0047, 0.0047), "GALAXY": (-0.004, 1.69), "QSO": (0.003, 7.0)}
"""Where each class is sought. Stars to 1400 km/s: beyond the Galaxy's escape velocity."""
TAUGHT_Z_RANGES = Z_RANGES | {"QSO": (0.02, 7.0)}
"""What the networks were taught: of nearer quasars they say nothing, and chi2 finds them alone."""
CLASSES = ("STAR", "GALAXY", "QSO")

SAME_Z = {"STAR": 0.0033, "GALAXY": 0.0033, "QSO": 0.015}
"""Redshifts of an object that differ by less than this, over 1 + z, are the same answer: 1000 km/s, and 4500
km/s of quasars. In the order of CLASSES."""

STAR_TYPES = ("O", "B", "A", "F", "G", "K", "M", "L", "CARBON", "WD", "CV")

GALAXY_TYPES = ("PASSIVE", "STARFORMING", "STARBURST", "AGN")

QSO_TYPES = ("QSO", "BAL", "QSOLOWZ")

SUBCLASSES = STAR_TYPES + GALAXY_TYPES + QSO_TYPES

CLASS_OF_SUBCLASS = (0,) * len(STAR_TYPES) + (1,) * len(GALAXY_TYPES) + (2,) * len(QSO_TYPES)

Z_BIN = 1.6e-3  # in log10(1 + z): 16 pixels

Z_BIN_START = -2e-3

N_GALAXY_BINS = 270  # to z = 1.69

N_QSO_BINS = 568  # to z = 7.04


def z_to_bin(z: Tensor) -> Tensor:
    """Return the fractional bin of a redshift: log10(1 + z) = Z_BIN_START + Z_BIN * bin."""
    return (torch.log10(1 + z) - Z_BIN_START) / Z_BIN


def class_probability(subclass_probability: Tensor) -> Tensor:
    """Sum probabilities of subclasses, (..., 18), to those of classes, (..., 3)."""
    index = torch.tensor(CLASS_OF_SUBCLASS, device=subclass_probability.device)
    total = subclass_probability.new_zeros((*subclass_probability.shape[:-1], len(CLASSES)))
    return total.index_add_(-1, index, subclass_probability)
