"""Flagged real spectra that were looked at: whether what is strange is the sky's doing or an instrument's.

All that are flagged alone by the shipped reference, and one that is flagged among those of its survey.
"""

from __future__ import annotations

SKY, INSTRUMENT, UNCLEAR = "sky", "instrument", "unclear"
_STEP = "a step where the two arms meet"
_ARMS = "two arms that do not agree"
_RAY = "a cosmic ray"
_TWO_REDSHIFTS = "SDSS J092712.65+294344.0: lines at two redshifts"
_TWO_PEAKS = "broad lines with two peaks"
JUDGED = {
    "spectra/sdss-picca/3655/spec-3655-55240-0110.fits": (
        SKY,
        "troughs of a quasar with broad absorption lines",
    ),
    "spectra/sdss-gasnet3/spectra.fits row 12": (INSTRUMENT, "flux below zero in the blue"),
    "normal/sdss-blackholes/spec-1419-53144-0022.fits": (
        UNCLEAR,
        "a spike as wide as a line in a noisy spectrum",
    ),
    "normal/lamost-mulyss/spec-56201-EG020224N124106V01_sp01-098.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-56286-HD100408N031203B04_sp08-071.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-56361-HD124433N430735B01_sp05-088.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-56362-HD141351N461930M01_sp08-161.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-56560-EG031354S063952V01_sp13-083.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-56561-KP195920N454621V02_sp14-168.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-56596-HD215229N284736V01_sp06-187.fits.gz": (INSTRUMENT, _ARMS),
    "normal/lamost-mulyss/spec-56621-HD083431S004333V01_sp04-083.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-56656-VB137N18V1_sp12-138.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-56738-HD113827N080803V_sp10-116.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-56958-HD052834N134044V01_sp13-080.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-56976-HD025615N290950V01_sp02-116.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-56993-HD224534N302633V01_sp12-151.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-57041-EG024715N225737V01_sp08-055.fits.gz": (INSTRUMENT, _ARMS),
    "normal/lamost-mulyss/spec-57044-HD020328N513905V01_sp07-157.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-57054-HD072811N455926V01_sp03-161.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-57055-HD091212N035201V01_sp07-246.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-57060-HD120534N515552V_sp13-157.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-57092-HD161547N531412V01_sp12-161.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-57169-HD145035N124702V01_sp04-081.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-57327-HD074049N570458V01_sp01-249.fits.gz": (INSTRUMENT, _ARMS),
    "normal/lamost-mulyss/spec-57372-HD110311N285548V01_sp12-120.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-57439-HD054351N112420V01_sp10-227.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-57468-HD073750N140231V01_sp15-240.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-mulyss/spec-57468-HD145957N144959V01_sp16-184.fits.gz": (INSTRUMENT, _ARMS),
    "normal/lamost-mulyss/spec-57487-HD094138N255446V01_sp09-106.fits.gz": (INSTRUMENT, "one arm too bright"),
    "normal/lamost-mulyss/spec-57497-HD175440N181108V01_sp05-089.fits.gz": (INSTRUMENT, _ARMS),
    "normal/lamost-mulyss/spec-57739-EG000015N080026V01_sp04-137.fits.gz": (INSTRUMENT, _STEP),
    "normal/lamost-ccf/spec-57289-EG030712S014809B01_sp10-203.fits.gz": (INSTRUMENT, _RAY),
    "normal/lamost-ccf/spec-57289-EG030712S014809B01_sp14-064.fits.gz": (
        INSTRUMENT,
        "two spikes of a cosmic ray",
    ),
    "normal/lamost-ccf/spec-57289-EG030712S014809B01_sp03-244.fits.gz": (INSTRUMENT, _RAY),
    "normal/lamost-ccf/spec-57289-EG030712S014809B01_sp16-158.fits.gz": (INSTRUMENT, _RAY),
    "normal/lamost-ccf/spec-57289-EG030712S014809B01_sp16-125.fits.gz": (
        INSTRUMENT,
        "light from elsewhere between 6700 and 7500 Å",
    ),
    "normal/lamost-ccf/spec-55859-F5907_sp10-096.fits.gz": (INSTRUMENT, "a bad pixel"),
    "normal/lamost-ccf/spec-55859-F5907_sp12-016.fits.gz": (INSTRUMENT, _RAY),
    "normal/lamost-ccf/spec-57330-EG220307N031056M01_sp07-153.fits.gz": (INSTRUMENT, "two cosmic rays"),
    "normal/sdss-lmatrecito/spec-11376-58430-0084.fits": (SKY, _TWO_REDSHIFTS),
    "normal/sdss-lmatrecito/spec-1173-52790-0273.fits": (SKY, "broad Hβ with a red wing of its own"),
    "normal/sdss-lmatrecito/spec-1939-53389-0467.fits": (SKY, _TWO_REDSHIFTS),
    "normal/sdss-lmatrecito/spec-2031-53848-0060.fits": (SKY, _TWO_PEAKS),
    "normal/sdss-lmatrecito/spec-7090-56659-0248.fits": (SKY, _TWO_PEAKS),
    "normal/lamost-ccf/spec-55915-F5591503_sp15-101.fits.gz": (INSTRUMENT, _ARMS),
}
"""By name, as of `LabelledSpectrum.name`: whose doing, and what."""
