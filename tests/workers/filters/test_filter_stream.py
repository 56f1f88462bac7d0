"""Filters on a real Kafka: what passes is on their topics once, whatever dies."""

from __future__ import annotations

import json
import random
import subprocess
import time
from collections import Counter
from typing import Any

import jsonschema
import pytest

from spectraq.workers.errors import SettingsError
from spectraq.workers.filters.metrics import FilterMetrics
from spectraq.workers.transport.topics import ensure_topics
from tests.conftest import ROOT
from tests.workers.filters.conftest import Filters, expected

QUASARS = 'classification.spectype == "QSO" && redshift.z > 1.0 && anomaly.false_positive_rate < 0.5'
LINES = 'measurement.lines.exists(l, l.name == "Halpha" && l.ew > 10.0)'


def is_far_quasar(of: dict[str, Any]) -> bool:
    redshift = of["redshifts"]
    return (redshift.spectype, redshift.z > 1, of["anomalies"].false_positive_rate < 0.5) == (
        "QSO",
        True,
        True,
    )


def has_strong_halpha(of: dict[str, Any]) -> bool:
    return any(line.name == "Halpha" and line.ew > 10 for line in of["measurements"].lines)


def ids(passed: list[dict[str, Any]]) -> list[str]:
    return sorted(one["spectrum_id"] for one in passed)


def test_what_passes_is_on_the_topic_of_its_filter_with_all_results_of_the_spectrum(filters: Filters) -> None:
    filters.expressions = {"quasars": QUASARS, "lines": LINES}
    filters.publish(range(200))
    metrics = FilterMetrics()
    done = filters.drain(metrics)
    far, strong = expected(range(200), is_far_quasar), expected(range(200), has_strong_halpha)
    quasars, lines = filters.passed("quasars", len(far)), filters.passed("lines", len(strong))
    assert ids(quasars) == far and 5 < len(quasars) < 100
    assert ids(lines) == strong and 5 < len(lines) < 150
    assert (done.spectra, done.messages) == (200, len(quasars) + len(lines))
    schema = json.loads((ROOT / "schemas" / "json" / "Filtered" / "1.0.json").read_text())
    for one in quasars:
        jsonschema.validate(one, schema)
        assert set(one["results"]) == {"classification", "redshift", "anomaly", "measurement"}
        assert one["results"]["redshift"]["spectrum_id"] == one["spectrum_id"]
    text = metrics.text().decode()
    assert 'spectraq_filter_read_total{filter="quasars"} 200.0' in text
    assert f'spectraq_filter_matched_total{{filter="lines"}} {float(len(lines))}' in text


def test_filters_that_are_killed_again_and_again_publish_each_spectrum_once(
    filters: Filters, processes: list[subprocess.Popen[str]]
) -> None:
    _kill_again_and_again(filters, processes, kills=2)


@pytest.mark.soak
def test_filters_that_are_killed_thirty_times_publish_each_spectrum_once(
    filters: Filters, processes: list[subprocess.Popen[str]]
) -> None:
    _kill_again_and_again(filters, processes, kills=30)


def _kill_again_and_again(filters: Filters, processes: list[subprocess.Popen[str]], kills: int) -> None:
    filters.feed.kafka_options = {"session_timeout_s": 2, "transaction_timeout_s": 3}
    filters.options = {"commit_s": 0.02, "held": 1000}
    filters.expressions = {"all": "redshift.z > -1.0"}
    chance = random.Random(1)
    ensure_topics(filters.settings())
    for kill in range(kills):
        before = len(filters.passed("all"))
        filters.publish(range(kill * 300, (kill + 1) * 300))
        processes.append(filters.start())
        deadline = time.monotonic() + 60
        while len(filters.passed("all")) == before and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 0.3))
        processes[-1].kill()
        processes[-1].wait()
    filters.drain()
    found = Counter(ids(filters.passed("all", 300 * kills)))
    assert (len(found), sum(found.values())) == (300 * kills, 300 * kills)


def test_a_spectrum_whose_result_does_not_come_is_asked_of_with_what_there_is(filters: Filters) -> None:
    filters.expressions = {
        "no_lines": "!has(measurement.result_id)",
        "near": "redshift.z < 10.0",
        "strong": "measurement.snr > 0.0",
    }
    filters.options = {"wait_s": 1.0}
    filters.publish(range(40), leave_out=[(7, "measurements"), (9, "redshifts")])
    metrics = FilterMetrics()
    filters.drain(metrics)
    assert ids(filters.passed("no_lines", 1)) == ["survey-000000007"]
    assert len(filters.passed("near", 39)) == 39 and len(filters.passed("strong", 39)) == 39
    text = metrics.text().decode()
    assert 'spectraq_filter_incomplete_total{record="measurement"} 1.0' in text
    assert 'spectraq_filter_undecided_total{filter="near"} 1.0' in text


def test_a_filter_that_fails_again_and_again_is_suspended_and_the_others_go_on(filters: Filters) -> None:
    filters.expressions = {
        "wrong": 'classification.class_probability["NOVA"] > 0.5',
        "near": "redshift.z < 10.0",
    }
    filters.options = {"failures": 5}
    filters.publish(range(60))
    metrics = FilterMetrics()
    filters.drain(metrics)
    text = metrics.text().decode()
    assert 'spectraq_filter_failed_total{filter="wrong"} 5.0' in text
    assert 'spectraq_filter_skipped_total{filter="wrong"} 55.0' in text
    assert 'spectraq_filter_suspended{filter="wrong"} 1.0' in text
    assert len(filters.passed("near", 60)) == 60 and filters.passed("wrong") == []


def test_a_result_that_is_published_again_passes_once(filters: Filters) -> None:
    filters.expressions = {"all": "redshift.z > -1.0"}
    filters.publish([*range(50), *range(50)])
    assert filters.drain().spectra == 50
    assert len(filters.passed("all", 50)) == 50


def test_two_processes_share_the_partitions(filters: Filters, processes: list[subprocess.Popen[str]]) -> None:
    filters.expressions = {"all": "redshift.z > -1.0"}
    filters.publish(range(100))
    filters.drain()
    for slot in ("a", "b"):
        filters.feed.kafka_options = {"session_timeout_s": 6}
        filters.slot = slot
        processes.append(filters.start())
    filters.wait_for_members(2)
    filters.publish(range(100, 600))
    deadline = time.monotonic() + 60
    while len(filters.passed("all", 600)) < 600 and time.monotonic() < deadline:
        pass
    for process in processes:
        process.terminate()
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert sum(int(out.split()[0]) for out in outputs) == 500
    assert all(int(out.split()[0]) > 50 for out in outputs)
    found = Counter(ids(filters.passed("all")))
    assert (len(found), sum(found.values())) == (600, 600)


def test_a_filter_that_can_not_be_ends_the_command_with_its_name(filters: Filters) -> None:
    filters.expressions = {"wrong": "redshift.zed > 1.0"}
    with pytest.raises(SettingsError, match=r"filters.wrong.expression: .*'zed'; nearest: zerr"):
        filters.drain()
