"""Every score of a batch in one table, with what a reason needs to say where and how much."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from spectraq.models.anomaly.airglow import sky_residual
from spectraq.models.anomaly.arm_step import Jump
from spectraq.models.anomaly.broad_misfit import BLOCK_PIXELS, broad, misfit
from spectraq.models.anomaly.instrument_scores import Instrument
from spectraq.models.anomaly.kinds import KINDS, SEEN
from spectraq.models.anomaly.residual import Residual
from spectraq.models.anomaly.score_table import Score
from spectraq.models.anomaly.second_object import Companions
from spectraq.models.anomaly.unexplained_lines import Lines, Search, sought
from spectraq.models.anomaly.unfamiliar import Unfamiliar

STEP_MARGIN_PIXELS = 12
"""A step is shown this far on either side."""


LEAST_STEP = 0.05
"""Of the flux: smaller steps are left by the calibration however significant they are."""
LEAST_SHARE = 0.02
"""Of the light, of a second object or a supernova."""
USUAL_GAIN = 5.0
"""Gain in chi2 that a second object has at a usual redshift in noise alone."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of B spectra; the larger, the stranger."""

    value: torch.Tensor  # (B, kinds), that of the latent distance zero until the reference has measured it
    size: torch.Tensor  # (B, kinds) for a reader: chi2 a pixel, sigma, a fraction of the flux, or a redshift
    low: torch.Tensor  # (B, kinds) first pixel concerned
    high: torch.Tensor  # (B, kinds) last pixel concerned
    told_as: torch.Tensor  # (B, kinds) int64, column of the kind that it is told as: its own, or a fault's
    spectype: torch.Tensor  # (B,)
    latent: torch.Tensor  # (B, n) where the encoder puts it, zeros where there is none
    log_snr: torch.Tensor  # (B,)
    noise_estimated: torch.Tensor  # (B,)
    seen: torch.Tensor  # (B, len(SEEN)) the detector's log probabilities


def score(
    residual: Residual,
    search: Search,
    companions: Companions,
    jump: Jump,
    unfamiliar: Unfamiliar,
    airglow: torch.Tensor,
) -> Scores:
    """Score a batch by all but the detector and what instruments do."""
    used = (residual.ivar > 0).int()
    first = used.argmax(1)
    last = used.shape[1] - 1 - used.flip(1).argmax(1)
    chi2 = misfit(residual)
    emission, absorption = sought(search)
    wide, wide_fraction, wide_pixel = broad(residual)
    sky = sky_residual(residual, airglow)
    by_kind = {
        "poor_fit": Score(chi2, chi2.exp()),
        "unmodelled_emission": _of_line(emission),
        "unmodelled_absorption": _of_line(absorption),
        "broad_misfit": Score(wide, wide_fraction, wide_pixel, wide_pixel + BLOCK_PIXELS),
        "arm_step": _of_step(jump),
        "sky_residual": Score(sky.abs(), sky),
        **_of_companions(companions),
        "ensemble_disagreement": _of_disagreement(unfamiliar.disagreement),
    }
    nothing = torch.zeros_like(chi2)
    table = [by_kind.get(name, Score(nothing, nothing)) for name in KINDS]
    return Scores(
        value=torch.stack([kind.value for kind in table], 1),
        size=torch.stack([kind.size for kind in table], 1),
        low=torch.stack([first if kind.low is None else kind.low for kind in table], 1),
        high=torch.stack([last if kind.high is None else kind.high for kind in table], 1),
        told_as=torch.arange(len(KINDS), device=chi2.device).repeat(len(chi2), 1),
        spectype=residual.spectype,
        latent=unfamiliar.latent,
        log_snr=residual.snr.clamp_min(0.1).log10(),
        noise_estimated=residual.noise_estimated,
        seen=nothing[:, None].repeat(1, len(SEEN)),
    )


def with_instrument(scores: Scores, instrument: Instrument) -> Scores:
    """Return scores with those of the instrument's faults, and told as them what they explain."""
    tables = {name: getattr(scores, name).clone() for name in ("value", "size", "low", "high", "told_as")}
    for kind, of_kind in instrument.scores.items():
        column = KINDS.index(kind)
        tables["value"][:, column] = of_kind.value
        _tell(tables, column, of_kind, torch.ones_like(scores.noise_estimated))
    for kind, told, rows, of_fault in instrument.instead:
        column = KINDS.index(kind)
        _tell(tables, column, of_fault, rows)
        told_as = tables["told_as"][:, column]
        tables["told_as"][:, column] = torch.where(rows, KINDS.index(told), told_as)
    return replace(scores, **tables)


def _tell(tables: dict[str, torch.Tensor], column: int, told: Score, rows: torch.Tensor) -> None:
    """Write where and how much is told of some rows, in place."""
    for name in ("size", "low", "high"):
        if (of_kind := getattr(told, name)) is not None:
            tables[name][:, column] = torch.where(rows, of_kind, tables[name][:, column])


def beside_own_nulls(scores: Scores, line: Lines, companions: Companions, jump: Jump) -> Scores:
    """Return scores in units of what the same search gives elsewhere in the spectrum.

    Parameters
    ----------
    scores
        As of `score`, and as the detector was taught to see them.
    line
        As of `unexplained_lines.confirmed`.
    """
    tables = {name: getattr(scores, name).clone() for name in ("value", "size", "low", "high")}
    emission = _of_line(line)
    for name, table in tables.items():
        table[:, KINDS.index("unmodelled_emission")] = getattr(emission, name)
    value = tables["value"]
    step = jump.strength / (1 + jump.elsewhere)
    value[:, KINDS.index("arm_step")] = _limited(step, jump.fraction.abs(), LEAST_STEP)
    gained = _limited(companions.gain.sqrt(), companions.share, LEAST_SHARE)
    for kind, i in (("second_galaxy", 1), ("second_quasar", 2)):
        value[:, KINDS.index(kind)] = gained[:, i] / (USUAL_GAIN + companions.usual[:, i]).sqrt()
    value[:, KINDS.index("supernova")] = gained[:, -1]
    return replace(scores, **tables)


def _limited(sigma: torch.Tensor, fraction: torch.Tensor, least: float) -> torch.Tensor:
    """Return a significance that cannot pass one sigma for each `least` part of the flux."""
    return sigma / (1 + (least * sigma / fraction.clamp_min(1e-6)).square()).sqrt()


def _of_line(line: Lines) -> Score:
    reach = (3 * line.width).long()
    return Score(line.strength, line.strength, line.pixel - reach, line.pixel + reach)


def _of_step(step: Jump) -> Score:
    first, last = step.pixel - STEP_MARGIN_PIXELS, step.pixel + STEP_MARGIN_PIXELS
    return Score(step.strength.sqrt(), step.fraction, first, last)


def _of_disagreement(disagreement: torch.Tensor) -> Score:
    return Score(disagreement.clamp_min(1e-4).log(), disagreement)


def _of_companions(companions: Companions) -> dict[str, Score]:
    """Return the scores of second objects; their size is a share of the light, or where none is known z."""
    strength = companions.gain.sqrt()
    star, galaxy, quasar, supernova = range(companions.z.shape[1])
    return {
        "second_star": Score(strength[:, star], companions.share[:, star]),
        "second_galaxy": Score(strength[:, galaxy], companions.z[:, galaxy].float()),
        "second_quasar": Score(strength[:, quasar], companions.z[:, quasar].float()),
        "supernova": Score(strength[:, supernova], companions.share[:, supernova]),
    }
