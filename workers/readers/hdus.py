"""The HDUs of a FITS file by place and by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Hdus(tuple[Any, ...]):
    """HDUs whose headers have all been read; astropy's own list would parse each name at every look.

    Attributes
    ----------
    named
        By their names in capitals, in the file's order; of several of one name the first.
    """

    named: dict[str, Any]

    def __new__(cls, hdus: Iterable[Any]) -> Hdus:
        """Take them from a list of astropy's, which need not have come to all of them."""
        self = super().__new__(cls, hdus)
        self.named = {}
        for hdu in self:
            self.named.setdefault(hdu.name.strip().upper(), hdu)
        return self

    def __getitem__(self, key: Any) -> Any:
        """Return an HDU by its name or its place, or a tuple of them by a slice of places."""
        return self.named[key.upper()] if isinstance(key, str) else super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        """Whether there is an HDU of this name, or this HDU."""
        return key.upper() in self.named if isinstance(key, str) else super().__contains__(key)
