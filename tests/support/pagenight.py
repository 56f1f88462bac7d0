"""A night for the page: topics of its own, spectra, a hostile one and rubbish among them, all answered."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from spectraq.schemas.results import Anomaly, Candidate, Classification, Provenance, Reason, Redshift, Result
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.demonstration import simulated
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.settings import Settings, load_settings
from spectraq.workers.topic_settings import Topics
from spectraq.workers.transport.sender import Sender
from spectraq.workers.transport.topics import ensure_topics

SPECTRAQ = str(Path(sys.executable).parent / "spectraq")
HOSTILE = '<img src=x onerror="window.hacked=1">'
SPECTRA = 40
ANSWERED = SPECTRA + 2  # noise, which has a warning, and the hostile one
SEED = 9  # among its first forty spectra are some that are flagged
PATIENCE_S = 60.0
RUNNING: list[subprocess.Popen[bytes]] = []
"""Servers that were started; a test that fails leaves its own."""


def until(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Wait until a condition holds, and return what it gave."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {patience_s:.0f} s")


def placed_spectra() -> list[Spectrum]:
    """Simulated spectra on a line of the sky, one a minute of arc, noise, and a hostile one."""
    found = [
        spectrum.model_copy(update={"ra": 150.0 + number / 60, "dec": 2.0, "target_id": f"target-{number}"})
        for number, (spectrum, _) in enumerate(simulated.spectra(SPECTRA, SEED))
    ]
    noise = np.random.default_rng(SEED).normal(0, 1, found[1].n_pixels).astype(np.float32)
    found.append(found[1].model_copy(update={"spectrum_id": "noise", "flux": noise, "ra": None, "dec": None}))
    hostile = {"spectrum_id": HOSTILE, "survey": "<script>window.hacked=2</script>", "target_id": "</td><b>"}
    return [*found, found[0].model_copy(update=hostile)]


def results(
    name: str, text: str = "GALAXY", number: float = 0.1, flagged: bool = False, digest: str = "0" * 64
) -> list[Result]:
    """Three results as a stranger may write them: one text in all texts, one number in all numbers."""
    given: dict[str, Any] = {
        "spectrum_id": name,
        "provenance": Provenance(spectrum_digest=digest, ensemble_digest=text, ensemble_version=text),
        "survey": text,
        "target_id": text,
        "snr": number,
        "zwarn": 1 if flagged else 0,
        "zwarn_names": (text,) if flagged else (),
    }
    odds = {text: number, "__proto__": number, "constructor": 0.5}
    classified = Classification(
        **given,
        result_id=f"{name}-c",
        spectype=text,
        subtype=text,
        class_probability=odds,
        class_spread={text: number},
        subclass_probability=odds,
        subclass_spread={},
    )
    fit = {
        "spectype": text,
        "subtype": text,
        "z": number,
        "zerr": number,
        "chi2": number,
        "deltachi2": number,
    }
    redshift = Redshift(
        **given,
        **fit,
        result_id=f"{name}-z",
        z_spread=number,
        rchi2=number,
        npixels=1,
        robustness=number,
        coeff=(number,),
        candidates=(Candidate(**fit, probability=number),),
    )
    span = {"strength": number, "wavelength_min": number, "wavelength_max": number}
    anomaly = Anomaly(
        **given,
        result_id=f"{name}-a",
        spectype=text,
        z=number,
        score=number,
        false_positive_rate=number,
        flagged=flagged,
        reasons=(Reason(**span, kind=text, origin=text, message=20 * text),) if flagged else (),
        reference=text,
    )
    return [classified, redshift, anomaly]


class Night:
    """A stream on a stack, and the commands that work on it."""

    def __init__(self, stack: LocalStack, folder: Path) -> None:
        self.name = uuid.uuid4().hex[:8]
        self.folder = folder
        self.environment = stack.environment() | {
            "SPECTRAQ_KAFKA__GROUP_ID": self.name,
            "SPECTRAQ_WORKER__SLOT": f"{self.name}-0",
            "SPECTRAQ_WORKER__THREADS": "1",
            "SPECTRAQ_TOPICS__PARTITIONS": "2",
        }
        for kind in Topics.kinds():
            self.environment[f"SPECTRAQ_TOPICS__{kind.upper()}"] = f"{self.name}.{kind}"
        ensure_topics(self.settings())

    def settings(self) -> Settings:
        """The settings in force for it."""
        before = {name: os.environ.get(name) for name in self.environment}
        os.environ.update(self.environment)
        try:
            return load_settings()
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

    def publish(self, spectra: list[Spectrum], rubbish: tuple[bytes, ...] = ()) -> None:
        """Put spectra and rubbish on the topic."""
        topic = self.settings().topics.spectra
        with Sender(self.settings()) as publisher:
            for spectrum in spectra:
                publisher.publish(spectrum, spectrum.spectrum_id, topic)
            for body in rubbish:
                publisher.send(topic, b"rubbish", body)

    def answer(self, found: list[Result]) -> None:
        """Put results on their topics without a worker."""
        topics = self.settings().topics
        places = {"classification": topics.classifications, "redshift": topics.redshifts}
        with Sender(self.settings()) as publisher:
            for one in found:
                publisher.publish(one, one.spectrum_id, places.get(one.kind, topics.anomalies))

    def work(self) -> None:
        """Let a real worker answer all that waits."""
        subprocess.run(
            [SPECTRAQ, "worker", "--until-drained"],
            env=os.environ | self.environment,
            check=True,
            capture_output=True,
            timeout=240,
        )


class Server:
    """`spectraq web` as a process of its own."""

    def __init__(self, folder: Path, environment: dict[str, str], *arguments: str, port: int = 0) -> None:
        self._log = folder / f"web-{uuid.uuid4().hex[:6]}.log"
        self._out = self._log.with_suffix(".out")
        self._command = [SPECTRAQ, "web", *arguments]
        self._environment = os.environ | environment
        self.start(port)

    def start(self, port: int = 0) -> None:
        """Start it, and wait until it says its address."""
        with self._out.open("w") as out, self._log.open("a") as log:
            self.process = subprocess.Popen(
                [*self._command, "--port", str(port)], env=self._environment, stdout=out, stderr=log
            )
        RUNNING.append(self.process)
        self.address = until(self._address, "the page's address")

    def _address(self) -> str:
        assert self.process.poll() is None, self._log.read_text()
        text = self._out.read_text()
        return text.strip() if text.endswith("\n") else ""

    @property
    def port(self) -> int:
        """Its port."""
        return int(self.address.rpartition(":")[2].partition("/")[0])

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Ask for a path; returns status, headers and body."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        return fetch(request)

    def post(self, path: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Send a body."""
        given = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=body, headers=given)
        return fetch(request)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it."""
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE_S)


def fetch(request: urllib.request.Request) -> tuple[int, dict[str, str], bytes]:
    """Make a request; what is refused is an answer too."""
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()
