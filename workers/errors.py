"""Every error that spectraq raises on purpose.

    SpectraqError                exit code 1
    +-- SettingsError            a setting is unknown, missing or out of range
    +-- ReadError                a file can't be read as spectra
    +-- RejectedSpectrum         a message is a spectrum, but not one that can be analysed
    +-- AnalysisError            the networks fail whatever they are given
    +-- UnreachableError         Kafka or Redis does not answer
    +-- DeliveryError            results could not be published or committed
    |   +-- SlotTakenError       another worker runs under this worker's name
    +-- StackError               the local Kafka or Redis could not be started or kept

Each message names what was wrong, where, and what to do. Bytes that are no message of ours raise
`spectraq.schemas.codec.DecodeError`, which stands apart: the contract knows nothing of the workers.
"""

from __future__ import annotations


class SpectraqError(Exception):
    """Root of the tree; the command line prints it in one line and exits with 1."""


class SettingsError(SpectraqError):
    """A setting is unknown, missing or out of range."""


class ReadError(SpectraqError):
    """A file, or one row of it, can't be read as a spectrum."""

    def __init__(self, message: str, *, file: str = "", row: int | None = None) -> None:
        super().__init__(message)
        self.file = file
        self.row = row


class RejectedSpectrum(SpectraqError):
    """A decoded spectrum that can't be analysed; `reason` is the code of its dead letter."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class AnalysisError(SpectraqError):
    """The networks fail on every spectrum: it is they or their device that are broken."""


class UnreachableError(SpectraqError):
    """Kafka or Redis does not answer."""


class DeliveryError(SpectraqError):
    """Results could not be published, or their offsets not committed."""


class SlotTakenError(DeliveryError):
    """Another worker has taken this one's slot, so nothing that this one does counts any more."""

    def __init__(self, slot: str) -> None:
        super().__init__(
            f"another worker runs in slot {slot!r}, so this one ends; give each worker its own --slot"
        )


class StackError(SpectraqError):
    """The local Kafka or Redis could not be started, or died."""
