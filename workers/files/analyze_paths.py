"""Files read by the processes that analyse them: paths go out, outcomes come back in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING

from spectraq.workers.errors import ReadError
from spectraq.workers.files.analyze_files import Unanswered
from spectraq.workers.files.file_groups import Given
from spectraq.workers.files.share import Share, Wanted, analyze_rows, analyze_share, request_of, share_of
from spectraq.workers.inference import SafeInference

if TYPE_CHECKING:
    from spectraq.models.pipeline import Pipeline

SHARE_FILES = 64
"""Files that one process reads and analyses at once: four blocks of its networks, of a spectrum each."""
SHARE_BYTES = 16 << 20
"""A larger file may hold many spectra: its rows are shared, not the file."""
AHEAD = 1
"""Shares that are done or under way beside one for each core, while the first is waited for."""

Outcome = Given | Unanswered


class PathAnalysis:
    """Files that are read and analysed on all cores, at most so many at a time.

    Parameters
    ----------
    networks
        The networks of this process, whose pipeline was loaded with `share.PROGRAM`.
    pipeline
        The same.
    wanted
        How files are read and analysed.
    note
        Takes each remark: a file, and a sentence on what had to be assumed of it.
    done
        Takes how many files more are done.
    """

    def __init__(
        self,
        networks: SafeInference,
        pipeline: Pipeline,
        wanted: Wanted,
        note: Callable[[str, str], None],
        done: Callable[[int], None],
    ) -> None:
        self._networks, self._pipeline, self._wanted = networks, pipeline, wanted
        self._note, self._done = note, done
        self._threads = ThreadPoolExecutor(pipeline.cores, "spectraq-files")

    def outcomes(self, files: Sequence[str | ReadError]) -> Iterator[list[Outcome]]:
        """Yield what comes of files, some at a time, in their order.

        Raises
        ------
        AnalysisError
            Where the networks fail on every spectrum.
        """
        cores = self._pipeline.cores
        waiting: deque[tuple[Sequence[str | ReadError], Future[Share] | None]] = deque()
        try:
            for share in _shares(files, cores):
                waiting.append((share, self._submitted(share) if len(files) >= cores else None))
                while len(waiting) > cores + AHEAD:
                    yield from self._outcomes(*waiting.popleft())
            while waiting:
                yield from self._outcomes(*waiting.popleft())
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _submitted(self, share: Sequence[str | ReadError]) -> Future[Share] | None:
        """Have a share done ahead of its turn; None where it is read here when its turn comes."""
        small = [file for file in share if isinstance(file, str) and _is_small(file)]
        return self._threads.submit(self._share, small) if len(small) == len(share) else None

    def _outcomes(
        self, share: Sequence[str | ReadError], future: Future[Share] | None
    ) -> Iterator[list[Outcome]]:
        """Yield what comes of one share, whose large files are read here when their turn comes."""
        left: Sequence[str | ReadError] = share
        while left:
            done = future.result() if future else None
            if done is not None and len(done.left) < len(left):
                yield self._told(done)
                self._done(len(left) - len(done.left))
                left = list(done.left)
            else:
                yield from self._rows(left[0])
                self._done(1)
                left = left[1:]
            future = self._submitted(left) if left else None

    def _rows(self, file: str | ReadError) -> Iterator[list[Outcome]]:
        if isinstance(file, ReadError):
            yield [Unanswered(file.file, file.row, str(file))]
            return
        for rows in analyze_rows(file, self._networks, self._wanted):
            yield self._told(rows)

    def _told(self, share: Share) -> list[Outcome]:
        for file, sentence in share.remarks:
            self._note(file, sentence)
        return share.outcomes

    def _share(self, files: Sequence[str]) -> Share:
        answered = self._pipeline.further(request_of(files, self._wanted), len(files))
        return share_of(answered) if answered else analyze_share(files, self._pipeline, self._wanted)


def _shares(files: Iterable[str | ReadError], cores: int) -> Iterator[list[str | ReadError]]:
    """Cut files into shares, in their order; what is no small file is a share of its own.

    The first are smaller, so that it is soon seen how fast it goes, and so are those of a few files.
    """
    all_files = list(files)
    size = max(min(SHARE_FILES, -(-len(all_files) // cores)), 1)
    sizes = chain([min(SHARE_FILES // 4, size)] * cores, iter(lambda: size, None))
    share: list[str | ReadError] = []
    most = next(sizes)
    for file in all_files:
        if not _is_small(file):
            if share:
                yield share
            yield [file]
            share = []
            continue
        share.append(file)
        if len(share) == most:
            yield share
            share, most = [], next(sizes)
    if share:
        yield share


def _is_small(file: str | ReadError) -> bool:
    """Whether it is a plain file of few spectra, by its size: a pipe can be read in one place alone."""
    if isinstance(file, ReadError):
        return False
    try:
        said = Path(file).stat()
    except OSError:
        return False  # whoever reads it says why
    return S_ISREG(said.st_mode) and said.st_size <= SHARE_BYTES
