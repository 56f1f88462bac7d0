"""How long a spectrum takes to bytes and back, beside JSON and beside a plain copy of its pixels.

The fastest of many rounds is shown: anything slower is the machine doing something else. Exit code 1 where
Avro takes longer than the contract allows.
"""

import json
import sys
from collections.abc import Callable
from timeit import repeat

import numpy as np

from spectraq.schemas import codec
from spectraq.schemas.spectrum import Spectrum

N_PIXELS = 4576
LIMIT_US = 60.0
ROUNDS = 30
SECONDS_A_ROUND = 0.02


def spectrum(explicit: bool) -> Spectrum:
    rng = np.random.default_rng(1)
    grid = {"loglam0": 3.5563, "dloglam": 1e-4}
    if explicit:
        grid = {"wavelength": 10 ** (3.5563 + 1e-4 * np.arange(N_PIXELS))}
    return Spectrum(
        spectrum_id="sdss-0266-51602-0003",
        flux=rng.normal(10, 1, N_PIXELS),
        ivar=np.full(N_PIXELS, 1.0),
        mask=np.zeros(N_PIXELS, np.uint32),
        flux_unit="1e-17 erg / (s cm2 Angstrom)",
        survey="sdss",
        target_id="299489676975171584",
        ra=145.89219,
        dec=0.059372,
        mjd=51602.25,
        source_file="spec-0266-51602-0003.fits",
        source_row=0,
        **grid,
    )


def microseconds(call: Callable[[], object]) -> float:
    once = min(repeat(call, number=1, repeat=5))
    number = max(1, int(SECONDS_A_ROUND / once))
    return min(repeat(call, number=number, repeat=ROUNDS)) / number * 1e6


def fresh_digest(of: Spectrum) -> str:
    of.__dict__.pop("digest", None)
    return of.digest


def measure(made: Spectrum) -> dict[str, tuple[int, float]]:
    """Bytes and microseconds of each step."""
    body, text = codec.encode(made), json.dumps(made.to_json_dict()).encode()
    arrays = [a for a in (made.flux, made.ivar, made.mask, made.wavelength) if a is not None]
    return {
        "copy the pixels": (len(body), microseconds(lambda: [array.tobytes() for array in arrays])),
        "Avro, encode": (len(body), microseconds(lambda: codec.encode(made))),
        "Avro, decode and validate": (len(body), microseconds(lambda: codec.decode(body))),
        "JSON, encode": (len(text), microseconds(lambda: json.dumps(made.to_json_dict()))),
        "JSON, decode and validate": (len(text), microseconds(lambda: codec.decode(text))),
        "digest": (len(body), microseconds(lambda: fresh_digest(made))),
    }


def main() -> int:
    slowest = 0.0
    for name, explicit in (("log grid", False), ("explicit wavelengths", True)):
        print(f"{N_PIXELS} pixels, flux, ivar and mask, {name}")
        rows = measure(spectrum(explicit))
        copy = rows["copy the pixels"][1]
        for what, (size, took) in rows.items():
            print(f"  {what:<26} {size / 1000:6.0f} kB {took:9.1f} us {took / copy:8.1f} x the copy")
        slowest = max(slowest, rows["Avro, encode"][1], rows["Avro, decode and validate"][1])
    print(f"slowest Avro step: {slowest:.1f} us; the contract allows {LIMIT_US:.0f}")
    return int(slowest > LIMIT_US)


if __name__ == "__main__":
    sys.exit(main())
