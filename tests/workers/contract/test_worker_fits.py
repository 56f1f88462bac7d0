"""Spectra that come as FITS files."""

from __future__ import annotations

import numpy as np
from astropy.io import fits

from spectraq.schemas import codec
from spectraq.workers.transport.sender import Sender
from tests.support.feed import WAVELENGTH, Feed, numbered
from tests.support.made_files import written


def table(rows: int | None = None) -> bytes:
    """A file of one spectrum, or of several on one grid of wavelengths."""
    flux = np.asarray(numbered(1).flux)
    n = len(WAVELENGTH)
    columns = [
        fits.Column("wavelength", "D" if rows is None else f"{n}D", unit="Angstrom", array=WAVELENGTH),
        fits.Column("flux", "E", array=flux),
    ]
    if rows is not None:
        columns = [
            fits.Column("wavelength", f"{n}D", unit="Angstrom", array=np.tile(WAVELENGTH, (rows, 1))),
            fits.Column("flux", f"{n}E", array=np.tile(flux, (rows, 1))),
        ]
    return written(fits.BinTableHDU.from_columns(columns))


def test_a_fits_file_is_taken_too_and_gives_the_same_redshift_as_avro(feed: Feed) -> None:
    feed.publish([numbered(1), (b"from-fits", table())])
    with Sender(feed.settings()) as publisher:
        said = [("content-type", b"image/fits")]
        publisher.send(feed.settings().topics.spectra, b"said-to-be-fits", table(), said)
    assert feed.work().published == 3
    results = {m.fields["spectrum_id"]: m.fields["z"] for m in feed.read("redshifts")}
    assert set(results) == {"spectrum-1", "from-fits", "said-to-be-fits"}
    assert len(set(results.values())) == 1


def test_a_fits_file_that_is_not_one_spectrum_with_a_name_is_a_dead_letter(feed: Feed) -> None:
    good = table()
    with Sender(feed.settings()) as publisher:
        for key, body in [
            (b"several", table(2)),
            (b"empty", written()),
            (b"cut", good[: len(good) // 2]),
            (None, good),
            (b"avro", codec.encode(numbered(2))),
        ]:
            headers = [("content-type", b"application/fits")]
            publisher.send(feed.settings().topics.spectra, key, body, headers)
    assert feed.work().dead_lettered == 5
    found = {m.key: (m.fields["reason"], m.fields["message"]) for m in feed.read("dead_letters")}
    assert found[b"several"][0] == "wrong_shape" and "one a message" in found[b"several"][1]
    assert {found[key][0] for key in (b"empty", b"cut", b"avro")} == {"undecodable"}
    assert found[None][0] == "wrong_shape" and "with a key" in found[None][1]
    assert not any("/tmp" in message for _, message in found.values()), "names a file of the worker"
