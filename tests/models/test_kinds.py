"""A kind of anomaly stands once: scores, shares, reasons, the detector and its mocks follow from a table."""

import json

import pytest

from spectraq.models import shipped
from spectraq.models.anomaly.kinds import COUNTED, KINDS, NOTHING_PLANTED, SEEN, SHOWN, TABLE


def test_the_order_of_kinds_is_that_of_the_shipped_weights() -> None:
    assert tuple(json.loads((shipped.FOLDER / "normal.json").read_text())["kinds"]) == KINDS
    assert tuple(json.loads((shipped.FOLDER / "detector.json").read_text())["figures"]["found"]) == SEEN


def test_what_the_detector_is_asked_for_it_tells_apart_was_taught_and_is_shown() -> None:
    shown = {TABLE[column].name for column, _ in SHOWN}
    assert set(COUNTED) < set(SEEN) and set(SEEN[1:]) < shown < set(KINDS)
    assert {kind.name for kind in TABLE if kind.planted} == set(SEEN[1:])
    assert NOTHING_PLANTED + sum(kind.planted for kind in TABLE) == pytest.approx(1)


def test_only_the_detector_has_no_sentence_and_every_sign_is_used() -> None:
    assert [kind.name for kind in TABLE if not kind.sentence] == ["detector"]
    assert all(("{sign}" in kind.sentence) == any(kind.signs) for kind in TABLE)


def test_no_other_module_of_the_models_lists_the_kinds() -> None:
    paths = [path for path in shipped.FOLDER.parent.rglob("*.py") if path.name != "kinds.py"]
    named = {path.name: sum(f'"{kind}"' in path.read_text() for kind in KINDS) for path in paths}
    listing = {name for name, kinds in named.items() if kinds > len(KINDS) / 4}
    # how each is measured, and put into mocks
    assert listing == {"scores.py", "instrument_scores.py", "planted_anomalies.py"}
