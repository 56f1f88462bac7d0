"""The HDUs of a FITS file by place and by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from spectraq.workers.readers.header_text import HeaderText
from spectraq.workers.readers.keywords import value, whole


class Hdus(tuple[Any, ...]):
    """HDUs that have all been come to; astropy's own list would parse each name at every look.

    Attributes
    ----------
    named
        By their names in capitals, in the file's order; of several of one name the first.
    """

    named: dict[str, Any]
    _texts: Mapping[int, HeaderText]

    def __new__(cls, hdus: Iterable[Any], texts: Mapping[int, HeaderText]) -> Hdus:
        """Take them from a list of astropy's, which need not have come to all of them.

        Parameters
        ----------
        hdus
            The list.
        texts
            What is known of their headers' texts, by where they begin in the file.
        """
        self = super().__new__(cls, hdus)
        self._texts = texts
        self.named = {}
        for hdu in self:
            text = text_of(hdu, texts)
            name = text.name if text else None
            self.named.setdefault(hdu.name.strip().upper() if name is None else name, hdu)
        return self

    def __getitem__(self, key: Any) -> Any:
        """Return an HDU by its name or its place, or a tuple of them by a slice of places."""
        return self.named[key.upper()] if isinstance(key, str) else super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        """Whether there is an HDU of this name, or this HDU."""
        return key.upper() in self.named if isinstance(key, str) else super().__contains__(key)

    def whole_number(self, hdu: Any, keyword: str) -> int | None:
        """Return a whole number of an HDU's header, which is parsed only where that is not plain."""
        text = text_of(hdu, self._texts)
        said = text.count(keyword) if text else None
        return whole(value(hdu.header, keyword)) if said is None else said


def text_of(hdu: Any, texts: Mapping[int, HeaderText]) -> HeaderText | None:
    """Return the text of an HDU's header; None where it is not where astropy found the header."""
    place = hdu.fileinfo()
    text = texts.get(place["hdrLoc"]) if place else None
    return text if text and text.stop == place["datLoc"] else None
