"""Messages for the tests of the contract: hand-made ones, and any that are allowed."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from spectraq.schemas import codec
from spectraq.schemas.change import Change, ChangeReason, Cutout, EarlierSpectrum
from spectraq.schemas.deadletter import DeadLetter, DeadLetterReason
from spectraq.schemas.message import Message
from spectraq.schemas.remembered import RememberedSpectrum
from spectraq.schemas.results import (
    Anomaly,
    Candidate,
    Chi2Curve,
    Classification,
    MeasuredLine,
    Measurement,
    ModelSpectrum,
    Provenance,
    Quantity,
    Reason,
    Redshift,
    Result,
    SharedFault,
    result_id,
)
from spectraq.schemas.spectrum import Spectrum
from spectraq.schemas.text import UNPRINTABLE
from spectraq.schemas.verdict import Verdict
from spectraq.schemas.zwarn import ZWarn

FLUX = np.array([1.5, np.nan, -2.25, 1e-20], np.float32)
IVAR = np.array([4.0, 0.0, 1.0, 0.25], np.float32)
MASK = np.array([0, 1 << 31, 0, 5], np.uint32)
WAVELENGTH = np.array([3800.0, 3801.5, 3803.25, 3806.0])


def spectrum(**changes: Any) -> Spectrum:
    fields: dict[str, Any] = {
        "spectrum_id": "sdss-0266-51602-0003",
        "flux": FLUX,
        "ivar": IVAR,
        "mask": MASK,
        "wavelength": WAVELENGTH,
        "flux_unit": "1e-17 erg / (s cm2 Angstrom)",
        "survey": "sdss",
        "target_id": "299489676975171584",
        "ra": 145.89219,
        "dec": 0.059372,
        "mjd": 51602.25,
        "source_file": "spec-0266-51602-0003.fits",
        "source_row": 0,
    }
    return Spectrum(**fields | changes)


def common(kind: type[Result]) -> dict[str, Any]:
    of = spectrum()
    zwarn = ZWarn.LOW_SNR | ZWarn.NOISE_ESTIMATED
    return {
        "result_id": result_id(kind.kind, of.spectrum_id, of.digest, "ab" * 32, "1.2"),
        "spectrum_id": of.spectrum_id,
        "provenance": Provenance(
            spectrum_digest=of.digest, ensemble_digest="ab" * 32, ensemble_version="1.2"
        ),
        "survey": of.survey,
        "target_id": of.target_id,
        "ra": of.ra,
        "dec": of.dec,
        "mjd": of.mjd,
        "snr": 12.5,
        "zwarn": int(zwarn),
        "zwarn_names": zwarn.names,
    }


def classification() -> Classification:
    return Classification(
        spectype="GALAXY",
        subtype="AGN",
        class_probability={"GALAXY": 0.9, "QSO": 0.1},
        class_spread={"GALAXY": 0.02, "QSO": 0.02},
        subclass_probability={"AGN": 1.0},
        subclass_spread={"AGN": 0.0},
        **common(Classification),
    )


def redshift() -> Redshift:
    best = Candidate(
        spectype="GALAXY", subtype="AGN", z=0.1, zerr=1e-5, chi2=4000.0, deltachi2=0.0, probability=0.9
    )
    return Redshift(
        spectype="GALAXY",
        subtype="AGN",
        z=0.1,
        zerr=1e-5,
        z_spread=2e-5,
        chi2=4000.0,
        rchi2=1.02,
        deltachi2=55.5,
        npixels=3900,
        robustness=float("nan"),
        coeff=(1.0, -0.5),
        candidates=(best, best.model_copy(update={"z": 0.7, "deltachi2": 55.5, "probability": 0.1})),
        **common(Redshift),
    )


def anomaly() -> Anomaly:
    reason = Reason(
        kind="unmodelled_emission",
        origin="sky",
        strength=9.5,
        wavelength_min=5001.0,
        wavelength_max=5012.5,
        message="Emission of 9.5 sigma at 5007 angstrom that no known line explains.",
    )
    fault = SharedFault(
        fault_id="0f3a1d9e-5c1b-5b0e-9d5e-2f6f0d1b7c11",
        group="plate",
        name="0266-51602-1",
        kind="arm_step",
        fraction=0.08,
        strength=12.5,
        spectra=64,
        sharing=59,
        wavelength_min=5985.0,
        wavelength_max=6018.0,
        message="59 of 64 spectra of plate 0266-51602-1 share this: the flux jumps up by 8% at 6002 Å.",
    )
    return Anomaly(
        spectype="GALAXY",
        z=0.1,
        score=7.25,
        false_positive_rate=0.0005,
        flagged=True,
        reasons=(reason,),
        reference="sdss-2026",
        judgement="adapted",
        shared=("0f3a1d9e-5c1b-5b0e-9d5e-2f6f0d1b7c11",),
        reported=(fault,),
        **common(Anomaly),
    )


def model_spectrum() -> ModelSpectrum:
    curve = Chi2Curve(spectype="QSO", z=np.array([0.0, 0.5]), chi2=np.array([10.0, 20.0]))
    return ModelSpectrum(
        spectype="GALAXY",
        subtype="AGN",
        z=0.1,
        loglam0=3.58,
        dloglam=1e-4,
        flux=FLUX,
        sigma=IVAR,
        flux_unit="nJy",
        curves=(curve,),
        continuum=FLUX,
        narrow=np.zeros(4, np.float32),
        response=np.ones(4, np.float32),
        **common(ModelSpectrum),
    )


def measurement() -> Measurement:
    seen = MeasuredLine(
        name="OIII_5008", component="narrow", wavelength=5008.24, flux=31.5, flux_error=1.25, ew=17.0,
        ew_error=0.75, sigma=75.0, sigma_error=2.5, offset=-3.5, offset_error=1.5,
    )  # fmt: skip
    faint = MeasuredLine(
        name="OIII_4364", component="narrow", wavelength=4364.44, flux=0.5, flux_error=1.0, upper_limit=3.0,
        reason="not seen",
    )  # fmt: skip
    return Measurement(
        spectype="GALAXY",
        subtype="STARFORMING",
        z=0.1,
        flux_unit="nJy",
        lines=(faint, seen),
        quantities=(
            Quantity(name="d4000n", value=1.25, error=0.0625),
            Quantity(name="velocity_dispersion", unit="km/s", reason="median S/N below 8"),
        ),
        bpt="star_forming",
        **common(Measurement),
    )


def change() -> Change:
    reason = ChangeReason(
        kind="line_faded",
        strength=6.5,
        false_positive_rate=1e-5,
        size=-9.25,
        size_error=1.5,
        unit="sigma",
        wavelength_min=5330.0,
        wavelength_max=5380.0,
        name="Hbeta",
        message="Broad H beta faded.",
    )
    earlier = EarlierSpectrum(
        spectrum_id="sdss-0266-51602-0002",
        spectrum_digest="ef" * 32,
        redshift_id="ce39381d-42c6-5b12-bb61-a543cbc29cec",
        survey="sdss",
        mjd=51000.5,
        separation=0.25,
        spectype="QSO",
        z=0.1,
        zerr=1e-5,
        snr=12.5,
    )
    cutout = Cutout(
        loglam0=3.58,
        dloglam=1.6e-3,
        newer=FLUX,
        newer_sigma=IVAR,
        earlier=FLUX,
        earlier_sigma=IVAR,
    )
    return Change(
        object="sdss:299489676975171584",
        spectype="QSO",
        subtype="",
        z=0.1,
        zerr=1e-5,
        changed=True,
        kinds=("line_faded",),
        false_positive_rate=1e-5,
        priority=0.75,
        reasons=(reason,),
        message="Broad H beta faded, 601.8 days later.",
        days=601.75,
        judgement="compared",
        reference="pairs-2026",
        earlier=earlier,
        overlap=3600,
        response=1.25,
        flux_unit="nJy",
        cutout=cutout,
        **common(Change),
    )


def remembered_spectrum() -> RememberedSpectrum:
    of = spectrum()
    return RememberedSpectrum(
        object="sdss:299489676975171584",
        name="0123456789abcdef01234567",
        spectrum_id=of.spectrum_id,
        spectrum_digest=of.digest,
        ensemble_digest="ab" * 32,
        ensemble_version="1.0",
        redshift_id="ce39381d-42c6-5b12-bb61-a543cbc29cec",
        survey="sdss",
        ra=145.89219,
        dec=0.059372,
        snr=12.5,
        spectype="QSO",
        z=0.1,
        zwarn=4,
        remembered_us=1_700_000_000_000_000,
        spectrum=codec.encode(of),
    )


def dead_letter(**changes: Any) -> DeadLetter:
    fields: dict[str, Any] = {
        "reason": DeadLetterReason.TRUNCATED,
        "message": "17 bytes end in the middle of a Spectrum",
        "topic": "spectraq.spectra",
        "partition": 3,
        "offset": 2**40,
        "timestamp_ms": 1_700_000_000_000,
        "key": b"\x00\xff",
        "value": bytes(range(256)),
        "headers": [("content-type", b"application/avro"), ("content-type", b"\xff")],
        "spectraq_version": "0.1.0",
    }
    return DeadLetter(**fields | changes)


def verdict() -> Verdict:
    return Verdict(
        verdict_id="b0c2f7c4-4e0c-4f0b-9d2d-6b1f5a3c1e11",
        spectrum_id="sdss-0266-51602-0003",
        spectrum_digest="cd" * 32,
        spectype="QSO",
        z=0.7,
        quality=3,
        comment="broad Mg II",
        author="Vera",
        time_ms=1_700_000_000_000,
        machine_spectype="GALAXY",
        machine_z=0.1,
        ensemble_digest="ab" * 32,
        anomaly="interesting",
    )


def one_of_each() -> list[Message]:
    return [
        spectrum(),
        classification(),
        redshift(),
        anomaly(),
        model_spectrum(),
        measurement(),
        dead_letter(),
        verdict(),
        change(),
        remembered_spectrum(),
    ]


TEXT = st.text(max_size=20)
NAME = st.text(st.characters(exclude_categories=sorted(UNPRINTABLE)), min_size=1, max_size=40)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def spectra(draw: st.DrawFn) -> Spectrum:
    """Any spectrum that may be published, down to its not-a-numbers."""
    n = draw(st.integers(1, 30))

    def pixels(dtype: str) -> st.SearchStrategy[Any]:
        return arrays.arrays(dtype, n)

    grid: dict[str, Any] = {"wavelength": draw(pixels("<f8"))}
    if draw(st.booleans()):
        grid = {"loglam0": draw(st.floats(-4, 4)), "dloglam": draw(st.floats(1e-9, 1e-1))}
    return Spectrum(
        spectrum_id=draw(NAME),
        flux=draw(pixels("<f4")),
        ivar=draw(st.none() | pixels("<f4")),
        mask=draw(st.none() | pixels("<u4")),
        medium=draw(st.sampled_from(["vacuum", "air"])),
        flux_unit=draw(TEXT),
        survey=draw(st.none() | TEXT),
        target_id=draw(st.none() | TEXT),
        ra=draw(st.none() | st.floats(0, 360)),
        dec=draw(st.none() | st.floats(-90, 90)),
        mjd=draw(st.none() | FINITE),
        source_file=draw(st.none() | TEXT),
        source_row=draw(st.none() | st.integers(0, 2**63 - 1)),
        **grid,
    )
