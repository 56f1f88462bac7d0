"""What is measured, beside the plot: lines and quantities with their errors, and why a number is missing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page

from spectraq.models.measurement.line_groups import BROAD_LINES, FORBIDDEN, PERMITTED, SUMS
from spectraq.models.measurement.quantities import QUANTITIES
from spectraq.workers.web.server.written_names import QUANTITY_NAMES, line_names
from tests.support.pagenight import Server, until

GALAXY = "simulated-9-000006"


def measurement(server: Server, spectrum_id: str) -> dict[str, Any]:
    status, _, body = server.get(f"/api/measurement?id={spectrum_id}")
    assert status == 200, body
    measured: dict[str, Any] = json.loads(body)
    return measured


def line(measured: dict[str, Any], name: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = measured["lines"]
    return next(row for row in rows if (row["name"], row["component"]) == (name, "narrow"))


@pytest.fixture(scope="module")
def galaxy(server: Server) -> dict[str, Any]:
    """The measurement of a galaxy whose H alpha and [O III] are seen."""
    until(lambda: server.get(f"/api/measurement?id={GALAXY}")[0] == 200, "the measurement")
    return measurement(server, GALAXY)


def test_what_is_measured_stands_in_tables_and_on_the_lines_of_the_plot(
    page: Page, server: Server, galaxy: dict[str, Any]
) -> None:
    assert galaxy["same"] is True
    page.goto(f"{server.address}?id={galaxy['spectrum_id']}")
    until(lambda: page.is_visible("#lines"), "what is measured")
    rows = page.eval_on_selector_all(
        "#lines tbody tr", "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    for name, label in (("Halpha", "Hα 6565"), ("OIII_5008", "[O III] 5008")):
        shown = next(cells[2] for cells in rows if cells[:2] == [label, "narrow"])
        flux, error = (float(word) for word in shown.split(" ± "))
        assert flux == pytest.approx(line(galaxy, name)["flux"], abs=error / 10)
        assert error == pytest.approx(line(galaxy, name)["flux_error"], rel=0.06)
    unseen = next(row for row in galaxy["lines"] if row["upper_limit"])
    assert f"< {unseen['upper_limit']:.2g}" in page.locator("#lines").inner_text()
    null = next(row for row in galaxy["lines"] if row["flux"] is None)
    assert null["reason"] in page.inner_text("#unmeasured")
    for quantity in galaxy["quantities"]:
        if quantity["value"] is None:
            assert quantity["reason"] in page.inner_text("#quantities")
    at = line(galaxy, "OIII_5008")["wavelength"] * (1 + galaxy["z"])
    page.goto(f"{server.address}?id={galaxy['spectrum_id']}&x={at - 80:.1f}-{at + 80:.1f}")
    flux = line(galaxy, "OIII_5008")["flux"]
    labels = until(
        lambda: [words for words in page.evaluate("written") if words.startswith("[O III] ")], "its flux"
    )
    assert float(labels[-1].split("] ")[1]) == pytest.approx(flux, rel=0.05)
    before = len(page.evaluate("written"))
    page.keyboard.press("Shift+ArrowRight")  # another redshift: what was measured is not there
    until(lambda: "[O III]" in page.evaluate("written")[before:], "the name alone")


def test_a_measurement_that_fails_says_so_beside_the_model(
    page: Page, server: Server, galaxy: dict[str, Any]
) -> None:
    page.route(
        "**/api/measurement?*", lambda route: route.fulfill(status=404, json={"error": "not this one"})
    )
    page.goto(f"{server.address}?id={galaxy['spectrum_id']}")
    until(lambda: page.text_content("#measured-state") == "not this one", "the sentence")
    assert page.is_hidden("#measured")
    assert page.locator("#chi2 canvas").count() == 1


def test_all_that_is_measured_has_a_written_name() -> None:
    measured = {*FORBIDDEN, *PERMITTED, *SUMS, *(name for names in BROAD_LINES.values() for name in names)}
    assert measured <= set(line_names())
    assert set(QUANTITY_NAMES) == {name for quantities in QUANTITIES.values() for name in quantities}
