"""The kinds of network in the ensemble, each asked in its own way for the same opinion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from spectraq.models.classes import CLASS_OF_SUBCLASS
from spectraq.models.grid.axis import REBIN
from spectraq.models.grid.prepare import Gridded, Prepared
from spectraq.models.networks import half_precision
from spectraq.models.networks.classifier import Classifier
from spectraq.models.networks.encoder import Encoder, Latent
from spectraq.models.networks.own_template_scan import OwnScan
from spectraq.models.networks.rest_frame import COARSE
from spectraq.models.networks.unet import Reconstruction, UNet

RECONSTRUCTORS = ("encoder", "unet")
"""Members whose redshifts come from scanning their own reconstruction."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What one member says of a batch."""

    subclass: torch.Tensor  # (B, 18) logits
    z_galaxy: torch.Tensor | None  # (B, N_GALAXY_BINS) posterior; None where it was not asked
    z_qso: torch.Tensor | None  # (B, N_QSO_BINS)
    latent: Latent | None = None


class Member(Protocol):
    """One network of the ensemble."""

    def vote(self, gridded: Gridded, prepared: Prepared, with_redshift: bool) -> Vote:
        """Judge a batch."""


class NamingMember:
    """GaSNet-II: class, subclass and redshift posteriors from one forward pass."""

    def __init__(self, network: Classifier) -> None:
        self.network = network

    def vote(self, gridded: Gridded, prepared: Prepared, with_redshift: bool) -> Vote:
        """Judge a batch; the redshifts come for nothing."""
        out = self.network(prepared.channels)
        return Vote(out.subclass, out.z_galaxy.softmax(1), out.z_qso.softmax(1))


class EncoderMember:
    """GaSNet-III's encoder: its head names the subclass, its reconstruction is scanned where asked."""

    def __init__(self, network: Encoder, scan: OwnScan) -> None:
        self.network, self._scan = network, scan

    def vote(self, gridded: Gridded, prepared: Prepared, with_redshift: bool) -> Vote:
        """Judge a batch."""
        latent: Latent = self.network(prepared.channels)
        if not with_redshift:
            return Vote(latent.subclass, None, None, latent)
        rest = {name: binned(self.network.rest(latent, name)) for name in COARSE}
        evidence, posterior = self._scan.ask(rest, prepared.coarse_flux, prepared.coarse_ivar)
        named = with_class_evidence(latent.subclass, evidence)
        return Vote(named, posterior["GALAXY"], posterior["QSO"], latent)


class UNetMember:
    """GaSNet-III's U-Net, asked as the encoder is."""

    def __init__(self, network: UNet, scan: OwnScan) -> None:
        self.network, self._scan = network, scan

    def vote(self, gridded: Gridded, prepared: Prepared, with_redshift: bool) -> Vote:
        """Judge a batch."""
        reconstruction: Reconstruction = self.network(gridded.flux, gridded.ivar.sqrt())
        if not with_redshift:
            return Vote(reconstruction.subclass, None, None)
        evidence, posterior = self._scan.ask(reconstruction.rest, prepared.coarse_flux, prepared.coarse_ivar)
        named = with_class_evidence(reconstruction.subclass, evidence)
        return Vote(named, posterior["GALAXY"], posterior["QSO"])


def binned(rest: torch.Tensor) -> torch.Tensor:
    """Return the rest-frame spectra on coarse pixels."""
    return rest.view(len(rest), -1, REBIN).mean(2)


def with_class_evidence(subclass: torch.Tensor, evidence: torch.Tensor) -> torch.Tensor:
    """Let chi2 of the reconstructions shift the classes' logits by 0.3 nats a nat, at most 1.5; (B, 18)."""
    index = torch.tensor(CLASS_OF_SUBCLASS, device=subclass.device)
    return subclass + (0.3 * evidence).clamp_min(-1.5)[:, index]


def load(path: Path, device: torch.device) -> Member:
    """Read a member of any kind; the file's name says which.

    Raises
    ------
    ValueError
        When the file is not what its name says.
    """
    if path.stem == "encoder":
        return EncoderMember(Encoder.load(path, device), OwnScan(device))
    if path.stem == "unet":
        return UNetMember(UNet.load(path, device), OwnScan(device))
    network = Classifier.load(path, device)
    return NamingMember(network.shorten() if half_precision.available(device) else network)
