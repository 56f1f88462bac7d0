"""Faults that spectra of one exposure, plate or fibre share, in files: summed up first, then told once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from spectraq.models.anomaly.coarse_residual import read_stretches
from spectraq.models.anomaly.shared_fault import Fault, fault
from spectraq.models.anomaly.shared_pattern import LEAST_SPECTRA, Pattern, patterns
from spectraq.models.anomaly.shared_stack import Stack
from spectraq.models.answer import Answer, SharedFault
from spectraq.schemas.results import fault_id
from spectraq.workers.contract.convert import Subject
from spectraq.workers.contract.spectrum_groups import GroupKey, groups_of, survey_of

MOST_GROUPS = 20_000
"""Of 12 kB each: whoever names more has no more looked at."""
MOST_MEMBERS = 500
"""Of which is told how many show a fault."""


class FaultyGroups:
    """What the spectra of groups leave on average, and the faults that follow from it."""

    def __init__(self) -> None:
        self._surveys: dict[str, Stack] = {}
        self._stacks: dict[GroupKey, Stack] = {}

    def take(self, several: Iterable[tuple[Subject, Answer]]) -> None:
        """Add spectra to the sums of their groups."""
        rows: dict[GroupKey, list[tuple[str, str]]] = defaultdict(list)
        for subject, answer in several:
            if answer.anomaly_evidence is None or not answer.anomaly_evidence.stretches:
                continue
            row = (answer.anomaly_evidence.stretches, answer.spectype)
            rows[survey_of(subject), "", ""].append(row)
            for key in groups_of(subject):
                if key in self._stacks or len(self._stacks) < MOST_GROUPS:
                    rows[key].append(row)
        for key, of_group in rows.items():
            stack = Stack.of(read_stretches([line for line, _ in of_group]).levels, [c for _, c in of_group])
            survey, sort, _ = key
            if sort:
                self._stacks[key] = self._stacks[key] + stack if key in self._stacks else stack
            else:
                self._surveys[survey] = self._surveys[survey] + stack if survey in self._surveys else stack

    def suspected(self) -> dict[GroupKey, list[Pattern]]:
        """Return what the spectra of groups share."""
        counts = Counter((survey, sort) for survey, sort, _ in self._stacks)
        found = {}
        for key, stack in self._stacks.items():
            if stack.n >= LEAST_SPECTRA:
                others = self._surveys[key[0]] - stack
                shared = patterns(stack, others, counts[key[:2]] - 1)
                if shared:
                    found[key] = shared
        return found

    def told(
        self, found: dict[GroupKey, list[Pattern]], members: dict[GroupKey, list[str]]
    ) -> dict[GroupKey, list[Fault]]:
        """Return the faults that patterns are.

        Parameters
        ----------
        found
            As of `suspected`.
        members
            Stretches of spectra of each of these groups, as of `written_stretches`.
        """
        return {
            key: [
                fault(
                    pattern,
                    fault_id(*key, pattern.kind),
                    key[1:],
                    self._stacks[key].n,
                    read_stretches(members[key]),
                )
                for pattern in shared
            ]
            for key, shared in found.items()
        }


class TellOnce:
    """The faults of groups, each of which is told with one spectrum.

    Parameters
    ----------
    faults
        As of `FaultyGroups.told`.
    """

    def __init__(self, faults: dict[GroupKey, list[Fault]]) -> None:
        self._faults = faults
        self._untold = dict(faults)

    def of(self, subject: Subject) -> list[Fault]:
        """Return the faults of all groups of a spectrum."""
        return [fault for key in groups_of(subject) for fault in self._faults.get(key, ())]

    def first_told(self, subject: Subject) -> tuple[SharedFault, ...]:
        """Return those that no spectrum before this one was asked for."""
        return tuple(fault.told for key in groups_of(subject) for fault in self._untold.pop(key, ()))
