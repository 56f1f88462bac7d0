"""The small parts of the worker, each on its own."""

import io
import json
import logging
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest
import structlog

from spectraq.workers.errors import SettingsError
from spectraq.workers.operations import log
from spectraq.workers.operations.health import Health, HealthServer
from spectraq.workers.operations.metrics import Metrics
from spectraq.workers.operations.watchdog import Watchdog
from spectraq.workers.service.ledger import Ledger
from spectraq.workers.service.stage_thread import Stage
from spectraq.workers.settings import LogSettings, WorkerSettings


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


# -- the ledger --------------------------------------------------------------------------------------------


def test_the_ledger_balances_when_every_record_is_published_or_dead_lettered() -> None:
    ledger = Ledger()
    ledger.read(10)
    ledger.published(7, cached=3, duplicate=1, reasons={"undecodable": 2})
    assert (ledger.balance().in_hand, ledger.balance().balanced) == (1, False)
    ledger.published(0, 0, 0, {"too_large": 1})
    balance = ledger.balance()
    assert balance.balanced
    assert str(balance) == "read 10 = published 7 + dead-lettered 3 (cached 3, duplicate 1, given back 0)"
    assert balance.as_dict()["reasons"] == {"too_large": 1, "undecodable": 2}


def test_records_that_are_given_back_are_not_counted_as_read() -> None:
    ledger = Ledger()
    ledger.read(10)
    ledger.give_back(4)
    ledger.published(6, 0, 0, {})
    assert (ledger.balance().read, ledger.balance().given_back, ledger.balance().balanced) == (6, 4, True)


# -- the watchdog ------------------------------------------------------------------------------------------


def test_a_call_that_does_not_return_in_time_is_named_and_one_that_does_is_not() -> None:
    overdue = threading.Event()
    reasons = []

    def note(reason: str) -> None:
        reasons.append(reason)
        overdue.set()

    watchdog = Watchdog(note).start()
    with watchdog.deadline(5, "a quick call"):
        pass
    with watchdog.deadline(0.1, "committing the transaction"):
        assert overdue.wait(5)
    watchdog.stop()
    assert reasons[0] == "no return from: committing the transaction"


# -- the stages --------------------------------------------------------------------------------------------


def test_a_stage_has_room_for_one_piece_ahead_and_works_in_order() -> None:
    done: list[int] = []
    gate = threading.Event()

    def do(piece: int) -> None:
        gate.wait(5)
        done.append(piece)

    stage: Stage[int] = Stage("test", do)
    stage.put(1)
    while not stage.has_room:
        time.sleep(0.01)
    stage.put(2)
    assert not stage.has_room
    gate.set()
    stage.put(3)
    while len(done) < 3:
        time.sleep(0.01)
    stage.stop(5)
    assert done == [1, 2, 3]


def test_what_a_stage_raises_is_kept_and_nobody_waits_for_it_any_more() -> None:
    def do(piece: int) -> None:
        raise RuntimeError("broken")

    stage: Stage[int] = Stage("test", do)
    for piece in range(5):
        stage.put(piece)
    assert str(stage.failure) == "broken"


# -- health ------------------------------------------------------------------------------------------------


def test_readyz_names_every_trouble_and_livez_only_a_loop_that_stands_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    health = Health(Metrics())
    server = HealthServer(health, WorkerSettings()).start()
    try:
        assert get(server.url + "/readyz") == (503, "worker: starting\n")
        health.trouble("worker", "")
        health.trouble("consumer", "joining the group")
        assert get(server.url + "/readyz") == (503, "consumer: joining the group\n")
        health.trouble("consumer", "")
        assert get(server.url + "/readyz")[0] == 200
        assert get(server.url + "/livez")[0] == 200
        monkeypatch.setattr("spectraq.workers.operations.health.ALIVE_S", 0.0)
        assert get(server.url + "/livez")[0] == 503
        assert get(server.url + "/elsewhere")[0] == 404
    finally:
        server.stop()


def test_metrics_are_in_prometheus_form_with_a_help_text_each() -> None:
    health = Health(Metrics())
    health.metrics.dead_letters.labels("undecodable").inc()
    server = HealthServer(health, WorkerSettings()).start()
    try:
        status, text = get(server.url + "/metrics")
    finally:
        server.stop()
    assert status == 200
    assert 'spectraq_dead_letters_total{reason="undecodable"} 1.0' in text
    names = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    helped = {
        line.split()[2] for line in text.splitlines() if line.startswith("# HELP") and len(line.split()) > 3
    }
    assert names == helped
    assert all(name.startswith("spectraq_") for name in names)


def test_a_health_port_that_is_taken_is_one_line() -> None:
    server = HealthServer(Health(Metrics()), WorkerSettings())
    port = int(server.url.rsplit(":", 1)[1])
    try:
        with pytest.raises(SettingsError, match=r"health_port.*can't be listened on"):
            HealthServer(Health(Metrics()), WorkerSettings(health_port=port))
    finally:
        server._server.server_close()


# -- logs --------------------------------------------------------------------------------------------------


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch):
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    log.configure(LogSettings(format="json"), slot="worker-3")
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_every_log_line_is_json_with_the_slot_whichever_thread_wrote_it(logged: io.StringIO) -> None:
    def write() -> None:
        structlog.get_logger("test").warning("dead_letter", partition=2)

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    logging.getLogger("foreign").error("from a library")
    logging.getLogger("kafka.net").error("one of thousands while a broker is away")
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["dead_letter", "from a library"]
    assert {line["slot"] for line in lines} == {"worker-3"}
    assert lines[0]["partition"] == 2
