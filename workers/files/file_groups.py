"""Anomalies of files judged by what their folder has shown to be normal there.

A group is what a folder holds of a survey; folders with too few spectra of it are one group together. What
judges a spectrum is known when the last file was read, so answers are kept until then: in memory, and on disk
what does not fit. Each group is a count, so the order of files changes nothing. A fault that the spectra of
an exposure, plate or fibre share is told with the first of them, and all are judged without it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING

from spectraq.models.anomaly.group import LEAST_GROUP, Group
from spectraq.models.answer import Answer
from spectraq.models.processes import wire
from spectraq.workers.contract.convert import Subject
from spectraq.workers.contract.spectrum_groups import GroupKey, groups_of

if TYPE_CHECKING:  # what judges needs torch, and is imported with the first answer to be judged
    from spectraq.models.anomaly.in_group import KnownGroup
    from spectraq.models.anomaly.reference import Reference
    from spectraq.workers.files.faulty_groups import TellOnce

IN_MEMORY_BYTES = 64 << 20
AT_ONCE = 256
"""Answers that are judged again together."""

NO_NAME = "unknown"

Key = tuple[str, str]  # folder and survey


@dataclass(frozen=True, slots=True)
class Given:
    """One spectrum's answer as the networks gave it; its pixels are let go."""

    file: str
    row: int
    subject: Subject
    answer: Answer


class FileGroups:
    """Answers of files on their way from the networks to their groups.

    Parameters
    ----------
    normal
        What the answers were judged by alone.
    """

    def __init__(self, normal: Reference) -> None:
        from spectraq.workers.files.faulty_groups import FaultyGroups

        self._normal = normal
        self._seen: dict[Key, Group] = {}
        self._faulty = FaultyGroups()
        self._kept = SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 (closed by `close`)

    def close(self) -> None:
        """Let go of what is kept."""
        self._kept.close()

    def keep(self, given: Iterable[Given | str]) -> None:
        """Keep answers, and lines that are no answers, in their order."""
        strange: dict[Key, list[tuple[float, ...]]] = defaultdict(list)
        kept = list(given)
        self._faulty.take((one.subject, one.answer) for one in kept if isinstance(one, Given))
        for one in kept:
            if isinstance(one, str):
                record: list[object] = [one]
            else:
                answer = replace(one.answer, model=None)
                record = [one.file, one.row, asdict(one.subject), wire.written([answer])[0].decode()]
                if one.answer.anomaly_evidence is not None:
                    strange[_key(one.file, one.subject)].append(one.answer.anomaly_evidence.strangeness)
            self._kept.write(json.dumps(record).encode() + b"\n")
        for key, several in strange.items():
            group = Group.of(several)
            self._seen[key] = self._seen[key] + group if key in self._seen else group

    def judged(self) -> Iterator[Given | str]:
        """Yield all of them in the order they were kept, each answer judged in its group."""
        groups = self._known()
        faults = self._told()
        self._kept.seek(0)
        several: list[Given | str] = []
        for line in self._kept:
            several.append(_read(line))
            if len(several) == AT_ONCE:
                yield from self._in_groups(several, groups, faults)
                several = []
        yield from self._in_groups(several, groups, faults)

    def _told(self) -> TellOnce:
        """Return the faults of groups, for which their spectra are looked at once more."""
        from spectraq.workers.files.faulty_groups import MOST_MEMBERS, TellOnce

        suspected = self._faulty.suspected()
        members: dict[GroupKey, list[str]] = defaultdict(list)
        if suspected:
            self._kept.seek(0)
            for one in map(_read, self._kept):
                evidence = one.answer.anomaly_evidence if isinstance(one, Given) else None
                if isinstance(one, Given) and evidence and evidence.stretches:
                    for key in groups_of(one.subject):
                        if key in suspected and len(members[key]) < MOST_MEMBERS:
                            members[key].append(evidence.stretches)
        return TellOnce(self._faulty.told(suspected, members))

    def _known(self) -> dict[Key, KnownGroup | None]:
        """Return what judges each folder and survey."""
        from spectraq.models.anomaly.in_group import known_group

        small: dict[str, Group] = {}
        for (_, survey), group in self._seen.items():
            if group.n < LEAST_GROUP:
                small[survey] = small[survey] + group if survey in small else group
        pooled = {
            survey: known_group(survey or NO_NAME, group, self._normal) for survey, group in small.items()
        }
        return {
            (folder, survey): pooled[survey]
            if group.n < LEAST_GROUP
            else known_group(survey or Path(folder).name or NO_NAME, group, self._normal)
            for (folder, survey), group in self._seen.items()
        }

    def _in_groups(
        self, several: list[Given | str], groups: dict[Key, KnownGroup | None], faults: TellOnce
    ) -> Iterator[Given | str]:
        from spectraq.models.anomaly.in_group import judged_in_groups
        from spectraq.models.anomaly.without_shared import judged_without

        given = [one for one in several if isinstance(one, Given)]
        of_each = [groups.get(_key(one.file, one.subject)) for one in given]
        adapted = judged_in_groups([one.answer for one in given], of_each, self._normal)
        shared = [faults.of(one.subject) for one in given]
        told = [
            replace(answer, anomaly_reported=faults.first_told(one.subject))
            for answer, one in zip(adapted, given, strict=True)
        ]
        judged = iter(judged_without(told, shared, of_each, self._normal))
        for one in several:
            yield one if isinstance(one, str) else Given(one.file, one.row, one.subject, next(judged))


def _key(file: str, subject: Subject) -> Key:
    return str(Path(file).parent), (subject.survey or "").lower()


def _read(line: bytes) -> Given | str:
    record = json.loads(line)
    if len(record) == 1:
        return str(record[0])
    file, row, subject, answer = record
    return Given(file, row, Subject(**subject), wire.read(answer.encode(), b"")[0])
