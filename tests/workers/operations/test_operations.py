"""What operators look at says what the workers say: metrics, alerts, the dashboard and the page on them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from spectraq.workers.operations.metrics import Metrics

ROOT = Path(__file__).parents[3]
PROMETHEUS = ROOT / "deploy" / "prometheus"
ALERTS = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((ROOT / "deploy/grafana/dashboards/spectraq.json").read_text())
PAGE = (ROOT / "docs" / "operations.md").read_text()
SAMPLE = re.compile(r"\bspectraq_[a-z_]+\b")


@pytest.fixture(scope="module")
def samples() -> set[str]:
    """Names of all samples that a worker exposes."""
    metrics = Metrics()
    metrics.latency_seconds.observe(1)
    metrics.stage_seconds.labels("analyse").observe(1)
    metrics.batch_spectra.observe(1)
    metrics.results.labels("STAR")
    metrics.epochs.labels("partitions assigned")
    metrics.lag.labels("0")
    metrics.group_lag.labels("0")
    metrics.ownerless.labels("0")
    lines = metrics.text().decode().splitlines()
    return {re.split(r"[ {]", line)[0] for line in lines if not line.startswith("#")}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda rule: rule["alert"])
def test_every_metric_of_an_alert_is_one_of_a_worker(alert: dict[str, str], samples: set[str]) -> None:
    asked = set(SAMPLE.findall(alert["expr"]))
    assert asked <= samples


def test_every_metric_of_the_dashboard_is_one_of_a_worker(samples: set[str]) -> None:
    asked = {
        name
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
        for name in SAMPLE.findall(target["expr"])
    }
    assert len(asked) > 10
    assert asked <= samples


@pytest.mark.parametrize("alert", [rule["alert"] for rule in ALERTS])
def test_the_page_says_what_to_do_about_every_alert(alert: str) -> None:
    assert f"| `{alert}` |" in PAGE


def test_every_alert_has_a_night_on_which_it_fires() -> None:
    nights = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    cases = [case for night in nights for case in night["alert_rule_test"]]
    fired = {case["alertname"] for case in cases if case.get("exp_alerts")}
    quiet = {case["alertname"] for case in cases if not case.get("exp_alerts")}
    assert fired == quiet == {alert["alert"] for alert in ALERTS}


def test_the_page_lists_every_metric_with_its_help() -> None:
    for family in Metrics().registry.collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        assert re.search(rf"\| `{name}` \|.*\| {re.escape(family.documentation)} \|", PAGE), name


def test_a_letter_of_each_kind_is_counted_from_zero() -> None:
    assert b'spectraq_dead_letters_total{reason="crashes"} 0.0' in Metrics().text()


@pytest.mark.parametrize(
    "command", [("check", "config", "prometheus.yml"), ("test", "rules", "alerts_test.yml")], ids=" ".join
)
def test_prometheus_takes_the_rules_and_they_fire_when_they_should(command: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        message = "promtool is not here: it comes with Prometheus"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    done = subprocess.run([promtool, *command], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
