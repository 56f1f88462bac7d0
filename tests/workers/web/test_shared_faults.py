"""A fault that many spectra of a plate share is one card with their number, and leads to them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import uvicorn
from playwright.sync_api import Page as BrowserPage

from spectraq.models import shipped
from spectraq.models.anomaly.reference import Reference
from spectraq.schemas import codec
from spectraq.workers.contract.convert import Subject, messages
from spectraq.workers.files.file_groups import FileGroups, Given
from spectraq.workers.settings import Settings
from spectraq.workers.web.night.filters import Filters
from spectraq.workers.web.night.night import Night
from spectraq.workers.web.server.routes import Page, make_app
from spectraq.workers.web.sources.finder import Finder
from tests.support.pagenight import until
from tests.support.shared_faults import N_PLATE, plate_of


@dataclass
class Ensemble:
    digest: str = "e" * 64
    version: str = "1"


def filled(keep: int = 1000) -> Night:
    """A night of a normal and a faulty plate."""
    groups = FileGroups(Reference.load(shipped.FOLDER))
    for plate, sigma in (("1-5-1", 0.0), ("2-5-1", 2.0)):
        several = [
            Given(f"{plate}-{i}", 0, Subject(f"{plate}-{i}", f"{i:064x}", "sdss", plate=plate), answer)
            for i, answer in enumerate(plate_of(sigma, seed=int(plate[0])))
        ]
        groups.keep(several)
    night = Night(keep)
    night.trouble = ""
    for number, one in enumerate(groups.judged()):
        assert isinstance(one, Given)
        results = messages(one.subject, one.answer, Ensemble())
        for result in (results.classification, results.redshift, results.anomaly):
            night.take(result, codec.encode(result), float(number))
    groups.close()
    return night


def test_a_fault_is_counted_by_the_spectra_that_are_kept_and_listed_once() -> None:
    night = filled()
    (fault,) = night.as_json()["faults"]
    assert fault["name"] == "2-5-1" and fault["shown"] > 0.9 * N_PLATE
    rows, total = night.rows(Filters(shared=fault["fault_id"], limit=1000))
    assert total == fault["shown"] and all(row.spectrum_id.startswith("2-5-1") for row in rows)
    strangest, _ = night.rows(Filters(order="strangest", limit=1000))
    assert strangest[0].fault == fault["message"] or strangest[0].flagged
    assert [row.fault for row in strangest if row.fault] == [fault["message"]]
    assert sum(row.flagged for row in strangest) == total_flagged(night)
    few = filled(keep=10)
    assert few.as_json()["faults"][0]["shown"] <= 10


def total_flagged(night: Night) -> int:
    return night.rows(Filters(flagged=True))[1]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A page of such a night, without Kafka or Redis."""
    night = filled()
    app, _ = make_app(Page(night, Finder(night, Settings(), None, None), dict, "files"), None)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started, "the page")
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = server.force_exit = True
    thread.join(timeout=10)


def test_a_faulty_plate_is_one_card_that_leads_to_its_spectra(address: str, page: BrowserPage) -> None:
    page.goto(address)
    until(lambda: page.locator(".card.fault").count() == 1, "the fault's card")
    card = page.locator(".card.fault")
    words = card.inner_text()
    shown = int(card.locator(".count").inner_text().split()[0])
    assert "plate 2-5-1" in words and "arm step" in words and shown > 0.9 * N_PLATE
    card.click()
    until(lambda: page.locator("#listed").inner_text().startswith(f"{shown} of"), "its spectra")
    assert page.locator("#results tbody tr").count() == shown
    page.locator("#results a").first.click()
    until(lambda: "Judged without a fault" in page.locator("#odd").inner_text(), "what it was judged without")
    page.goto(address + "?order=strangest")
    until(lambda: "share this" in page.locator("#results tbody").inner_text(), "the fault in the list")
    assert page.locator("#results tbody").inner_text().count("share this") == 1
