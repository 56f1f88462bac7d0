"""From tensors of a batch to one `Answer` a spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.anomaly.verdict import Verdict
from spectraq.models.answer import Answer, Candidate, ModelSpectrum
from spectraq.models.answers.emission import negative_emission
from spectraq.models.answers.redshift_errors import RedshiftErrors
from spectraq.models.answers.warnings import warnings
from spectraq.models.batch import BatchAnalysis
from spectraq.models.classes import CLASS_OF_SUBCLASS, CLASSES, STAR_TYPES, SUBCLASSES
from spectraq.models.decision.decide import STAR
from spectraq.models.grid.axis import REBIN, z_of
from spectraq.models.redshift.minima import sigma_lnz

Array = NDArray[Any]


@dataclass(frozen=True)
class Table:
    """The numbers of an analysis as arrays in memory, one row a spectrum."""

    columns: dict[str, Array]

    @classmethod
    def of(cls, analysis: BatchAnalysis, surveys: Sequence[str | None], errors: RedshiftErrors) -> Table:
        """Take what answers are made of."""
        decision, fit = analysis.decision, analysis.fit
        rows = torch.arange(len(analysis.lag), device=analysis.lag.device)[:, None]
        kind, index = decision.candidate_class, decision.candidate

        def of_candidates(name: str) -> torch.Tensor:
            return torch.stack([getattr(c, name) for c in analysis.candidates])[kind, rows, index]

        lag, sigma = (
            of_candidates("lag"),
            sigma_lnz(of_candidates("curvature"), analysis.kappa[:, None], REBIN),
        )
        lag[:, 0], sigma[:, 0] = analysis.lag, analysis.sigma  # the answer's were refined
        chi2 = of_candidates("chi2")
        sigma = errors.sigma(sigma, kind, surveys, analysis.gridded.noise_estimated.tolist())
        z = z_of(lag, analysis.gridded.offset[:, None])
        first = chi2[:, 0]
        far = torch.stack([c.far_chi2 for c in analysis.candidates])[decision.spectype, rows[:, 0]]
        n_good = (analysis.gridded.ivar > 0).sum(1)
        tensors = {
            "spectype": decision.spectype,
            "class_probability": decision.class_probability,
            "class_spread": decision.class_spread,
            "subclass_probability": decision.subclass_probability,
            "subclass_spread": decision.subclass_spread,
            "z_spread": decision.z_spread,
            "kind": kind,
            "basis": of_candidates("basis"),
            "probability": decision.candidate_probability,
            "z": z,
            "zerr": (1 + z) * sigma,
            "delta": chi2 - first[:, None],
            "robustness": (far - first) / first.clamp_min(1e-6),
            "chi2": fit.chi2,
            "coefficients": fit.coefficients * analysis.prepared.scale,
            "unit": analysis.gridded.unit,
            "n_good": n_good,
            "snr": analysis.prepared.snr,
        }
        return cls({name: tensor.cpu().numpy() for name, tensor in tensors.items()})

    def row(self, i: int) -> dict[str, Array]:
        """Return one spectrum's numbers."""
        return {name: column[i] for name, column in self.columns.items()}


def answers(
    analysis: BatchAnalysis,
    surveys: Sequence[str | None],
    verdicts: Sequence[Verdict],
    reference: str,
    errors: RedshiftErrors,
    models: Sequence[ModelSpectrum] | None,
) -> list[Answer]:
    """Make the answers of a batch.

    Parameters
    ----------
    analysis
        Of B spectra.
    surveys
        Whose they are, where known, length B.
    verdicts
        On whether they are anomalies, length B.
    reference
        Name of what they were judged against.
    errors
        What makes the curvature of chi2 an error bar.
    models
        Their best fits, where wanted.
    """
    n_good = (analysis.gridded.ivar > 0).sum(1)
    named = warnings(analysis, n_good, negative_emission(analysis))
    table = Table.of(analysis, surveys, errors)
    return [
        _answer(table.row(i), named[i], verdict, reference, models[i] if models else None)
        for i, verdict in enumerate(verdicts)
    ]


def _answer(
    row: dict[str, Array],
    named: tuple[str, ...],
    verdict: Verdict,
    reference: str,
    model: ModelSpectrum | None,
) -> Answer:
    spectype = int(row["spectype"])
    within_class = [
        p if kind == spectype else -1.0
        for p, kind in zip(row["subclass_probability"], CLASS_OF_SUBCLASS, strict=True)
    ]
    subtype = SUBCLASSES[int(np.argmax(within_class))]
    candidates = _candidates(row, subtype)
    rivals = [candidate.deltachi2 for candidate in candidates[1:]]
    n_good = int(row["n_good"])
    freedom = max(n_good - row["coefficients"].size, 1)
    return Answer(
        spectype=CLASSES[spectype],
        subtype=subtype,
        class_probability=_named(CLASSES, row["class_probability"]),
        class_spread=_named(CLASSES, row["class_spread"]),
        subclass_probability=_named(SUBCLASSES, row["subclass_probability"]),
        subclass_spread=_named(SUBCLASSES, row["subclass_spread"]),
        z=candidates[0].z,
        zerr=candidates[0].zerr,
        z_spread=float(row["z_spread"]),
        warnings=named,
        chi2=float(row["chi2"]),
        rchi2=float(row["chi2"]) / freedom,
        deltachi2=min(rivals, default=0.0),
        robustness=float(row["robustness"]),
        npixels=n_good,
        snr=float(row["snr"]),
        coeff=tuple((row["coefficients"] * row["unit"]).tolist()),
        candidates=candidates,
        anomaly_score=verdict.score,
        anomaly_false_positive_rate=verdict.false_positive_rate,
        anomaly_flagged=verdict.flagged,
        anomaly_reasons=verdict.reasons,
        anomaly_reference=reference,
        anomaly_judgement=verdict.judgement,
        anomaly_evidence=verdict.evidence,
        model=model,
    )


def _named(names: Sequence[str], values: Array) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))


def _candidates(row: dict[str, Array], subtype: str) -> tuple[Candidate, ...]:
    """List the candidates that exist; a star's subtype is that of the eigenspectra that fitted."""
    candidates = []
    for j, probability in enumerate(row["probability"].tolist()):
        if probability <= 0 and j > 0:
            break
        kind = int(row["kind"][j])
        type_fitted = STAR_TYPES[int(row["basis"][j])] if kind == STAR else ""
        candidates.append(
            Candidate(
                spectype=CLASSES[kind],
                subtype=subtype if j == 0 else type_fitted,
                z=float(row["z"][j]),
                zerr=float(row["zerr"][j]),
                chi2=float(row["chi2"] + row["delta"][j]),
                deltachi2=float(row["delta"][j]),
                probability=probability,
            )
        )
    return tuple(candidates)
