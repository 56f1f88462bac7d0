"""What the results say of themselves."""

import json
import uuid

import numpy as np
import pytest
from pydantic import ValidationError

from spectraq.schemas.deadletter import DeadLetter, DeadLetterReason
from spectraq.schemas.results import Candidate, result_id
from tests.support.wire_examples import (
    anomaly,
    classification,
    dead_letter,
    model_spectrum,
    one_of_each,
    redshift,
)

PARTS = ("redshift", "sdss-1", "digest", "ensemble", "1.0")


def test_the_same_work_gives_the_same_result_id_for_ever() -> None:
    assert result_id(*PARTS) == result_id(*PARTS) == "ce39381d-42c6-5b12-bb61-a543cbc29cec"
    assert uuid.UUID(result_id(*PARTS)).version == 5


def test_any_other_work_gives_another_result_id() -> None:
    others = [(*PARTS[:i], PARTS[i] + "x", *PARTS[i + 1 :]) for i in range(5)]
    shifted = ("redshift", "sdss-1digest", "", "ensemble", "1.0")
    assert len({result_id(*parts) for parts in (PARTS, shifted, *others)}) == 7


def test_the_kinds_of_results_differ_in_their_ids() -> None:
    results = [classification(), redshift(), anomaly(), model_spectrum()]
    assert len({result.result_id for result in results}) == 4
    assert len({result.spectrum_id for result in results}) == 1


def test_every_message_is_json_without_not_a_number() -> None:
    for message in one_of_each():
        json.dumps(message.to_json_dict(), allow_nan=False)
    assert redshift().to_json_dict()["robustness"] is None
    assert redshift().to_json_dict()["candidates"][1]["z"] == 0.7
    assert model_spectrum().to_json_dict()["curves"][0] == {
        "spectype": "QSO",
        "z": [0.0, 0.5],
        "chi2": [10.0, 20.0],
    }


def test_bytes_are_base64_in_json() -> None:
    values = dead_letter(value=b"\xfb\xff\xfe", key=None, headers=[("a", b"\x00")]).to_json_dict()
    assert (values["value"], values["key"], values["headers"]) == ("+//+", None, [["a", "AA=="]])


def test_a_result_can_not_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        redshift().z = 1.0  # type: ignore[misc]


def test_results_with_the_same_not_a_number_are_equal() -> None:
    assert redshift() == redshift()
    assert redshift() != redshift().model_copy(update={"z": 0.2})
    assert model_spectrum() != model_spectrum().model_copy(update={"sigma": np.zeros(4)})


def test_a_candidate_needs_all_its_numbers() -> None:
    with pytest.raises(ValidationError, match="zerr"):
        Candidate(spectype="QSO", subtype="", z=1.0, chi2=1.0, deltachi2=0.0, probability=1.0)  # type: ignore[call-arg]


def test_every_reason_of_a_dead_letter_has_one_sentence_of_advice() -> None:
    advice = [reason.advice for reason in DeadLetterReason]
    assert len(set(advice)) == len(DeadLetterReason)
    assert all(sentence.endswith(".") and len(sentence) > 20 for sentence in advice)


def test_a_dead_letter_of_a_later_version_is_still_a_dead_letter() -> None:
    letter = dead_letter(reason="solar_flare")
    assert isinstance(letter, DeadLetter) and letter.reason == "solar_flare"
    assert "upgrade" in letter.advice
    assert dead_letter(reason="truncated").advice == DeadLetterReason.TRUNCATED.advice
