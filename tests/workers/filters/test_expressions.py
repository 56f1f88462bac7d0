"""Expressions: typed by the schemas of results, refused with the nearest names, and bounded."""

from __future__ import annotations

import time
from typing import Any

import pytest

from spectraq.workers.filters.expression import EvaluationError, FilterError, Verdict, Vocabulary
from spectraq.workers.filters.metrics import FilterMetrics
from spectraq.workers.filters.passage import Passage
from spectraq.workers.filters.result_records import result_records
from spectraq.workers.settings import load_settings
from tests.support.results import results

Fields = dict[str, dict[str, Any]]


def fields_of(number: int) -> Fields:
    return {m.kind: m.avro_values() for topic, m in results(number) if topic != "dead_letters"}  # type: ignore[attr-defined]


def asked(vocabulary: Vocabulary, text: str, fields: Fields) -> Verdict:
    expression = vocabulary.expression(text)
    return expression.evaluate(vocabulary.activation(fields.get, expression.used))


def test_an_expression_sees_what_python_sees(vocabulary: Vocabulary) -> None:
    passed = 0
    for number in range(60):
        of = fields_of(number)
        line = next((line for line in of["measurement"]["lines"] if line["name"] == "Halpha"), None)
        wanted = (
            of["redshift"]["z"] > 0.3
            and of["classification"]["class_probability"]["GALAXY"] > 0.2
            and line is not None
            and line["ew"] > 5
            and of["redshift"]["candidates"][1]["z"] < 1
        )
        text = (
            'redshift.z > 0.3 && classification.class_probability["GALAXY"] > 0.2'
            " && redshift.candidates[1].z < 1.0"
            ' && measurement.lines.exists(l, l.name == "Halpha" && l.ew > 5.0)'
        )
        assert (asked(vocabulary, text, of) is Verdict.PASSED) == wanted
        passed += wanted
    assert 3 < passed < 57


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("redshift.zed < 1.0", "redshift has no field 'zed'; nearest: zerr"),
        ('anomaly.reasons.exists(r, r.kid == "line")', "anomaly.reasons has no field 'kid'; nearest: kind"),
        ("measurment.snr > 1.0", "nothing is named 'measurment'; nearest: measurement"),
        ("redshift.z < 1", "'(double, int)'; compare a decimal number with one that has a point: 2.0, not 2"),
        ('redshift.z == "a"', "'(double, string)'"),
        ("redshift.z", "gives DOUBLE, not true or false"),
        ("redshift.z <", "line 1, column 13: Syntax error"),
        ("", "empty"),
        ("dyn(redshift.z) < 1.0", "dyn() takes the check of types away"),
        ('redshift.survey.matches("(")', "the regular expression '(' is none"),
    ],
)
def test_what_is_wrong_is_said_with_what_would_be_right(vocabulary: Vocabulary, text: str, said: str) -> None:
    with pytest.raises(FilterError) as caught:
        vocabulary.expression(text)
    assert said in str(caught.value)


def test_a_record_that_is_not_published_here_is_said_to_be_so() -> None:
    without = Vocabulary(result_records(load_settings(worker={"publish_measurements": False})))
    with pytest.raises(FilterError, match=r"no 'measurement' in this deployment: worker\.publish_meas"):
        without.expression("measurement.snr > 1.0")


def test_where_a_value_is_missing_nothing_is_decided(vocabulary: Vocabulary) -> None:
    of = fields_of(3)
    of["redshift"]["ra"] = None
    assert asked(vocabulary, "redshift.ra > 1.0", of) is Verdict.UNDECIDED
    assert asked(vocabulary, "!(redshift.ra > 1.0)", of) is Verdict.UNDECIDED
    assert asked(vocabulary, "has(redshift.ra) && redshift.ra > 1.0", of) is Verdict.LEFT
    assert asked(vocabulary, "!has(redshift.ra)", of) is Verdict.PASSED
    del of["anomaly"]
    assert asked(vocabulary, "anomaly.flagged", of) is Verdict.UNDECIDED
    assert asked(vocabulary, "!has(anomaly.result_id)", of) is Verdict.PASSED
    with pytest.raises(EvaluationError, match="divide by zero"):
        asked(vocabulary, "1 / (redshift.zwarn - redshift.zwarn) == 1", of)


TEN = "[1,2,3,4,5,6,7,8,9,10]"
HOSTILE = {
    "long": "true || " * 600 + "true",
    "deep": "(" * 300 + "true" + ")" * 300,
    "nested": "".join(f"{TEN}.all(v{i}, " for i in range(5)) + "true" + ")" * 5,
    "many": " && ".join([f"{TEN}.all(v, v > 0)"] * 20),
    "doubling": 'size(["aaaaaaaaaaaaaaaa"]' + ".map(a, a + a)" * 9 + "[0]) > 1",
    "doubled lists": "size([[1]]" + ".map(a, a + a)" * 9 + "[0]) > 1",
    "pattern of results": "redshift.survey.matches(redshift.spectrum_id)",
    "long pattern": f'redshift.survey.matches("{"a?" * 200}")',
    "repeated pattern": 'redshift.survey.matches("((a{1,900}){1,900}){1,900}")',
    "made record": "spectraq.Redshift{} == redshift",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_expression_is_refused_at_once(vocabulary: Vocabulary, name: str) -> None:
    begun = time.thread_time()
    with pytest.raises(FilterError):
        vocabulary.expression(HOSTILE[name])
    assert time.thread_time() - begun < 2


def test_the_heaviest_expression_that_is_taken_ends_and_the_others_go_on() -> None:
    hundred = "[" + ",".join(["1"] * 100) + "]"
    twice = "{hundred}.all(a, {hundred}.all(b, a == b))"
    heavy = " && ".join([twice.format(hundred=hundred)] * 2)
    slow = f"size({hundred}.map(a, {hundred}.map(b, {hundred}))) < 0"
    named = {"heavy": heavy, "slow": slow, "near": "redshift.z < 99.0"}
    settings = load_settings(
        filters={"failures": 3} | {name: {"expression": text} for name, text in named.items()}
    )
    metrics = FilterMetrics()
    passage = Passage(settings.filters, Vocabulary(result_records(settings)), metrics)
    begun = time.thread_time()
    assert all(passage.passed(fields_of(number).get) == ["near"] for number in range(20))
    passage.tell()
    assert time.thread_time() - begun < 20
    text = metrics.text().decode()
    assert 'spectraq_filter_failed_total{filter="heavy"} 3.0' in text
    assert 'spectraq_filter_suspended{filter="heavy"} 1.0' in text
    assert 'spectraq_filter_matched_total{filter="near"} 20.0' in text
