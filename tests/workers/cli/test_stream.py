"""The commands that go with the stream, one after the other as a user would run them."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from spectraq.workers.demonstration import simulated
from spectraq.workers.service.loop import run
from spectraq.workers.settings import Settings, load_settings
from spectraq.workers.transport.sender import Sender
from tests.support.commandline import CommandLine
from tests.support.plumbing import Plumbing
from tests.support.stranger import Stranger

Spectra = Callable[[int], Path]


def settings_of(command: CommandLine) -> Settings:
    """The settings that the commands run with."""
    sections: dict[str, dict[str, Any]] = {}
    for name, value in command.environment.items():
        section, _, key = name.removeprefix("SPECTRAQ_").lower().partition("__")
        sections.setdefault(section, {})[key] = value
    return load_settings(**sections)


def drained(command: CommandLine) -> dict[str, Any]:
    """What a worker whose networks are not asked for numbers made of all that was there."""
    return run(settings_of(command), Plumbing(), threading.Event(), until_drained=True).as_dict()


def test_what_is_published_is_answered_watched_shown_and_counted(
    online: CommandLine, spectra: Spectra
) -> None:
    published = online.json("publish", str(spectra(3)))
    assert published["published"] == 3 and published["unreadable"] == 0

    ledger = online.json("worker", "--until-drained")
    assert (ledger["read"], ledger["published"], ledger["balanced"]) == (3, 3, True)

    messages = online.json("watch", "--from-beginning", "--max", "12", "--timeout", "20")
    assert len(messages) == 12
    result_ids = {message["value"]["result_id"] for message in messages}
    assert len(result_ids) == 12
    by_id = {message["value"]["spectrum_id"] for message in messages}
    assert len(by_id) == 3

    name = by_id.pop()
    shown = online.json("show", name)
    assert shown["spectrum_id"] == name
    published_z = [
        m["value"]["z"] for m in messages if m["value"]["spectrum_id"] == name and "zerr" in m["value"]
    ]
    assert [shown["redshift"]["z"]] == published_z
    measured = [m["value"] for m in messages if m["topic"].endswith("measurements")]
    assert len(measured) == 3
    assert shown["measurement"] in measured
    printed = online("show", name).stdout
    assert "probability" in printed and "noise_rchi2" in printed
    drawn = online("show", name, "--plot").stdout
    assert "best fit, z = " in drawn and "wavelength (Å, vacuum)" in drawn

    status = online.json("status")
    assert status["lag"] == 0
    assert sum(topic["end"] for topic in status["topics"].values()) == 15
    assert "lag 0" in online("status").stdout


def test_status_names_the_partitions_that_nobody_reads(online: CommandLine) -> None:
    assert online.json("status")["ownerless"] == []  # there is no worker at all
    with Stranger(settings_of(online), {0, 2}):
        status = online.json("status")
        assert (status["state"], status["ownerless"]) == ("Stable", ["0", "2"])
        assert "nobody reads partitions 0, 2" in online("status").stdout


def test_a_second_publication_is_answered_from_the_cache_with_the_same_results(
    online: CommandLine, spectra: Spectra
) -> None:
    path = str(spectra(2))
    for cached in (0, 2):
        online("publish", path)
        assert online.json("worker", "--until-drained")["cached"] == cached
    for kind in ("redshifts", "measurements"):
        messages = online.json("watch", kind, "--from-beginning", "--max", "4", "--timeout", "20")
        values = [message["value"] for message in messages]
        assert len(values) == 4
        assert len({value["result_id"] for value in values}) == 2
        assert len({json.dumps(value, sort_keys=True) for value in values}) == 2


def test_dead_letters_are_listed_shown_and_replayed(online: CommandLine, tmp_path: Path) -> None:
    topic = online.environment["SPECTRAQ_TOPICS__SPECTRA"]
    with Sender(settings_of(online)) as publisher:
        publisher.send(topic, b"garbage", b"\x00nonsense")
        publisher.send(topic, b"shape", b'{"spectrum_id": "x"}')
    assert drained(online)["dead_lettered"] == 2

    listed = online.json("dlq", "list")
    assert listed["count"] == 2
    assert listed["reasons"] == {"unknown_schema": 1, "wrong_shape": 1}
    assert "what to do" in online("dlq", "list").stdout

    place = next(letter["letter"] for letter in listed["letters"] if letter["reason"] == "wrong_shape")
    shown = online("dlq", "show", place).stdout
    assert "wrong_shape" in shown and "not as a spectrum" in shown

    assert "would send 1" in online("dlq", "replay", "--reason", "wrong_shape", "--dry-run").stderr
    assert online.json("status")["topics"][topic]["end"] == 2
    assert "sent 1" in online("dlq", "replay", place).stderr
    assert online.json("status")["topics"][topic]["end"] == 3
    assert drained(online)["dead_lettered"] == 1


def test_a_replay_sends_nothing_twice_that_was_sent_or_answered(online: CommandLine, tmp_path: Path) -> None:
    good = next(simulated.spectra(1, 3))[0]
    bad = good.model_copy(update={"ivar": np.zeros_like(good.ivar)})
    settings = settings_of(online)
    with Sender(settings) as publisher:
        publisher.publish(bad, good.spectrum_id, settings.topics.spectra)
        publisher.send(settings.topics.spectra, b"garbage", b"\x00nonsense")
    assert drained(online)["dead_lettered"] == 2
    place = next(x for x in online.json("dlq", "list")["letters"] if x["reason"] == "no_good_pixels")[
        "letter"
    ]
    assert "wavelength (Å, vacuum)" in online("dlq", "show", place).stdout
    both = online.json("dlq", "replay", "--since", "1h", "--dry-run")
    assert (len(both["replayed"]), len(both["left_alone"])) == (2, 0)
    assert online.json("dlq", "replay", "--since", "2100-01-01", "--dry-run")["replayed"] == []

    online("dlq", "replay", "--reason", "unknown_schema")
    again = online.json("dlq", "replay", "--reason", "unknown_schema")
    assert "sent again before" in again["left_alone"][0]["not_sent"]
    assert "sent 1" in online("dlq", "replay", "--reason", "unknown_schema", "--again").stderr

    with Sender(settings) as publisher:
        publisher.publish(good, good.spectrum_id, settings.topics.spectra)
    drained(online)
    answered = online.json("dlq", "replay", "--since", "1h", "--dry-run")["left_alone"]
    assert any("answered since" in left["not_sent"] for left in answered)
    online("dlq", "replay", "--since", "yesterday", code=2)


def test_dlq_says_when_there_are_none_and_when_there_is_no_such_letter(online: CommandLine) -> None:
    assert "no dead letters" in online("dlq", "list").stdout
    assert "no dead letter at 0:7" in online("dlq", "show", "0:7", code=1).stderr
    online("dlq", "show", "seven", code=2)
    online("dlq", "replay", code=2)
    online("dlq", "replay", "--reason", "boredom", code=2)


def test_publish_goes_on_after_a_file_that_cannot_be_read(
    online: CommandLine, spectra: Spectra, tmp_path: Path
) -> None:
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE  = nonsense")
    done = online("publish", str(tmp_path / "broken.fits"), str(spectra(2)), code=1)
    assert "published 2 spectra" in done.stdout
    assert "broken.fits" in done.stderr


def test_watch_ends_after_its_timeout_and_skips_what_is_not_flagged(online: CommandLine) -> None:
    assert online("watch", "anomalies", "--flagged", "--from-beginning", "--timeout", "0.5").stdout == ""


def test_check_tries_everything(online: CommandLine) -> None:
    found = online.json("check")
    assert set(found) == {"kafka", "topics", "redis", "networks", "device"}
    assert re.match(r"(Valkey|Redis) \d+\.\d+\.\d+ answers at ", found["redis"]["message"])
    assert all(part["ok"] for part in found.values())
