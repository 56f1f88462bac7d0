"""What a job says of how far it is."""

from __future__ import annotations

from pathlib import Path

from spectraq.workers.errors import ReadError
from spectraq.workers.jobs.journal import Counts
from spectraq.workers.jobs.progress import Progress


def test_how_many_spectra_there_will_be_is_known_from_the_first_file_on(tmp_path: Path) -> None:
    for name, size in (("a", 100), ("b", 300)):
        (tmp_path / name).write_bytes(bytes(size))
    first, second = str(tmp_path / "a"), str(tmp_path / "b")
    progress = Progress([first, ReadError("no such file"), second])
    progress.begin(Counts(5, 3, 1, 0, 0))
    assert progress.expected == 5  # nobody knows more
    progress.opened(first, 10)
    assert progress.expected == 40
    progress.opened(second, 20)
    assert progress.expected == 30
    assert progress.seconds_left((5.0, 2.0), wait=True) == (30 - 4) / 2.0
    assert progress.seconds_left((5.0, 2.0), wait=False) == (30 - 5) / 5.0
    assert progress.seconds_left((5.0, 0.0), wait=True) is None
