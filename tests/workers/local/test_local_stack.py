"""Real Kafka and real Redis as children: they start, they answer, and nothing outlives its parent."""

from __future__ import annotations

import platform
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import redis

from spectraq.workers.cache.server_version import Server, ask
from spectraq.workers.errors import StackError
from spectraq.workers.local.child import Child
from spectraq.workers.local.ports import free_port, wait_for
from spectraq.workers.local.redis import PROGRAMS, Redis, server
from spectraq.workers.local.stack import LocalStack, claim
from spectraq.workers.settings import load_settings
from spectraq.workers.transport.topics import list_topics

SPECTRAQ = Path(sys.executable).parent / "spectraq"


def up(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SPECTRAQ, "up", *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def test_nobody_takes_a_folder_for_stale_that_another_has_just_made(tmp_path: Path) -> None:
    lost = []

    def start_stacks() -> None:
        for number in range(20):
            folder = tmp_path / f"{threading.get_ident()}-{number}"
            lock = claim(folder, tmp_path)
            if lock is None or not (folder / ".lock").exists():
                lost.append(folder)
            else:
                lock.close()  # what it leaves is another's to remove

    threads = [threading.Thread(target=start_stacks) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost == []


def wait_until(condition: object, timeout_s: float = 10.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


def test_both_servers_answer_and_the_topics_are_there(stack: LocalStack) -> None:
    kafka, cache = {"bootstrap_servers": stack.bootstrap_servers}, {"url": stack.redis_url}
    settings = load_settings(kafka=kafka, redis=cache)
    topics = {topic.name for topic in list_topics(settings)}
    assert {"spectraq.spectra", "spectraq.classifications", "spectraq.dead-letters"} <= topics
    client = redis.Redis.from_url(stack.redis_url)
    assert client.ping()
    assert client.config_get("save")["save"] == ""
    client.close()


def test_a_second_stack_takes_other_ports(stack: LocalStack) -> None:
    done = up("--", "sh", "-c", "echo $SPECTRAQ_KAFKA__BOOTSTRAP_SERVERS")
    assert done.returncode == 0, done.stderr
    other = done.stdout.strip()
    assert other.startswith("127.0.0.1:") and other != stack.bootstrap_servers


@pytest.mark.parametrize(
    ("command", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 128 + signal.SIGKILL)]
)
def test_up_returns_the_exit_code_of_its_command(command: str, code: int) -> None:
    assert up("--", "sh", "-c", command).returncode == code


def test_up_says_when_there_is_no_such_command() -> None:
    done = up("--", "no-such-command")
    assert done.returncode == 127
    assert "no-such-command: no such command" in done.stderr


def test_nothing_is_left_when_up_is_killed() -> None:
    process = subprocess.Popen([SPECTRAQ, "up"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("export SPECTRAQ_")
    children = psutil.Process(process.pid).children(recursive=True)
    assert {"java", server().name} <= {child.name() for child in children}
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert wait_until(lambda: not any(child.is_running() for child in children))


def test_up_stops_both_servers_on_sigterm() -> None:
    process = subprocess.Popen([SPECTRAQ, "up"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    children = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    assert process.wait(30) == 0
    process.stdout.close()
    assert not any(child.is_running() for child in children)


def test_a_child_is_refused_outside_the_main_thread(tmp_path: Path) -> None:
    errors: list[StackError] = []

    def start() -> None:
        try:
            Child("sleep", ["sleep", "60"], tmp_path)
        except StackError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert len(errors) == 1 and "main thread" in str(errors[0])


def test_a_child_that_ends_at_once_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    child = Child("server", ["sh", "-c", "echo cannot bind; exit 7"], tmp_path)
    with pytest.raises(StackError, match="server ended with exit code 7:\ncannot bind"):
        wait_for(child, free_port(), 10)


def test_a_port_in_use_is_not_given_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port


def test_no_server_starts_where_somebody_else_listens(tmp_path: Path) -> None:
    server = Redis(tmp_path)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", server.port))
        taken.listen()
        with pytest.raises(StackError, match="which Redis had, was taken by another program"):
            server.start()


def test_the_server_of_the_cache_is_one_that_its_authors_mend(stack: LocalStack) -> None:
    with redis.Redis.from_url(stack.redis_url) as client:
        asked = ask(client)
    assert asked.mended, str(asked)
    assert (asked.name, asked.version.split(".")[0]) == ("valkey", "8") or platform.machine() != "x86_64"


@pytest.mark.parametrize("name", PROGRAMS)
def test_without_a_wheel_the_machine_s_own_server_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).symlink_to(server())
    monkeypatch.setattr("spectraq.workers.local.redis.WHEELS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert server() == tmp_path / name
    cache = Redis(tmp_path)
    cache.start()
    with redis.Redis.from_url(cache.url) as client:
        assert client.ping()
    cache.stop()
    (tmp_path / name).unlink()
    with pytest.raises(StackError, match="pip install 'spectraq"):
        server()


def test_a_server_that_nobody_mends_is_warned_of() -> None:
    assert str(Server("redis", "6.2.14")) == (
        "Redis 6.2.14 (warning: its authors mend nothing before 7.2; take a newer one)"
    )
    for good in (Server("valkey", "8.1.8"), Server("redis", "10.0.0"), Server("another", "0.1")):
        assert good.mended and "warning" not in str(good)


def test_kept_topics_are_there_the_next_time(tmp_path: Path) -> None:
    cache = load_settings().local.data
    for folder in cache.glob("kafka-*"):
        (tmp_path / folder.name).symlink_to(folder)  # the jars need not be fetched again
    with LocalStack(tmp_path, keep=True) as stack:
        first = (stack.folder / "topics" / "meta.properties").read_text()
        with pytest.raises(StackError, match="in use by another"), LocalStack(tmp_path, keep=True):
            pass
    with LocalStack(tmp_path, keep=True) as stack:
        assert (stack.folder / "topics" / "meta.properties").read_text() == first


def test_the_folder_of_a_run_is_removed_at_its_end() -> None:
    data = load_settings().local.data
    with LocalStack(data) as stack:
        folder = stack.folder
        assert folder.is_dir()
    assert not folder.exists()


def test_there_is_one_broker_or_three() -> None:
    done = up("--brokers", "2")
    assert done.returncode == 2
    assert "1 or 3" in done.stderr
