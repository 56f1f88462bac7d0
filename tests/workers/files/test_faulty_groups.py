"""A fault that spectra of a plate share is told once for its folder, and flags none of them."""

from __future__ import annotations

import dataclasses
import random

import pytest

from spectraq.models import shipped
from spectraq.models.anomaly.reference import Reference
from spectraq.schemas.results import fault_id
from spectraq.workers.contract.convert import Subject
from spectraq.workers.files.file_groups import FileGroups, Given
from tests.support.shared_faults import N_PLATE, flagged_by_step, plate_of

NORMAL = Reference.load(shipped.FOLDER)


def given(plates: dict[str, float]) -> list[Given]:
    """Spectra of plates, each with a step of so many sigma that flags them."""
    several = []
    for plate, size in plates.items():
        for i, answer in enumerate(plate_of(size, seed=len(several))):
            subject = Subject(f"{plate}-{i}", "d", "sdss", plate=plate, fiber=f"{i:04d}")
            several.append(Given(f"night/{plate}-{i}.fits", 0, subject, answer))
    return several


def judged(several: list[Given]) -> dict[str, Given]:
    groups = FileGroups(NORMAL)
    groups.keep(several[:17])
    groups.keep(several[17:])
    done = [one for one in groups.judged() if isinstance(one, Given)]
    groups.close()
    assert [one.subject for one in done] == [one.subject for one in several]
    return {one.subject.spectrum_id: one for one in done}


NIGHT = {"1-5-1": 0.0, "2-5-1": 2.0, "3-5-1": 0.0}


def test_a_faulty_plate_is_told_with_its_first_spectrum_and_its_spectra_are_judged_without() -> None:
    done = judged(given(NIGHT))
    told = {name: one.answer.anomaly_reported for name, one in done.items() if one.answer.anomaly_reported}
    assert list(told) == ["2-5-1-0"]
    (fault,) = told["2-5-1-0"]
    assert (fault.group, fault.name, fault.kind) == ("plate", "2-5-1", "arm_step")
    assert fault.fault_id == fault_id("SDSS", "plate", "2-5-1", "arm_step")
    assert fault.spectra == N_PLATE and fault.sharing > 0.9 * N_PLATE
    sharing = [name for name, one in done.items() if one.answer.anomaly_shared == (fault.fault_id,)]
    assert len(sharing) == fault.sharing and all(name.startswith("2-5-1") for name in sharing)
    assert not any(done[name].answer.anomaly_flagged for name in sharing)


def test_the_order_of_files_changes_no_flag_and_only_who_tells() -> None:
    several = given(NIGHT)
    first, mixed = judged(several), judged(random.Random(1).sample(several, len(several)))

    def without_told(done: dict[str, Given]) -> dict[str, Given]:
        return {
            name: dataclasses.replace(one, answer=dataclasses.replace(one.answer, anomaly_reported=()))
            for name, one in done.items()
        }

    assert without_told(first) == without_told(mixed)
    assert sum(len(one.answer.anomaly_reported) for one in mixed.values()) == 1


def test_a_fault_of_a_fibre_is_found_in_all_plates() -> None:
    several = []
    for plate in range(40):
        normal, faulty = plate_of(0.0, seed=plate)[:3], flagged_by_step(2.0, seed=500 + plate)
        for fiber, answer in enumerate([*normal, faulty]):
            subject = Subject(f"{plate}-{fiber}", "d", "sdss", plate=f"{plate}-5-1", fiber=f"{fiber:04d}")
            several.append(Given(f"night/{plate}-{fiber}.fits", 0, subject, answer))
    done = judged(several)
    told = [fault for one in done.values() for fault in one.answer.anomaly_reported]
    assert [(fault.group, fault.name, fault.spectra) for fault in told] == [("fiber", "0003", 40)]


@pytest.mark.parametrize("missing", ["plate", "evidence"])
def test_what_is_of_no_plate_or_was_not_judged_is_in_no_group(missing: str) -> None:
    several = given({"2-5-1": 2.0})
    if missing == "plate":
        several = [dataclasses.replace(one, subject=Subject(str(i), "d")) for i, one in enumerate(several)]
    else:
        answers = [dataclasses.replace(one.answer, anomaly_evidence=None) for one in several]
        several = [dataclasses.replace(one, answer=a) for one, a in zip(several, answers, strict=True)]
    assert not any(
        one.answer.anomaly_shared or one.answer.anomaly_reported for one in judged(several).values()
    )
