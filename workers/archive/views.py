"""What people ask of an archive, made short: one row a spectrum, a reason, a line, a quantity; and cones."""

from __future__ import annotations

MACROS = (
    """CREATE MACRO separation(ra1, dec1, ra2, dec2) AS
       degrees(2 * asin(least(1.0, sqrt(
           pow(sin(radians(dec2 - dec1) / 2), 2)
           + cos(radians(dec1)) * cos(radians(dec2)) * pow(sin(radians(ra2 - ra1) / 2), 2)))))""",
    """CREATE MACRO in_cone(ra, dec, ra0, dec0, radius) AS
       dec BETWEEN dec0 - radius AND dec0 + radius AND separation(ra, dec, ra0, dec0) <= radius""",
)
"""All angles in deg; the limits of `dec` are what files are left out by."""

_WHOSE = "night, result_id, spectrum_id, survey, target_id, ra, dec, mjd, spectype, z, snr, zwarn"

_SPECTRA = """CREATE VIEW spectra AS
SELECT c.night, c.spectrum_id, c.spectrum_digest, c.ensemble_digest, c.ensemble_version,
    c.survey, c.target_id, c.ra, c.dec, c.mjd, c.snr, c.zwarn, c.zwarn_names,
    c.spectype, c.subtype, c.probability, c.p_galaxy, c.p_qso, c.p_star, c.subclass_probability,
    r.z, r.zerr, r.z_spread, r.chi2, r.rchi2, r.deltachi2, r.npixels, r.robustness, r.candidates,
    a.flagged, a.score, a.false_positive_rate, a.judgement, a.reasons{measured}
FROM classifications c
JOIN redshifts r USING (spectrum_id, spectrum_digest, ensemble_digest, ensemble_version)
JOIN anomalies a USING (spectrum_id, spectrum_digest, ensemble_digest, ensemble_version)
"""
_MEASURED = ",\n    m.lines, m.quantities, m.bpt"
_JOINED = """LEFT JOIN measurements m USING (spectrum_id, spectrum_digest, ensemble_digest, ensemble_version)
"""
_PARTS = {
    "reasons": ("anomalies", "reasons", "flagged, "),
    "lines": ("measurements", "lines", "flux_unit, "),
    "quantities": ("measurements", "quantities", ""),
}
"""View, its table, the column whose items are its rows, and what else it has."""


def views_of(tables: set[str]) -> dict[str, str]:
    """Return the statement that makes each view which an archive with these tables can have."""
    views = {}
    if {"classifications", "redshifts", "anomalies"} <= tables:
        measured = "measurements" in tables
        views["spectra"] = _SPECTRA.format(measured=_MEASURED if measured else "") + (
            _JOINED if measured else ""
        )
    for name, (table, column, more) in _PARTS.items():
        if table in tables:
            # the item's names come last, and stand for themselves
            views[name] = (
                f"CREATE VIEW {name} AS SELECT {_WHOSE}, {more}unnest({column}, max_depth := 2)"
                f" FROM {table} WHERE len({column}) > 0"
            )
    return views
