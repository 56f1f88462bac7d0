"""What the Virtual Observatory's metadata say of columns, where their names say nothing: utypes and UCDs.

Sources: IVOA Spectrum Data Model 1.1 (utypes, in VOTable fields and the TUTYPn of FITS), UCD1+ (UCDs, TUCDn).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from spectraq.workers.readers import columns as names

_UTYPES = (
    (r"(?:spectralaxis|spectral(?:locus)?)\.value", "wavelength"),
    (r"fluxaxis\.value|flux\.value", "flux"),
    (r"(?:fluxaxis|flux)\.accuracy\.staterr(?:or)?", "flux_error"),
    (r"(?:fluxaxis|flux)\.accuracy\.qualitystatus|fluxaxis\.quality", "quality"),
)
_UCDS = (
    (r"em\.(?:wl|freq|energy|wavenumber)(?:;.*)?", "wavelength"),
    (r"phot\.(?:flux|fluxdens|flux\.density).*", "flux"),
    (r"stat\.error;phot\.(?:flux|fluxdens).*", "flux_error"),
    (r"meta\.code\.qual.*", "quality"),
)
"""Frequencies and energies are wavelengths of another unit, which their column has."""


def roles(described: Iterable[tuple[str, str, str]]) -> Mapping[str, str]:
    """Return the names that columns here would have, by the ones they do have, all in lower case.

    Parameters
    ----------
    described
        Name, utype and UCD of each column, empty where there is none.

    Returns
    -------
    Mapping
        Empty where the names themselves say which column is flux and which wavelength, or the metadata
        do not.
    """
    columns = list(described)
    own = {name for name, _, _ in columns}
    axes = own & {*names.WAVELENGTH, *names.LOGLAM, *names.LN, *names.OTHER_AXES}
    known = {*(["flux"] if own & set(names.FLUX) else []), *(["wavelength"] if axes else [])}
    if len(known) == 2:
        return {}
    found: dict[str, str] = {}
    for name, utype, ucd in columns:
        last_words = ".".join(utype.lower().split(":")[-1].split(".")[-3:])
        role = next(
            (role for words, role in _UTYPES if re.search(rf"(?:^|\.)(?:{words})$", last_words)), None
        )
        role = role or next((role for words, role in _UCDS if re.fullmatch(words, ucd.lower())), None)
        if role and role not in (*found.values(), *known, *own):
            found[name] = role
    return found if {"wavelength", "flux"} <= {*found.values(), *known} else {}
