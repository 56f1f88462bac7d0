"""What people said of anomaly flags, joined to the flags: from files of JSON or the topics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from spectraq.models.ranking import FlaggedSpectrum
from spectraq.schemas import codec
from spectraq.schemas.codec import DecodeError
from spectraq.schemas.message import Message
from spectraq.schemas.results import Anomaly
from spectraq.schemas.verdict import Verdict
from spectraq.workers.errors import SettingsError
from spectraq.workers.settings import Settings
from spectraq.workers.transport.follower import Follower

INTERESTING = "interesting"
POLL_S = 0.25


def flagged_spectrum(anomaly: Anomaly) -> FlaggedSpectrum | None:
    """Return what a flagged spectrum is ordered by; None where it is not flagged."""
    if not anomaly.flagged or not anomaly.reasons:
        return None
    first = anomaly.reasons[0]
    return FlaggedSpectrum(first.kind, first.origin, first.strength, anomaly.snr, anomaly.survey)


class AnomalyVerdicts:
    """Verdicts on flags and the flags, in any order of coming.

    Of one author on the same pixels the latest verdict counts. Where several judge a spectrum, it is
    interesting if more than half of them say so.
    """

    def __init__(self) -> None:
        self._verdicts: dict[tuple[str, str, str], Verdict] = {}  # by spectrum, digest and author
        self._flagged: dict[str, dict[str, FlaggedSpectrum]] = {}  # by spectrum, then by digest

    def take(self, message: Message) -> None:
        """Keep a verdict or an anomaly; others are not needed."""
        if isinstance(message, Verdict):
            key = (message.spectrum_id, message.spectrum_digest, message.author)
            before = self._verdicts.get(key)
            if before is None or before.time_ms <= message.time_ms:
                self._verdicts[key] = message
        elif isinstance(message, Anomaly):
            digest, flagged = message.provenance.spectrum_digest, flagged_spectrum(message)
            if flagged is not None:
                self._flagged.setdefault(message.spectrum_id, {})[digest] = flagged
            else:  # an answer that came later takes an earlier flag away
                self._flagged.get(message.spectrum_id, {}).pop(digest, None)

    def counts(self) -> Counter[str]:
        """Return how many spectra are flagged, by kind."""
        return Counter(one.kind for digests in self._flagged.values() for one in digests.values())

    def judged(self) -> tuple[list[FlaggedSpectrum], list[bool], int]:
        """Return the judged spectra, whether each is interesting, and how many verdicts found no flag.

        A verdict that names no pixels is of those that are flagged under its id, where these are alone.
        """
        said: dict[tuple[str, str], list[bool]] = {}
        lost = 0
        for (spectrum_id, digest, _), verdict in self._verdicts.items():
            if not verdict.anomaly:
                continue
            digests = self._flagged.get(spectrum_id, {})
            if not digest and len(digests) == 1:
                (digest,) = digests
            if digest in digests:
                said.setdefault((spectrum_id, digest), []).append(verdict.anomaly == INTERESTING)
            else:
                lost += 1
        spectra = [self._flagged[spectrum_id][digest] for spectrum_id, digest in said]
        return spectra, [2 * sum(words) > len(words) for words in said.values()], lost


def of_file(path: Path) -> AnomalyVerdicts:
    """Read lines of JSON, as `spectraq watch --json` and `spectraq analyze --json` print them.

    Raises
    ------
    SettingsError
        Where the file can't be read, or a line is no JSON or no whole message, naming both.
    """
    kept = AnomalyVerdicts()
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    for message in _messages(line, f"{path}, line {number}"):
                        kept.take(message)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}; give a file of JSON lines, or `topic`") from error
    return kept


def of_topics(settings: Settings, report: Callable[[str], None]) -> AnomalyVerdicts:
    """Read the topics of verdicts and of anomalies, from their beginnings to what are their ends now.

    Raises
    ------
    UnreachableError
        Where the broker does not answer, or a topic does not exist.
    """
    kept = AnomalyVerdicts()
    topics = [settings.topics.verdicts, settings.topics.anomalies]
    report(f"reading {' and '.join(topics)}")
    with Follower(settings, topics, from_beginning=True) as follower:
        ends = follower.ends()
        while not follower.reached(ends):
            for record in follower.poll(POLL_S):
                try:
                    kept.take(codec.decode(record.value, record.headers))
                except DecodeError:
                    continue  # a stranger's message has no verdict in it
    return kept


def _messages(line: bytes, where: str) -> Iterator[Verdict | Anomaly]:
    try:
        said = from_json(line)
    except ValueError as error:
        raise SettingsError(f"{where}: no JSON ({error}); give one object a line") from None
    for key in ("value", "anomaly"):  # of `watch`, and of `analyze`
        if isinstance(said, dict) and isinstance(said.get(key), dict):
            said = said[key]
    if not isinstance(said, dict):
        raise SettingsError(f"{where}: not an object; give one a line")
    kinds: dict[str, type[Verdict] | type[Anomaly]] = {"verdict_id": Verdict, "false_positive_rate": Anomaly}
    for mark, kind in kinds.items():
        if mark in said:
            try:
                yield kind.model_validate(_known(kind, said))
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False, include_context=False)[0]
                field = ".".join(map(str, first["loc"]))
                raise SettingsError(f"{where}: {kind.__name__} with {field}: {first['msg']}") from None


def _known(kind: type[Message], said: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a record; those of a newer version are left out, null is not-a-number."""
    return {
        name: float("nan") if said[name] is None and field.annotation is float else said[name]
        for name, field in kind.model_fields.items()
        if name in said
    }
