"""What the page does with Kafka, with the rights of its role and with one less, on a real authorizer."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest

from spectraq.schemas.verdict import Verdict
from spectraq.workers.settings import Settings
from spectraq.workers.transport.rights import ROLES
from spectraq.workers.transport.topics import ensure_topics
from spectraq.workers.web.night.night import Night
from spectraq.workers.web.night.spectrum_json import spectrum_named
from spectraq.workers.web.server.verdicts import publisher
from spectraq.workers.web.sources.lookup import Lookup
from spectraq.workers.web.sources.topics import Following
from spectraq.workers.web.sources.vitals import Vitals
from tests.support.feed import numbered
from tests.support.securekafka import give
from tests.support.worker_log import wait_for

SPECTRA = 20
VERDICT = Verdict(
    verdict_id=str(uuid.uuid4()),
    spectrum_id="spectrum-1",
    spectrum_digest="",
    spectype="QSO",
    z=1.5,
    quality=3,
    comment="",
    author="somebody",
    time_ms=0,
    machine_spectype="",
    machine_z=0.0,
    ensemble_digest="",
)


class Page:
    """The readers of the page, as a user."""

    def __init__(self, settings: Settings) -> None:
        self.night = Night(1000)
        self.vitals = Vitals(settings)
        self.lookup = Lookup(settings)
        self._threads = (Following(settings, self.night), self.vitals)

    def __enter__(self) -> Page:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.stop.set()
        for thread in self._threads:
            thread.join()
        self.lookup.close()


@pytest.fixture
def settings(feed: Any) -> Settings:
    """Of a page, with a topic of verdicts of its own."""
    feed.topics["verdicts"] = f"{feed.name}.verdicts"
    ensure_topics(feed.settings())
    found: Settings = feed.settings_as("web")
    return found


def test_a_page_needs_no_more_than_its_role_says(feed: Any, settings: Settings) -> None:
    give(feed, "web", ROLES["web"](settings))
    feed.publish([*(numbered(i) for i in range(SPECTRA)), (b"bad", b"no spectrum")])
    feed.work()
    with Page(settings) as page:
        wait_for("the results", lambda: not page.night.trouble and len(page.night._entries) == SPECTRA)
        wait_for("the lag", lambda: page.vitals.latest["lag"] is not None)
        assert page.vitals.latest["lag"]["total"] == 0
        name = page.night.newest("spectrum-1")
        assert name is not None
        assert page.lookup.search([settings.topics.spectra], name, time.time(), spectrum_named(name))
        publisher(settings)(VERDICT)
        wait_for("the verdict", lambda: page.night._verdicts.get("spectrum-1"))
    assert feed.count("verdicts") == 1


@pytest.mark.parametrize("kind", ["redshifts", "dead_letters", "spectra", "verdicts"])
def test_a_page_with_one_right_less_says_which(feed: Any, settings: Settings, kind: str) -> None:
    topic = getattr(settings.topics, kind)
    rights = ROLES["web"](settings)
    rights.remove(next(right for right in rights if right.name == topic))
    give(feed, "web", rights)
    with Page(settings) as page:
        wait_for("the complaint", lambda: topic in page.night.trouble)


@pytest.mark.parametrize("kind", ["models", "measurements"])
def test_a_page_that_may_not_see_a_topic_of_fits_goes_without(
    feed: Any, settings: Settings, kind: str
) -> None:
    topic = getattr(settings.topics, kind)
    give(feed, "web", [right for right in ROLES["web"](settings) if right.name != topic])
    with Page(settings) as page:
        wait_for("the night", lambda: not page.night.trouble)


def test_a_page_that_may_not_see_the_group_leaves_the_lag_out(feed: Any, settings: Settings) -> None:
    rights = ROLES["web"](settings)
    assert rights.pop().name == settings.kafka.group_id
    give(feed, "web", rights)
    with Page(settings) as page:
        wait_for("the night", lambda: not page.night.trouble)
        time.sleep(1)
        assert page.vitals.latest["lag"] is None
