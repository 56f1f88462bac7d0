"""Files of a folder are judged by what the folder shows, whatever the order they come in."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest

from spectraq.models import shipped
from spectraq.models.anomaly.group import LEAST_GROUP
from spectraq.models.anomaly.reference import Reference
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.files import file_groups
from spectraq.workers.files.analyze_files import Answered, Unanswered, analyze_in_groups
from spectraq.workers.inference import SafeInference
from tests.support.plumbing import Plumbing, spectrum_flux

NORMAL = Reference.load(shipped.FOLDER)
WAVELENGTH = np.linspace(4000, 9000, 200)


def spectrum(number: int, folder: str = "night", survey: str | None = "lamost") -> Spectrum:
    return Spectrum(
        spectrum_id=f"{folder}-{number}",
        flux=spectrum_flux(number),
        ivar=np.ones(200, np.float32),
        wavelength=WAVELENGTH,
        survey=survey,
        source_file=f"{folder}/{number}.fits",
        source_row=0,
    )


def judged(items: list[Spectrum | ReadError], batch: int = 16) -> list[Answered | Unanswered]:
    analysis = SafeInference(Plumbing(teaches=True), batch)
    return list(analyze_in_groups(items, analysis, batch, 1000, NORMAL))


def references(results: list[Answered | Unanswered]) -> set[str]:
    return {one.results.anomaly.reference for one in results if isinstance(one, Answered)}


def test_the_order_of_files_changes_no_answer_and_results_keep_it() -> None:
    items: list[Spectrum | ReadError] = [spectrum(i) for i in range(60)]
    first = judged(items)
    assert references(first) == {"plumbing, adapted to 60 of lamost"}
    mixed = random.Random(3).sample(items, len(items))
    second = judged(mixed, batch=7)
    assert [one.subject.spectrum_id for one in second] == [item.spectrum_id for item in mixed]
    by_id = {one.subject.spectrum_id: one.results for one in second if isinstance(one, Answered)}
    assert all(by_id[one.subject.spectrum_id] == one.results for one in first if isinstance(one, Answered))


def test_what_was_measured_comes_with_each_answer_where_it_is_asked_for() -> None:
    analysis = SafeInference(Plumbing(), 16)
    items = [spectrum(i) for i in range(LEAST_GROUP)]
    for one in analyze_in_groups(items, analysis, 16, 1000, NORMAL, measurements=True):
        assert isinstance(one, Answered) and one.results.measurement is not None
        assert one.results.measurement.line("Halpha").flux == 12.0


def test_each_folder_is_a_group_and_small_ones_are_one_together() -> None:
    large = [spectrum(i, "large") for i in range(LEAST_GROUP)]
    small = [spectrum(100 + i, f"small-{i % 3}") for i in range(LEAST_GROUP)]
    few = [spectrum(200 + i, "few", "boss") for i in range(3)]
    unnamed = [spectrum(300 + i, "plates/3655", None) for i in range(LEAST_GROUP + 1)]
    results = judged([*large, *small, *few, *unnamed])
    names = [one.results.anomaly.reference for one in results if isinstance(one, Answered)]
    assert names[:LEAST_GROUP] == [f"plumbing, adapted to {LEAST_GROUP} of lamost"] * LEAST_GROUP
    assert names[LEAST_GROUP : 2 * LEAST_GROUP] == names[:LEAST_GROUP]
    assert names[2 * LEAST_GROUP : 2 * LEAST_GROUP + 3] == ["plumbing"] * 3
    assert names[-1] == f"plumbing, adapted to {LEAST_GROUP + 1} of 3655"


def test_what_has_no_answer_keeps_its_place_and_its_words() -> None:
    broken = replace_flux(spectrum(1), np.nan)
    items = [spectrum(0), ReadError("no spectrum in it", file="night/x.txt"), broken, spectrum(2)]
    results = judged(items)
    assert [type(one) for one in results] == [Answered, Unanswered, Unanswered, Answered]
    assert isinstance(results[1], Unanswered) and "no spectrum in it" in results[1].error
    assert isinstance(results[2], Unanswered) and results[2].spectrum_id == "night-1"


def replace_flux(one: Spectrum, value: float) -> Spectrum:
    return one.model_copy(update={"flux": np.full(one.n_pixels, value, np.float32)})


def test_what_was_analysed_before_an_error_is_shown_before_it_is_raised() -> None:
    def items() -> Iterator[Spectrum]:
        yield from (spectrum(i) for i in range(40))
        raise OSError("the disk is gone")

    analysis = SafeInference(Plumbing(teaches=True), 10)
    results = analyze_in_groups(items(), analysis, 10, 1000, NORMAL)
    shown = [next(results) for _ in range(40)]
    assert references(shown) == {"plumbing, adapted to 40 of lamost"}
    with pytest.raises(OSError, match="the disk is gone"):
        next(results)


def test_answers_that_do_not_fit_into_memory_wait_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    items: list[Spectrum | ReadError] = [spectrum(i) for i in range(40)]
    in_memory = judged(items)
    monkeypatch.setattr(file_groups, "IN_MEMORY_BYTES", 1000)
    assert judged(items) == in_memory
