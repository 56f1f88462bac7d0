"""Files that hold no spectrum have an error, or an answer that warns of itself; never a confident one."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import spectraq
from spectraq.schemas.spectrum import Spectrum
from spectraq.schemas.zwarn import ZWarn
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import read
from tests.support import no_spectra

SECONDS, BYTES = 10.0, 1 << 30
"""Of the processor, and of memory, that one file may take."""
AT_ONCE = 50
"""Spectra that are answered together."""


def items(path: Path) -> list[Spectrum | ReadError]:
    """What is read of a file; a warning of a library's that gets out would be seen by the user."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = list(read(path, note=lambda sentence: None))
    assert found and not caught, (path, [str(warning.message) for warning in caught])
    return found


def unwarned(spectra: list[tuple[str, Spectrum]], count: Counter[str]) -> Iterator[str]:
    """Yield what has an answer without any bit of zwarn; those with no bit but the noise's are counted."""
    answers: list[Any] = list(spectraq.analyze([spectrum for _, spectrum in spectra]))
    for (kind, spectrum), answer in zip(spectra, answers, strict=True):
        if answer.error is not None:
            continue
        zwarn = ZWarn(answer.redshift.zwarn)
        count["answered"] += 1
        count["answered, and only the noise is in doubt"] += zwarn.trusted
        if not zwarn:
            z = answer.redshift.z
            yield f"{kind}: {spectrum.source_file} is {answer.classification.spectype}, z {z:.5f}"


def peak_bytes() -> int:
    """The most memory that this process has held since `forget_peak`."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10


def forget_peak() -> None:
    """Let the peak begin anew at what is held."""
    Path("/proc/self/clear_refs").write_text("5")


def test_no_file_without_a_spectrum_has_an_answer_without_a_warning(tmp_path: Path) -> None:
    spectra: list[tuple[str, Spectrum]] = []
    for kind, path in no_spectra.files(tmp_path, 3 * len(no_spectra.KINDS), seed=20, with_large=False):
        spectra += [(kind, item) for item in items(path) if isinstance(item, Spectrum)]
    assert list(unwarned(spectra, Counter())) == []


def test_an_error_is_in_words_and_names_no_library(tmp_path: Path) -> None:
    for kind, path in no_spectra.files(tmp_path, 2 * len(no_spectra.KINDS), seed=21, with_large=False):
        for item in items(path):
            if isinstance(item, ReadError):
                said = str(item)
                assert "Error:" not in said and "Traceback" not in said and "\n" not in said, (kind, said)
                assert len(said) < 500, (kind, said)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_thousand_files_without_a_spectrum_cost_little_and_have_no_answer_without_a_warning(
    tmp_path: Path,
) -> None:
    waiting: list[tuple[str, Spectrum]] = []
    confident: list[str] = []
    count: Counter[str] = Counter()
    slowest, largest = ("", 0.0), ("", 0)
    for kind, path in no_spectra.files(tmp_path, 2000, seed=22):
        forget_peak()
        start = time.process_time()
        found = items(path)
        slowest = max(slowest, (kind, time.process_time() - start), key=lambda entry: entry[1])
        largest = max(largest, (kind, peak_bytes()), key=lambda entry: entry[1])
        count["files"] += 1
        count["files with an error alone"] += all(isinstance(item, ReadError) for item in found)
        waiting += [(kind, item) for item in found if isinstance(item, Spectrum)]
        path.unlink()
        if len(waiting) >= AT_ONCE:
            confident += unwarned(waiting, count)
            waiting = []
    confident += unwarned(waiting, count) if waiting else ()
    print(f"\n{dict(count)}, {len(confident)} confident; slowest {slowest}; most memory {largest}")
    for sentence in confident:
        print(sentence)
    assert confident == []
    assert slowest[1] < SECONDS, slowest
    assert largest[1] < BYTES, largest
