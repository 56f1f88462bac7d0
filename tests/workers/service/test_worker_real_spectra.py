"""The whole way on real spectra: files, Kafka, a worker, a stranger who reads; and the same without Kafka."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

SPECTRAQ = Path(sys.executable).parent / "spectraq"
KINDS = {"classification": "classifications", "redshift": "redshifts", "anomaly": "anomalies"}


def spectraq(*arguments: str, environment: dict[str, str]) -> str:
    """Run a command and give what it printed."""
    done = subprocess.run(
        [SPECTRAQ, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.soak), 4])
def test_labelled_spectra_get_the_same_three_answers_from_the_stream_as_from_their_files(
    feed: Any, shared_data: Path, every: int
) -> None:
    with (shared_data / "spectra" / "INDEX.csv").open() as stream:
        files = list(dict.fromkeys(row["file"] for row in csv.DictReader(stream)))[::every]
    paths = [str(shared_data / "spectra" / name) for name in files]
    # Files know no stream: what a stream has shown must not judge here.
    environment = {**feed.environment(), "SPECTRAQ_WORKER__ADAPT": "false"}

    directly = {}
    for line in spectraq("analyze", "--json", *paths, environment=environment).splitlines():
        result = json.loads(line)
        directly[result["spectrum_id"]] = result
    n = len(directly)
    assert n >= len(files)

    spectraq("publish", *paths, environment=environment)
    ledger = json.loads(spectraq("worker", "--until-drained", "--json", environment=environment))
    assert (ledger["read"], ledger["published"], ledger["dead_lettered"]) == (n, n, 0)

    differing = []
    for kind, topic in KINDS.items():
        messages = feed.read(topic)
        counts = Counter(message.fields["spectrum_id"] for message in messages)
        assert set(counts) == set(directly), kind
        assert set(counts.values()) == {1}, kind
        for message in messages:
            name = message.fields["spectrum_id"]
            differing += differences(message.fields, directly[name][kind], f"{name} {kind}")
    assert differing == []


def differences(found: Any, expected: Any, where: str = "") -> list[str]:
    """Name the fields in which two results differ in a digit that matters, whatever their nesting."""
    if isinstance(expected, dict):
        if set(found) != set(expected):
            return [f"{where}: fields {sorted(set(found) ^ set(expected))}"]
        return [line for key in expected for line in differences(found[key], expected[key], f"{where}.{key}")]
    if isinstance(expected, list):
        if len(found) != len(expected):
            return [f"{where}: {len(found)} and {len(expected)} of them"]
        pairs = enumerate(zip(found, expected, strict=True))
        return [line for i, (one, other) in pairs for line in differences(one, other, f"{where}[{i}]")]
    same = found == (pytest.approx(expected, rel=1e-6, abs=1e-9) if isinstance(expected, float) else expected)
    return [] if same else [f"{where}: {found} and {expected}"]
