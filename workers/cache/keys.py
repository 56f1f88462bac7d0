"""Every Redis key that spectraq writes, and who may read it.

All but those of the memory of objects expire after `redis.ttl_s`; losing any of them costs time, or what was
learned of a stream, no answer. The memory of objects is refilled by `spectraq objects rebuild`.
"""

from __future__ import annotations

ENTRY_VERSION = 3
"""Moves when the form of an entry changes: older entries are then never found."""

_ANSWER = "spectraq:{version}:answer:{ensemble}:{spectrum}:{survey}"
_LATEST = "spectraq:{version}:latest:{spectrum_id}"
_STREAM = "spectraq:{version}:stream:{ensemble}"
_BLOCK = "spectraq:{version}:block:{ensemble}:{block}"

_GROUPS = "spectraq:{version}:groups:{ensemble}"
_GROUP = "spectraq:{version}:group:{ensemble}:{group}"
_BLOCK_FAULTS = "spectraq:{version}:block-faults:{ensemble}:{block}"

_LOOKUPS = "spectraq:{version}:lookups"

_OBJECT = "spectraq:{version}:object:{object}"
_OBJECT_PIXELS = "spectraq:{version}:object-pixels:{object}:{name}"
_OBJECT_CELL = "spectraq:{version}:object-cell:{cell}"


def answer_key(ensemble_digest: str, spectrum_digest: str, survey: str | None) -> str:
    """Return the key of one ensemble's answer to one spectrum's pixels: the same key, the same answer.

    The survey is part of it, since it picks the calibration.
    """
    return _ANSWER.format(
        version=ENTRY_VERSION, ensemble=ensemble_digest, spectrum=spectrum_digest, survey=survey or ""
    )


def latest_key(spectrum_id: str) -> str:
    """Return the key of the last answer under an id, for `spectraq show` and to recognise duplicates."""
    return _LATEST.format(version=ENTRY_VERSION, spectrum_id=spectrum_id)


def stream_key(ensemble_digest: str) -> str:
    """Return the key of what all workers of an ensemble saw of their stream, which thresholds follow."""
    return _STREAM.format(version=ENTRY_VERSION, ensemble=ensemble_digest)


def block_key(ensemble_digest: str, block: str) -> str:
    """Return the key of what judged the anomalies of a block of offsets: read again, the same does."""
    return _BLOCK.format(version=ENTRY_VERSION, ensemble=ensemble_digest, block=block)


def lookups_key() -> str:
    """Return the key of how many spectra all workers looked up, and how many were found."""
    return _LOOKUPS.format(version=ENTRY_VERSION)


def groups_key(ensemble_digest: str) -> str:
    """Return the key of the groups (exposures, plates, fibres) that were added to, by when."""
    return _GROUPS.format(version=ENTRY_VERSION, ensemble=ensemble_digest)


def group_key(ensemble_digest: str, group: str) -> str:
    """Return the key of what the spectra of a group leave on average, and of the faults that they share."""
    return _GROUP.format(version=ENTRY_VERSION, ensemble=ensemble_digest, group=group)


def block_faults_key(ensemble_digest: str, block: str) -> str:
    """Return the key of the faults that the spectra of a block of offsets are judged without."""
    return _BLOCK_FAULTS.format(version=ENTRY_VERSION, ensemble=ensemble_digest, block=block)


def object_key(object_id: str) -> str:
    """Return the key of what is remembered of an object, but for pixels; `object_id` as of `object_id_of`."""
    return _OBJECT.format(version=ENTRY_VERSION, object=object_id)


def object_pixels_key(object_id: str, name: str) -> str:
    """Return the key of the pixels of one remembered spectrum of an object."""
    return _OBJECT_PIXELS.format(version=ENTRY_VERSION, object=object_id, name=name)


def object_cell_key(cell: int) -> str:
    """Return the key of the objects in one cell of the sky, each with its position."""
    return _OBJECT_CELL.format(version=ENTRY_VERSION, cell=cell)
