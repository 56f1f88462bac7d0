"""An expression tried on what is on the topics, and filters listed; nothing is written."""

from __future__ import annotations

from spectraq.workers.filters.expression import Vocabulary
from spectraq.workers.filters.result_records import result_records
from spectraq.workers.filters.trial import Trial, last_results
from tests.support.commandline import CommandLine
from tests.workers.filters.conftest import Filters, expected


def test_the_last_results_of_the_stream_are_asked_and_counted_by_night(filters: Filters) -> None:
    filters.publish(range(60))
    settings = filters.settings()
    records = result_records(settings)
    vocabulary = Vocabulary(records)
    trial = Trial(vocabulary.expression('redshift.z > 0.4 && measurement.bpt == "star_forming"'), vocabulary)
    passed = [of["redshift"] for of in last_results(settings, records, 1000) if trial.passes(of)]
    wanted = expected(
        range(60), lambda of: of["redshifts"].z > 0.4 and of["measurements"].bpt == "star_forming"
    )
    assert sorted(one["spectrum_id"] for one in passed if one) == wanted and 3 < len(wanted) < 57
    assert (trial.read, trial.passed) == (60, len(wanted))
    assert len(trial.nights) == 10 and min(trial.nights) == "2025-11-21"
    assert len(list(last_results(settings, records, 20))) == 20


def test_filters_are_listed_with_what_is_wrong_with_them(offline: CommandLine) -> None:
    toml = offline.folder / "filters.toml"
    toml.write_text(
        "[filters.good]\nexpression = 'redshift.z > 1.0'\n[filters.bad]\nexpression = 'redshift.zed > 1.0'\n"
    )
    rows = {row["name"]: row for row in offline.json("filter", "list", "--config", str(toml), code=1)}
    assert rows["good"]["error"] == "" and rows["good"]["topic"] == "spectraq.filtered.good"
    assert rows["bad"]["error"].startswith(
        "filters.bad.expression: line 1, column 9: redshift has no field 'zed'"
    )


def test_a_filter_with_no_name_of_one_or_with_a_host_that_is_not_allowed_is_refused(
    offline: CommandLine,
) -> None:
    toml = offline.folder / "filters.toml"
    for text, said in (
        ("[filters.'Far/away']\nexpression = 'true'", "names no filter"),
        ("[filters.a]\nexpression = 'true'\nwebhook = 'http://169.254.169.254/'", "not among webhook_hosts"),
        ("[filters.a]\nexpression = 'true'\nwebhok = 'http://x/'", "webhok"),
    ):
        toml.write_text(text + "\n")
        assert said in offline("filter", "list", "--config", str(toml), code=1).stderr
