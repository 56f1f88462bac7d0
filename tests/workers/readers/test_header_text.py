"""Headers that nobody asks for are not parsed, and what their text says is what astropy makes of it."""

from __future__ import annotations

import gzip
import random
from contextlib import suppress
from pathlib import Path

import pytest
from astropy.io import fits

from spectraq.workers.errors import ReadError
from spectraq.workers.readers import read, source
from spectraq.workers.readers.hdus import text_of
from spectraq.workers.readers.header_text import header_texts
from spectraq.workers.readers.keywords import value, whole
from tests.support.header_cards import VALUES, cards, changed
from tests.workers.readers.test_read_mutated import MAKERS

KEYS = ("NAXIS2", "TFIELDS")


def check(path: Path, what: object = None) -> int:
    """Assert that no header says other than its text; return how many words and numbers that said."""
    plain = 0
    with source.opened(path) as opened:
        texts = header_texts(opened.content)
        for hdu in opened.hdus:
            text = text_of(hdu, texts)
            if text is None:
                continue
            packed = not text.lacks("ZIMAGE")
            for key in () if packed else KEYS:
                said = text.count(key)
                assert said is None or said == whole(value(hdu.header, key)), (what, key)
                assert not text.lacks(key) or key not in hdu.header, (what, key)
                plain += said is not None
            assert text.name is None or text.name == hdu.name.strip().upper(), what
            plain += text.name is not None
    return plain


@pytest.mark.parametrize("kind", MAKERS)
def test_what_the_text_of_a_header_says_is_what_astropy_makes_of_it(kind: str, tmp_path: Path) -> None:
    whole_file = MAKERS[kind](tmp_path / "file.fits").read_bytes()
    with fits.open(tmp_path / "file.fits") as hdus:
        assert check(tmp_path / "file.fits") > 0 or len(hdus) == 1
    structural = [card for card in cards(whole_file) if card.keyword in (*KEYS, "EXTNAME", "XTENSION")]
    for card in random.Random(kind).sample(structural, min(3, len(structural))):
        for name, said in VALUES.items():
            (tmp_path / "changed.fits").write_bytes(changed(whole_file, card, said))
            with suppress(ReadError):  # where no HDU of it is read at all
                check(tmp_path / "changed.fits", (card, name))


def test_a_header_that_is_not_asked_for_is_not_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = MAKERS["sdss"](tmp_path / "spec.fits")
    catalogue = fits.BinTableHDU.from_columns([fits.Column(f"C{n}", "E", array=[n]) for n in range(130)])
    catalogue.name = "SPALL"
    with fits.open(path, mode="append") as hdus:
        hdus.append(catalogue)
    parsed = []
    parse = fits.Header.fromstring

    def noted(text: str, *args: object, **named: object) -> fits.Header:
        parsed.append(text)
        return parse(text, *args, **named)

    monkeypatch.setattr(fits.Header, "fromstring", noted)
    (item,) = read(path)
    assert not isinstance(item, ReadError)
    assert parsed and not any("TTYPE130" in str(text) for text in parsed)


def test_a_packed_file_is_read_without_a_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.fits.gz"
    path.write_bytes(gzip.compress(MAKERS["lamost old"](tmp_path / "file.fits").read_bytes()))
    monkeypatch.setattr("tempfile.NamedTemporaryFile", lambda *args, **named: pytest.fail("a temporary file"))
    (item,) = read(path)
    assert not isinstance(item, ReadError)
