"""What a Spectrum takes, what it refuses, and what it is known by."""

import hashlib
import pickle
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from spectraq.schemas.air import vacuum_from_air
from spectraq.schemas.spectrum import Spectrum
from tests.support.wire_examples import FLUX, IVAR, MASK, WAVELENGTH, spectrum

REFUSED = [
    ("empty", {"flux": [], "ivar": None, "mask": None, "wavelength": []}),
    ("length_mismatch", {"ivar": IVAR[:3]}),
    ("length_mismatch", {"mask": MASK[:3]}),
    ("length_mismatch", {"wavelength": WAVELENGTH[:3]}),
    ("length_mismatch", {"flux": b"12345"}),
    ("bad_wavelength", {"wavelength": None}),
    ("bad_wavelength", {"loglam0": 3.5, "dloglam": 1e-4}),
    ("bad_wavelength", {"wavelength": None, "loglam0": 3.5}),
    ("bad_wavelength", {"wavelength": None, "loglam0": 3.5, "dloglam": 0.0}),
    ("bad_wavelength", {"wavelength": None, "loglam0": 3.5, "dloglam": 1e3}),
    ("wrong_shape", {"flux": np.ones((2, 2))}),
    ("wrong_shape", {"flux": np.array(["1", "2", "3", "4"])}),
    ("wrong_shape", {"flux": np.ones(4, complex)}),
    ("wrong_shape", {"flux": ["1", 2, 3, 4]}),
    ("wrong_shape", {"flux": [True, 2, 3, 4]}),
    ("wrong_shape", {"flux": [10**400, 2, 3, 4]}),
    ("wrong_shape", {"flux": "not base64!"}),
    ("wrong_shape", {"flux": 1.0}),
    ("wrong_shape", {"mask": [0, 1, 2, 2**32]}),
    ("wrong_shape", {"mask": [0, 1, 2, -1]}),
    ("wrong_shape", {"mask": [0, 1, 2, None]}),
    ("wrong_shape", {"mask": np.array([0, 1, 2, 2**40])}),
    ("wrong_shape", {"mask": np.ones(4)}),
    ("less_than_equal", {"ra": 361.0}),
    ("greater_than_equal", {"dec": -91.0}),
    ("literal_error", {"medium": "water"}),
    ("string_too_short", {"spectrum_id": ""}),
    ("string_too_long", {"spectrum_id": "x" * 201}),
    ("unprintable", {"spectrum_id": "two\nlines"}),
    ("extra_forbidden", {"inverse_variance": IVAR}),
    ("finite_number", {"wavelength": None, "loglam0": float("nan"), "dloglam": 1e-4}),
]


@pytest.mark.parametrize(("kind", "changes"), REFUSED)
def test_what_is_no_spectrum_is_refused_with_its_reason(kind: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        spectrum(**changes)
    assert [error["type"] for error in caught.value.errors()] == [kind]


def test_numbers_of_any_kind_become_single_precision_in_this_machines_byte_order() -> None:
    for dtype in (">f4", ">f8", "<i2", ">u2", "<f8"):
        flux = spectrum(flux=np.array([1, 2, 3, 4], dtype)).flux
        assert flux.dtype == np.dtype("<f4") and flux.tolist() == [1, 2, 3, 4]


def test_what_single_precision_can_not_hold_is_infinite_and_so_not_used() -> None:
    assert np.isinf(spectrum(flux=[1e300, 1, 1, 1]).flux[0])


def test_masked_elements_are_not_numbers() -> None:
    flux = np.ma.masked_array([1.0, 2.0, 3.0, 4.0], mask=[0, 1, 0, 0])
    assert np.isnan(spectrum(flux=flux).flux).tolist() == [False, True, False, False]


def test_signed_masks_keep_their_bits() -> None:
    assert spectrum(mask=np.array([-1, 0, 1, 2], np.int32)).mask.tolist() == [2**32 - 1, 0, 1, 2]  # type: ignore[union-attr]
    assert spectrum(mask=np.array([True, False, True, True])).mask.tolist() == [1, 0, 1, 1]  # type: ignore[union-attr]


def test_a_spectrum_does_not_change_when_the_array_it_was_made_from_does() -> None:
    flux = FLUX.copy()
    made = spectrum(flux=flux)
    flux[:] = 0
    assert made == spectrum()
    with pytest.raises(ValueError, match="read-only"):
        made.flux[0] = 1


def test_a_position_or_a_date_that_is_not_a_number_is_not_known() -> None:
    made = spectrum(ra=float("nan"), dec=np.float32("nan"), mjd=float("nan"))
    assert made.ra is None and made.dec is None and made.mjd is None


def test_a_grid_and_its_wavelengths_are_the_same() -> None:
    made = spectrum(wavelength=None, loglam0=3.5, dloglam=1e-4)
    np.testing.assert_allclose(made.vacuum_wavelength(), 10 ** (3.5 + 1e-4 * np.arange(4)), rtol=1e-15)


def test_air_is_converted_and_stays_recorded() -> None:
    made = spectrum(medium="air")
    np.testing.assert_array_equal(made.vacuum_wavelength(), vacuum_from_air(WAVELENGTH))
    assert made.medium == "air"
    assert made.wavelength is not None and made.wavelength.tolist() == WAVELENGTH.tolist()


def test_equal_means_pixel_by_pixel_with_not_a_number_equal_to_itself() -> None:
    assert spectrum() == spectrum()
    assert spectrum() != spectrum(flux=FLUX * 2)
    assert spectrum() != spectrum(ivar=None)
    assert spectrum() != "a spectrum"


def test_the_digest_is_of_the_pixels_and_of_nothing_else() -> None:
    digest = spectrum().digest
    assert digest == spectrum(spectrum_id="another", ra=1.0, source_row=7, flux_unit="nJy").digest
    assert len(digest) == hashlib.sha256().digest_size * 2
    changed = [
        spectrum(flux=np.array([1.5, np.nan, -2.25, 1.1e-20])),
        spectrum(ivar=None),
        spectrum(ivar=FLUX),
        spectrum(mask=None),
        spectrum(wavelength=WAVELENGTH + 1e-9),
        spectrum(medium="air"),
        spectrum(wavelength=None, loglam0=3.5, dloglam=1e-4),
        spectrum(wavelength=None, loglam0=3.5, dloglam=1e-4, medium="air"),
        spectrum(wavelength=None, loglam0=3.5, dloglam=1.1e-4),
    ]
    assert len({digest, *(made.digest for made in changed)}) == len(changed) + 1


def test_the_same_light_has_the_same_digest_however_it_is_told() -> None:
    assert spectrum(mask=np.zeros(4, np.uint32)).digest == spectrum(mask=None).digest
    in_air, converted = spectrum(medium="air"), spectrum(wavelength=vacuum_from_air(WAVELENGTH))
    assert in_air.digest == converted.digest


def test_the_digest_never_changes() -> None:
    assert spectrum().digest == "74586b80d4cb82e83779c9c3c59bdcb1f3fe7db14baddc399312db66368c11f4"


def test_a_copy_is_validated_and_has_its_own_digest() -> None:
    made = spectrum()
    before = made.digest
    assert made.model_copy(update={"flux": IVAR}).digest != before
    assert made.model_copy() == made
    with pytest.raises(ValidationError, match="flux has 4 pixels and ivar has 3"):
        made.model_copy(update={"ivar": IVAR[:3]})


def test_printing_a_spectrum_does_not_print_its_pixels() -> None:
    assert "flux=<float32 x 4>" in repr(spectrum())


def test_an_error_does_not_print_the_pixels() -> None:
    with pytest.raises(ValidationError) as caught:
        spectrum(flux=[12345.678, "x", 1, 1])
    assert "12345" not in str(caught.value)


def test_a_spectrum_may_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(spectrum())) == spectrum()


def test_json_has_null_where_there_is_no_number() -> None:
    values = spectrum(flux=[1.5, np.nan, np.inf, -np.inf]).to_json_dict()
    assert values["flux"] == [1.5, None, None, None]
    assert values["mask"] == MASK.tolist() and values["loglam0"] is None
    assert Spectrum.model_validate(values) == spectrum(flux=[1.5, np.nan, np.nan, np.nan])
