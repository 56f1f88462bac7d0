"""The one table of spectral lines and of what the night sky adds.

Everything that knows a line takes it from here: the measured ratios of galaxies, the lines that are no
anomaly, the warnings, the mocks, the terminal and the page. Wavelengths are in angstrom and in vacuum, of
lines at rest, of the sky as observed (NIST Atomic Spectra Database; blends are the mean that low resolution
shows, those of quasars as in Vanden Berk et al. 2001).
"""

from __future__ import annotations

from typing import NamedTuple

EMISSION, ABSORPTION = "emission", "absorption"
AIRGLOW, TELLURIC, ARM = "airglow", "telluric", "arm"
S, G, Q = "STAR", "GALAXY", "QSO"


class Line(NamedTuple):
    """A spectral line, or a blend of lines that are seen as one.

    Attributes
    ----------
    name
        Unlike any other's.
    label
        How the page and the terminal write it; "" where they leave it out, as the parts of a blend.
    wavelength
        At rest, vacuum angstrom.
    kind
        EMISSION or ABSORPTION, as it is mostly seen.
    known
        Galaxies, quasars and stars have it: the scatter that lines are compared with is measured elsewhere.
    emitted_by
        Classes that emit it so strongly that a fit leaves some of it: it is no anomaly in any of them.
    broad
        Quasars have it from their broad-line region: permitted, or of high critical density.
    winged
        Its wings reach so far in quasars that a fit leaves some of them.
    """

    name: str
    label: str
    wavelength: float
    kind: str = EMISSION
    known: bool = False
    emitted_by: tuple[str, ...] = ()
    broad: bool = False
    winged: bool = False


class Band(NamedTuple):
    """A stretch of the observed spectrum that the sky, or the instrument, spoils.

    Attributes
    ----------
    label
        What it is called; "" where it has no name.
    low, high
        Observed, vacuum angstrom.
    kind
        AIRGLOW, TELLURIC (absorption by the atmosphere), or ARM (the end of a spectrograph's arm).
    unusable
        Seldom corrected well: no line is sought there.
    """

    label: str
    low: float
    high: float
    kind: str
    unusable: bool


LINES = (
    Line("OVI", "", 1033.83, emitted_by=(Q,), broad=True),
    Line("Lya", "Lyα", 1215.67, known=True, emitted_by=(Q,), broad=True),
    Line("NV", "N V", 1240.81, known=True, emitted_by=(Q,), broad=True),
    Line("OI_1304", "", 1304.5, emitted_by=(Q,), broad=True),
    Line("CII_1336", "", 1335.3, emitted_by=(Q,), broad=True),
    Line("SiIV", "Si IV", 1397.61, known=True, emitted_by=(Q,), broad=True),
    Line("CIV_1548", "", 1548.20),
    Line("CIV", "C IV", 1549.06, known=True, emitted_by=(Q,), broad=True),
    Line("CIV_1551", "", 1550.77),
    Line("HeII_1640", "He II", 1640.42, emitted_by=(Q,), broad=True),
    Line("OIII_1664", "", 1663.5, emitted_by=(Q,), broad=True),
    Line("NIII_1750", "", 1750.0, emitted_by=(Q,), broad=True),
    Line("AlIII", "", 1857.40, emitted_by=(Q,), broad=True),
    Line("SiIII_1892", "", 1892.0, emitted_by=(Q,), broad=True),
    Line("CIII", "C III]", 1908.73, known=True, emitted_by=(Q,), broad=True),
    Line("CII", "C II]", 2326.0, known=True, emitted_by=(Q,), broad=True),
    Line("NeIV_2424", "", 2424.0, emitted_by=(G, Q)),
    Line("OII_2471", "", 2471.0, emitted_by=(G, Q)),
    Line("FeII", "Fe II", 2600.17, ABSORPTION),
    Line("MgII_2796", "", 2796.35),
    Line("MgII", "Mg II", 2799.12, known=True, emitted_by=(Q,), broad=True),
    Line("MgII_2804", "", 2803.53),
    Line("NeV_3347", "", 3346.79, emitted_by=(G, Q)),
    Line("NeV", "[Ne V]", 3426.84, known=True, emitted_by=(G, Q)),
    Line("OII_3727", "", 3727.09),
    Line("OII", "[O II]", 3728.48, known=True, emitted_by=(G, Q)),
    Line("OII_3730", "", 3729.88),
    Line("H12", "", 3751.2, emitted_by=(G,)),
    Line("H11", "", 3771.7, emitted_by=(G,)),
    Line("H10", "", 3798.9, emitted_by=(G,)),
    Line("H9", "", 3836.5, emitted_by=(G,)),
    Line("NeIII", "[Ne III]", 3869.86, known=True, emitted_by=(G, Q)),
    Line("H8", "", 3890.17, known=True, emitted_by=(G,)),
    Line("CaK", "Ca K", 3934.78, ABSORPTION, known=True, emitted_by=(S,)),
    Line("NeIII_3969", "", 3968.59, emitted_by=(G, Q)),
    Line("CaH", "Ca H", 3969.59, ABSORPTION, known=True, emitted_by=(S,)),
    Line("Hepsilon", "", 3971.20, known=True, emitted_by=(G, Q)),
    Line("SII_4070", "", 4069.7, emitted_by=(G, Q)),
    Line("SII_4078", "", 4077.5, emitted_by=(G,)),
    Line("Hdelta", "Hδ", 4102.89, known=True, emitted_by=(S, G, Q), broad=True),
    Line("Gband", "G band", 4305.61, ABSORPTION),
    Line("Hgamma", "Hγ", 4341.69, known=True, emitted_by=(S, G, Q), broad=True),
    Line("OIII_4364", "[O III]", 4364.44, known=True, emitted_by=(G, Q)),
    Line("HeI_4473", "", 4472.7, emitted_by=(G, Q)),
    Line("HeII_4687", "He II", 4687.02, known=True, emitted_by=(G, Q), broad=True),
    Line("ArIV_4713", "", 4712.7, emitted_by=(G,)),
    Line("ArIV_4742", "", 4741.5, emitted_by=(G,)),
    Line("Hbeta", "Hβ", 4862.68, known=True, emitted_by=(S, G, Q), broad=True, winged=True),
    Line("OIII_4960", "[O III]", 4960.30, known=True, emitted_by=(G, Q)),
    Line("OIII_5008", "[O III]", 5008.24, known=True, emitted_by=(G, Q)),
    Line("FeVII_5160", "", 5160.3, emitted_by=(G, Q)),
    Line("Mgb", "Mg b", 5175.98, ABSORPTION),
    Line("NI", "", 5200.53, known=True, emitted_by=(G, Q)),
    Line("FeXIV", "", 5304.5, emitted_by=(G, Q)),
    Line("HeII_5413", "", 5412.9, emitted_by=(G,)),
    Line("ClIII_5519", "", 5519.2, emitted_by=(G,)),
    Line("ClIII_5539", "", 5539.4, emitted_by=(G,)),
    Line("FeVII_5722", "", 5722.3, emitted_by=(G, Q)),
    Line("NII_5756", "", 5756.2, emitted_by=(G, Q)),
    Line("HeI_5877", "He I", 5877.25, known=True, emitted_by=(G, Q), broad=True),
    Line("NaD_5892", "", 5891.58, ABSORPTION, known=True),
    Line("NaD", "Na D", 5894.57, ABSORPTION),
    Line("NaD_5898", "", 5897.56, ABSORPTION, known=True, emitted_by=(G,)),
    Line("FeVII_6089", "", 6088.7, emitted_by=(G, Q)),
    Line("OI_6302", "[O I]", 6302.046, known=True, emitted_by=(G, Q)),
    Line("SIII_6314", "", 6313.8, emitted_by=(G,)),
    Line("OI_6366", "", 6365.54, known=True, emitted_by=(G, Q)),
    Line("FeX", "", 6376.3, emitted_by=(G, Q)),
    Line("CaH_band", "CaH", 6385.0, ABSORPTION),
    Line("NII_6550", "[N II]", 6549.86, known=True, emitted_by=(G, Q)),
    Line("Halpha", "Hα", 6564.61, known=True, emitted_by=(S, G, Q), broad=True, winged=True),
    Line("NII_6585", "[N II]", 6585.27, known=True, emitted_by=(G, Q)),
    Line("HeI_6680", "", 6680.00, known=True, emitted_by=(G, Q)),
    Line("SII_6718", "[S II]", 6718.29, known=True, emitted_by=(G, Q)),
    Line("SII_6733", "[S II]", 6732.67, known=True, emitted_by=(G, Q)),
    Line("TiO", "TiO", 7055.0, ABSORPTION),
    Line("HeI_7067", "", 7067.20, known=True, emitted_by=(G, Q)),
    Line("ArIII", "[Ar III]", 7137.76, known=True, emitted_by=(G, Q)),
    Line("OII_7321", "", 7320.94),
    Line("OII_7322", "", 7321.47, known=True, emitted_by=(G, Q)),
    Line("OII_7332", "", 7331.68, emitted_by=(G, Q)),
    Line("ArIII_7753", "", 7753.2, emitted_by=(G, Q)),
    Line("FeXI", "", 7894.0, emitted_by=(G, Q)),
    Line("OI_8449", "", 8448.57, emitted_by=(G, Q)),
    Line("CaII_8500", "Ca II", 8500.36, ABSORPTION, known=True, emitted_by=(Q,)),
    Line("CaII_8544", "Ca II", 8544.44, ABSORPTION, known=True, emitted_by=(Q,)),
    Line("CaII_8665", "Ca II", 8664.52, ABSORPTION, known=True, emitted_by=(Q,)),
    Line("SIII_9071", "[S III]", 9071.09, known=True, emitted_by=(G, Q)),
    Line("Pa9", "", 9231.5, emitted_by=(G, Q)),
    Line("SIII_9533", "[S III]", 9533.21, known=True, emitted_by=(G, Q)),
    Line("Pa8", "", 9548.6, emitted_by=(G, Q)),
)
"""In the order of their wavelengths."""
BY_NAME = {line.name: line for line in LINES}
LYMAN_LIMIT = 911.75
IRON_BLENDS = (
    2500.0, 2586.0, 2627.0, 2750.0, 2945.0, 3190.0, 4178.0, 4233.0, 4303.0, 4352.0, 4385.0, 4418.0, 4492.0,
    4522.0, 4550.0, 4584.0, 4630.0, 4925.0, 5019.8, 5170.5, 5199.0, 5236.0, 5277.5, 5318.0, 5363.0, 5536.0,
    6150.0, 6249.0, 6457.0,
)  # fmt: skip
"""Middles of the multiplets of Fe II that quasars show as bumps, vacuum angstrom."""

BANDS = (
    Band("[O I]", 5565, 5592, AIRGLOW, unusable=True),
    Band("", 5756, 5768, ARM, unusable=True),  # where DESI's blue arm ends
    Band("Na D", 5885, 5900, AIRGLOW, unusable=True),
    Band("[O I]", 6295, 6306, AIRGLOW, unusable=True),
    Band("[O I]", 6361, 6368, AIRGLOW, unusable=True),
    Band("B", 6860, 6960, TELLURIC, unusable=True),
    Band("H₂O", 7165, 7340, TELLURIC, unusable=False),
    Band("A", 7580, 7720, TELLURIC, unusable=True),
    Band("H₂O", 8130, 8350, TELLURIC, unusable=False),
    Band("H₂O", 8940, 9240, TELLURIC, unusable=False),
    Band("H₂O", 9300, 9700, TELLURIC, unusable=False),
)
AIRGLOW_LINES = (
    (5578.9, 100), (5891.6, 20), (6302.0, 100), (6365.5, 33), (6555.4, 40), (6865.9, 76), (7318.1, 64),
    (7394.3, 30), (7714.4, 61), (7752.8, 50), (7796.5, 39), (7823.5, 99), (7843.3, 49), (7892.2, 59),
    (7915.9, 100), (7923.2, 87), (7967.1, 45), (7995.6, 60), (8027.9, 90), (8290.9, 100), (8298.5, 68),
    (8346.9, 80), (8384.9, 31), (8401.8, 90), (8432.5, 80), (8454.7, 77), (8495.7, 76), (8507.5, 72),
    (8631.8, 36), (8653.7, 55), (8661.6, 46), (8671.6, 51), (8764.0, 100), (8780.8, 60), (8793.8, 40),
    (8829.5, 60), (8838.9, 100), (8869.9, 60), (8888.0, 90), (8922.1, 100), (8960.6, 100), (8990.8, 100),
    (9040.7, 47), (9051.9, 40), (9315.4, 46), (9326.1, 100), (9378.5, 90), (9399.4, 30), (9422.0, 100),
    (9442.3, 90), (9479.8, 100), (9505.2, 50), (9522.8, 60), (9554.9, 100), (9569.7, 100), (9685.0, 93),
    (9722.8, 80), (9740.9, 79), (9793.8, 70), (9802.5, 60), (9875.0, 100), (9917.4, 100), (9949.5, 100),
)  # fmt: skip
"""Observed vacuum wavelength and rough strength of [OI], Na and the stronger OH lines (Rousselot et al.
2000); strengths change by the hour and are capped at 100."""


def wavelength(name: str) -> float:
    """Return the rest wavelength of a line in vacuum angstrom."""
    return BY_NAME[name].wavelength
