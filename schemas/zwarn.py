"""The warning bits of a redshift."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntFlag


class ZWarn(IntFlag):
    """What a reader should know before believing a class or a redshift; zero is a clean answer.

    Every bit but `NOISE_ESTIMATED` means "do not trust this without a look"; that one is information about
    the input. The numbers are spectraq's own: they are not SDSS's ZWARNING nor DESI's ZWARN, though bits of
    the same name mean the same thing.
    """

    SMALL_DELTA_CHI2 = 1 << 0  # another redshift fits nearly as well as the best, or any does
    CLASS_UNCERTAIN = 1 << 1  # no class is clearly more probable than the next
    Z_FIT_LIMIT = 1 << 2  # the best chi2 lies at the edge of the redshifts that were searched
    FEW_GOOD_PIXELS = 1 << 3  # too few pixels, or too short a range, to see more than one feature
    LOW_SNR = 1 << 4  # the median signal-to-noise a pixel is below what the method was validated at
    NOISE_ESTIMATED = 1 << 5  # information: the spectrum came without ivar, noise was taken from its scatter
    ENSEMBLE_DISAGREES = 1 << 6  # the networks do not name the same class or redshift
    POOR_FIT = 1 << 7  # the reduced chi2 of the best fit is far from one
    NEGATIVE_EMISSION = 1 << 8  # the best fit needs emission lines of negative flux

    @classmethod
    def from_names(cls, names: Iterable[str]) -> ZWarn:
        """Combine the bits of these names (lower or upper case).

        Raises
        ------
        ValueError
            Where a name is no bit's.
        """
        bits = cls(0)
        for name in names:
            try:
                bits |= cls[name.upper()]
            except KeyError:
                known = ", ".join(member.name.lower() for member in cls if member.name)
                raise ValueError(f"{name!r} is no zwarn bit; the bits are {known}") from None
        return bits

    @property
    def names(self) -> tuple[str, ...]:
        """Lower-case names of the bits that are set, lowest bit first; `bit_9` for one of a later version."""
        bits = (1 << shift for shift in range(self.value.bit_length()) if self.value >> shift & 1)
        return tuple(NAMES.get(bit, f"bit_{bit.bit_length() - 1}") for bit in bits)

    @property
    def trusted(self) -> bool:
        """Whether no bit is set but those that only inform."""
        return not self & ~INFORMATION


NAMES = {member.value: str(member.name).lower() for member in ZWarn}
"""What each bit is called on the wire."""

INFORMATION = ZWarn.NOISE_ESTIMATED
"""Bits that say something about the input and nothing against the answer."""
