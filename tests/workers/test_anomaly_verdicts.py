"""Verdicts of people are joined to the flags that they are on."""

import json
from pathlib import Path

import pytest

from spectraq.workers.anomaly_verdicts import AnomalyVerdicts, of_file
from spectraq.workers.errors import SettingsError
from tests.support.wire_examples import anomaly, verdict


def pair() -> tuple:
    strange = anomaly().model_copy(update={"flagged": True})
    digest = strange.provenance.spectrum_digest
    return strange, verdict().model_copy(
        update={"spectrum_id": strange.spectrum_id, "spectrum_digest": digest, "machine_z": float("nan")}
    )


def test_a_file_holds_what_watch_and_analyze_print_in_any_order(tmp_path: Path) -> None:
    strange, said = pair()
    path = tmp_path / "said.jsonl"
    lines = [{"value": said.to_json_dict()}, {"anomaly": strange.to_json_dict(), "redshift": {}}]
    path.write_text("\n".join(map(json.dumps, lines)))
    flagged, interesting, lost = of_file(path).judged()
    assert [one.kind for one in flagged] == [strange.reasons[0].kind]
    assert (interesting, lost) == ([True], 0)


def test_the_latest_word_of_an_author_counts_and_of_several_the_majority() -> None:
    strange, said = pair()
    kept = AnomalyVerdicts()
    for message in (
        strange,
        said,
        said.model_copy(update={"time_ms": said.time_ms + 1, "anomaly": "nothing"}),
    ):
        kept.take(message)
    assert kept.judged()[1] == [False]
    for author in ("Annie", "Henrietta"):
        kept.take(said.model_copy(update={"author": author}))
    assert kept.judged()[1] == [True]
    kept.take(said.model_copy(update={"spectrum_id": "nobody"}))
    assert kept.judged()[2] == 1


@pytest.mark.parametrize("line", ["{", "7", '{"verdict_id": "a"}'])
def test_a_line_that_is_no_message_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "said.jsonl"
    path.write_text("{}\n" + line)
    with pytest.raises(SettingsError, match=r"said\.jsonl, line 2"):
        of_file(path)
