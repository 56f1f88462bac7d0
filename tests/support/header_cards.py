"""The cards of a FITS file's headers, and the same file with one of them changed."""

from __future__ import annotations

import io
from typing import NamedTuple

from astropy.io import fits

CARD = 80
VALUES: dict[str, str | None] = {
    "dropped": None,
    "text": "'some text'",
    "a number as text": "'27'",
    "a whole number": "12345",
    "a number": "-1.5E300",
    "true": "T",
    "nothing": "",
    "not a number": "NaN",
    "infinite": "-INF",
    "not a number, as text": "'NaN'",
    "beyond float64": "1E400",
    "beyond 64 bits": "9" * 40,
    "complex": "(1.0, 2.0)",
    "no value of FITS": "= = '",
    "empty text": "''",
    "no ASCII": "'caf\xe9'",
    "continued text": "'goes on&'",
}


class Card(NamedTuple):
    """Where a keyword stands in a file."""

    keyword: str
    offset: int


def cards(whole: bytes) -> list[Card]:
    """Every card with a value."""
    found = []
    with fits.open(io.BytesIO(whole)) as hdus:
        for hdu in hdus:
            place = hdu.fileinfo()
            for offset in range(place["hdrLoc"], place["datLoc"], CARD):
                if whole[offset + 8 : offset + 10] == b"= ":
                    found.append(Card(whole[offset : offset + 8].decode().strip(), offset))
    return found


def changed(whole: bytes, card: Card, value: str | None) -> bytes:
    """The file with another value in one of its cards."""
    card_bytes = b"COMMENT dropped"
    if value is not None:
        card_bytes = card.keyword.ljust(8).encode() + b"= " + value.encode("latin-1").rjust(20)
    return whole[: card.offset] + card_bytes.ljust(CARD) + whole[card.offset + CARD :]
