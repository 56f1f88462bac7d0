"""Results of numbered spectra, made without networks: what an archive is filled with."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator

import numpy as np

from spectraq.schemas.deadletter import DeadLetter, DeadLetterReason
from spectraq.schemas.message import Message
from spectraq.schemas.results import (
    Anomaly,
    Candidate,
    Classification,
    MeasuredLine,
    Measurement,
    Provenance,
    Quantity,
    Reason,
    Redshift,
    result_id,
)

CLASSES = ("GALAXY", "QSO", "STAR")
SHARES = (0.62, 0.18, 0.20)
REASONS = ("unmodelled_emission", "poor_fit", "sky_residual", "arm_step")
FIRST_NIGHT = 61000
LINES = ("OII", "Hbeta", "OIII_4959", "OIII_5007", "Halpha", "NII_6583", "SII_6716", "SII_6731")
QUANTITIES = ("d4000", "log_sfr", "velocity_dispersion", "balmer_decrement")


def results(number: int, nights: int = 10) -> Iterator[tuple[str, Message]]:
    """The results of a numbered spectrum, each with the table that it is for; its number decides them."""
    rng = np.random.default_rng(number)
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    provenance = Provenance(spectrum_digest=digest, ensemble_digest="0" * 64, ensemble_version="1")
    spectrum_id = f"survey-{number:09d}"
    spectype = str(rng.choice(CLASSES, p=SHARES))
    z = {"GALAXY": rng.gamma(3, 0.15), "QSO": rng.uniform(0.3, 4.5), "STAR": rng.normal(0, 2e-4)}[spectype]
    zwarn = int(rng.choice([0, 1, 16], p=[0.9, 0.06, 0.04]))
    subtype = {"GALAXY": "STARFORMING", "QSO": "BROADLINE", "STAR": "K5"}[spectype]

    def shared(kind: str) -> dict[str, object]:
        return {
            "result_id": result_id(kind, spectrum_id, digest, provenance.ensemble_digest, "1"),
            "spectrum_id": spectrum_id,
            "provenance": provenance,
            "survey": "survey",
            "target_id": str(39_000_000_000_000_000 + number),
            "ra": ra,
            "dec": dec,
            "mjd": mjd,
            "snr": snr,
            "zwarn": zwarn,
            "zwarn_names": ("small_delta_chi2",) if zwarn == 1 else ("low_snr",) if zwarn else (),
        }

    field = np.random.default_rng(number // 5000)  # 5000 spectra a pointing
    ra = float((field.uniform(0, 360) + rng.uniform(-1.5, 1.5)) % 360)
    dec = float(np.clip(math.degrees(math.asin(field.uniform(-0.3, 1))) + rng.uniform(-1.5, 1.5), -90, 90))
    mjd = FIRST_NIGHT + number % nights + float(rng.uniform(0.1, 0.4))
    snr = float(rng.gamma(3, 2))
    yield (
        "classifications",
        Classification(
            **shared("classification"),
            spectype=spectype,
            subtype=subtype,
            class_probability=dict(zip(CLASSES, rng.dirichlet((8, 1, 1)).tolist(), strict=True)),
            class_spread=dict.fromkeys(CLASSES, float(rng.uniform(0, 0.1))),
            subclass_probability={subtype: float(rng.uniform(0.5, 1)), "other": float(rng.uniform(0, 0.5))},
            subclass_spread={subtype: float(rng.uniform(0, 0.1)), "other": 0.0},
        ),
    )
    candidates = tuple(
        Candidate(
            spectype=spectype,
            subtype=subtype,
            z=z + place * 0.1,
            zerr=float(rng.uniform(1e-5, 1e-3)),
            chi2=4000 + 10.0 * place,
            deltachi2=10.0 * place,
            probability=0.5**place / 2,
        )
        for place in range(5)
    )
    yield (
        "redshifts",
        Redshift(
            **shared("redshift"),
            spectype=spectype,
            subtype=subtype,
            z=z,
            zerr=float(rng.uniform(1e-5, 1e-3)),
            z_spread=float(rng.uniform(0, 1e-4)),
            chi2=float(rng.normal(4000, 60)),
            rchi2=1.0,
            deltachi2=float(rng.gamma(2, 50)),
            npixels=4000,
            robustness=float(rng.uniform(0, 1)),
            coeff=tuple(rng.normal(size=14).tolist()),
            candidates=candidates,
        ),
    )
    flagged = bool(rng.uniform() < 0.02)
    reason = Reason(
        kind=str(rng.choice(REASONS)),
        origin="sky",
        strength=float(rng.uniform(5, 50)),
        wavelength_min=5000.0,
        wavelength_max=5010.0,
        message="The fit misses a line at 5005 angstrom.",
    )
    yield (
        "anomalies",
        Anomaly(
            **shared("anomaly"),
            spectype=spectype,
            z=z,
            score=float(rng.gamma(2, 1)),
            false_positive_rate=float(rng.uniform()),
            flagged=flagged,
            reasons=(reason,) if flagged else (),
            reference="made",
            judgement="alone",
        ),
    )
    is_star = spectype == "STAR"
    yield (
        "measurements",
        Measurement(
            **shared("measurement"),
            spectype=spectype,
            subtype=subtype,
            z=z,
            flux_unit="1e-17 erg / (s cm2 Angstrom)",
            lines=() if is_star else tuple(_line(name, rng) for name in LINES),
            quantities=tuple(
                Quantity(name=name, value=float(rng.normal()), error=0.1, unit="dex") for name in QUANTITIES
            ),
            bpt="star_forming" if spectype == "GALAXY" else None,
        ),
    )
    if number % 100 == 7:
        yield "dead_letters", dead_letter(number)


def _line(name: str, rng: np.random.Generator) -> MeasuredLine:
    flux, error, ew, sigma = rng.gamma(2, 20), rng.gamma(2, 1), rng.gamma(2, 5), rng.gamma(4, 40)
    return MeasuredLine(
        name=name,
        component="narrow",
        wavelength=5000.0,
        flux=float(flux),
        flux_error=float(error),
        ew=float(ew),
        ew_error=0.5,
        sigma=float(sigma),
        sigma_error=5.0,
        offset=0.0,
        offset_error=10.0,
    )


def dead_letter(number: int) -> DeadLetter:
    """A letter about a message of which the offset is a number."""
    reasons = (DeadLetterReason.UNDECODABLE, DeadLetterReason.NO_GOOD_PIXELS, DeadLetterReason.TRUNCATED)
    return DeadLetter(
        reason=reasons[number % len(reasons)],
        message="what was wrong with it",
        topic="spectra",
        partition=0,
        offset=number,
        timestamp_ms=1_760_000_000_000 + number,
        key=b"survey",
        value=b"no spectrum" * 20,
        headers=(("content-type", b"application/avro"),),
        spectraq_version="0.1.0",
    )
