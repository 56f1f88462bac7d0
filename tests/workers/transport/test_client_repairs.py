"""Private parts of kafka-python that are mended: they are there, broken, and touched in one file alone."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import time
from collections import deque
from contextlib import closing
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import kafka
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.coordinator.base import BaseCoordinator
from kafka.errors import FencedInstanceIdError, KafkaConnectionError, KafkaTimeoutError
from kafka.net.compat import KafkaNetClient
from kafka.producer.sender import Sender
from kafka.record.memory_records import MemoryRecords
from kafka.structs import MemberState

from spectraq.workers.transport import client_repairs
from tests.support.feed import Feed

ROOT = Path(__file__).parents[3]
REPAIRS = ROOT / "workers" / "transport" / "client_repairs.py"
NAMEDTUPLES = {"_asdict", "_fields", "_make", "_replace"}
TOPIC = TopicPartition("topic", 0)


def private_names(source: str) -> set[str]:
    """The private names that source text reads from an object, or defines in a class."""
    return set(re.findall(r"(?:\.|def )(_[a-z]\w*)", source))


def names_read_from_others(tree: ast.Module) -> set[str]:
    """The private names that a module reads from anything but its own objects."""
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
        and not ast.unparse(node.value).startswith("super()")
    } - NAMEDTUPLES


def names_shared_with_parents(module: ModuleType) -> set[str]:
    """The private names that classes of a module have in common with classes of the client they extend."""
    shared: set[str] = set()
    for kind in vars(module).values():
        if inspect.isclass(kind) and kind.__module__ == module.__name__:
            parents = [parent for parent in kind.__mro__ if parent.__module__.startswith("kafka.")]
            theirs = {name for parent in parents for name in private_names(inspect.getsource(parent))}
            shared |= private_names(inspect.getsource(kind)) & theirs
    return shared


def touched(path: Path, of_the_client: set[str]) -> set[str]:
    """The private names of the client that a module of the workers touches."""
    module = importlib.import_module(".".join(("spectraq", *path.relative_to(ROOT).with_suffix("").parts)))
    others = names_read_from_others(ast.parse(path.read_text())) & of_the_client
    return others | names_shared_with_parents(module)


def test_no_other_module_touches_private_parts_of_the_client() -> None:
    folder = Path(kafka.__file__).parent
    of_the_client = {name for path in folder.rglob("*.py") for name in private_names(path.read_text())}
    assert {"_fetcher", "_append"} <= touched(REPAIRS, of_the_client)
    modules = [path for path in (ROOT / "workers").rglob("*.py") if "kafka" in path.read_text()]
    found = {path.name: names for path in modules if (names := touched(path, of_the_client))}
    assert set(found) == {REPAIRS.name}, found


def test_the_client_is_pinned_below_the_next_minor_version() -> None:
    (minor,) = re.findall(r'"kafka-python>=3\.0\.\d+,<(\d+\.\d+)"', (ROOT / "pyproject.toml").read_text())
    assert minor == "3.1"
    assert kafka.__version__.startswith("3.0.")


def test_every_private_part_is_there(feed: Feed) -> None:
    servers = {"bootstrap_servers": feed.bootstrap_servers}
    with closing(KafkaConsumer(group_id=feed.name, enable_auto_commit=False, **servers)) as client:
        assert not client_repairs.is_joining(client)
        assert not client_repairs.heartbeats_have_stopped(client)
        assert not client_repairs.knows_topic(client, feed.settings().topics.spectra)
        client.partitions_for_topic(feed.settings().topics.spectra)
        assert client_repairs.knows_topic(client, feed.settings().topics.spectra)
        client_repairs.let_go_of_used_up_records(client)
        fetcher = client_repairs.install_fetcher(client, client_repairs.OpenFetcher)
        client.assign([TOPIC])
        client.seek(TOPIC, 3)
        fetcher.put_aside(TOPIC)
        assert client.paused() == {TOPIC}
        fetcher.take_up(TOPIC)
        fetcher.forget_aside(TOPIC)
        assert (client.paused(), fetcher.position(TOPIC)) == (set(), 3)
    with closing(KafkaProducer(transactional_id=feed.name, **servers)) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        client_repairs.begin_partitions(producer, [TopicPartition(feed.settings().topics.models, 0)])
        client_repairs.wait_for_partitions(producer, 10)
        client_repairs.wait_for_step(producer, client_repairs.begin_abort(producer), "aborting", 10)


def test_a_finished_join_that_is_needed_no_longer_is_forgotten_and_collected_by_the_repair(
    feed: Feed,
) -> None:
    topic = feed.settings().topics.spectra
    options = {"bootstrap_servers": feed.bootstrap_servers, "enable_auto_commit": False}
    options["heartbeat_interval_ms"] = 15_000  # one that is answered meanwhile settles the state, too
    with closing(KafkaConsumer(topic, group_id=feed.name, **options)) as client:
        wait_for_membership(client)
        coordinator = client._coordinator
        coordinator.state = MemberState.REBALANCING
        coordinator._join_task = SimpleNamespace(is_done=True)
        for _ in range(3):
            client.poll(timeout_ms=200)
        assert coordinator.state == MemberState.REBALANCING, "mended upstream"
        client_repairs.collect_finished_join(client)
        wait_for_membership(client)


def wait_for_membership(client: KafkaConsumer) -> None:
    deadline = time.monotonic() + 30
    while client.group_metadata().state != MemberState.STABLE or client_repairs.is_joining(client):
        assert time.monotonic() < deadline
        client.poll(timeout_ms=200)


def test_there_is_no_public_way_to_ask_for_a_rebalance() -> None:
    assert not hasattr(KafkaConsumer, "enforce_rebalance"), "mended upstream"


def test_a_heartbeat_that_is_fenced_is_kept_quiet() -> None:
    async def fenced() -> None:
        raise FencedInstanceIdError

    quiet: list[bool] = []
    coordinator = SimpleNamespace(
        group_id="group",
        group_instance_id="slot",
        _generation=None,
        heartbeat=SimpleNamespace(sent_heartbeat=lambda: None),
        _send_heartbeat_request=fenced,
        _disable_heartbeat=lambda: quiet.append(True),
    )
    with pytest.raises(StopIteration):  # it returns, and raises nothing
        BaseCoordinator._do_heartbeat(coordinator).send(None)
    assert quiet == [True], "mended upstream"


def test_asking_for_partitions_takes_no_timeout() -> None:
    assert "timeout_ms" not in inspect.signature(KafkaConsumer.partitions_for_topic).parameters


class Waiting(Fetcher):
    """A fetcher with used-up records in its slot, and others of a partition that was resumed."""

    def __init__(self) -> None:
        used_up = Fetcher.PartitionRecords(0, TOPIC, MemoryRecords(b""), on_drain=lambda _: None)
        used_up.drain()
        waiting = Fetcher.PartitionRecords(0, TOPIC, MemoryRecords(b""), on_drain=lambda _: None)
        self._next_partition_records = used_up
        self._paused_partition_records = {TOPIC: waiting}
        self._completed_fetches: deque[object] = deque()
        self._paused_completed_fetches: dict[TopicPartition, object] = {}
        self._next_in_line_exception_metadata = None
        self._subscriptions = SimpleNamespace(is_paused=lambda _: False)
        self.appended = 0

    def _append(self, drained: object, part: object, max_records: int, update_offsets: bool) -> int:
        self.appended += 1
        return max_records


def test_used_up_records_keep_those_of_a_resumed_partition_waiting_until_they_are_let_go_of() -> None:
    fetcher = Waiting()
    for _ in range(3):
        fetcher.fetched_records(1)
    assert fetcher.appended == 0, "mended upstream"
    client_repairs.let_go_of_used_up_records(SimpleNamespace(_fetcher=fetcher))
    fetcher.fetched_records(1)
    assert fetcher.appended == 1


def test_the_client_has_no_option_for_its_fetcher() -> None:
    assert not [name for name in KafkaConsumer.DEFAULT_CONFIG if "fetcher" in name or "max_batch" in name]


def test_the_steps_of_a_transaction_take_no_timeout() -> None:
    for step in ("commit_transaction", "abort_transaction", "send_offsets_to_transaction"):
        assert not [
            name for name in inspect.signature(getattr(KafkaProducer, step)).parameters if "time" in name
        ]


def refusing_sender(retried: list[object]) -> SimpleNamespace:
    """What a producer's sender works with where its coordinator refuses the connection."""

    def refuse(*_: object, **__: object) -> None:
        raise KafkaConnectionError("refused")

    step = SimpleNamespace(needs_coordinator=lambda: True, coordinator_type="txn", request="EndTxn")
    return SimpleNamespace(
        _running=True,
        _force_close=False,
        config={"request_timeout_ms": 1000},
        _accumulator=SimpleNamespace(has_incomplete=False),
        _client=SimpleNamespace(await_ready=refuse),
        _transaction_manager=SimpleNamespace(
            is_completing=lambda: False,
            next_request_handler=lambda _: step,
            coordinator=lambda _: 0,
            lookup_coordinator_for_request=lambda _: None,
            retry=retried.append,
        ),
    )


def test_a_step_whose_connection_is_refused_is_forgotten_and_kept_by_the_repair() -> None:
    retried: list[object] = []
    sender = refusing_sender(retried)
    assert Sender._maybe_send_pending_request(sender)
    assert retried == [], "mended upstream"
    client_repairs.keep_steps(SimpleNamespace(_sender=sender))
    assert Sender._maybe_send_pending_request(sender)
    assert len(retried) == 1


def test_a_coordinator_that_says_nothing_is_waited_for_half_a_second() -> None:
    waited_ms: list[float] = []

    def silent(_: object, timeout_ms: float) -> bool:
        waited_ms.append(timeout_ms)
        return False

    sender = refusing_sender([])
    sender._client.await_ready = silent
    client_repairs.keep_steps(SimpleNamespace(_sender=sender))
    Sender._maybe_send_pending_request(sender)
    assert waited_ms == [client_repairs.COORDINATOR_MS]


def test_a_client_that_failed_to_connect_leaves_its_thread_running_until_it_is_stopped() -> None:
    made: list[KafkaNetClient] = []

    def network(**config: Any) -> KafkaNetClient:
        made.append(KafkaNetClient(**config))
        return made[-1]

    with pytest.raises(KafkaTimeoutError):
        KafkaAdminClient(bootstrap_servers="127.0.0.1:1", bootstrap_timeout_ms=200, kafka_client=network)
    (left,) = made
    thread = left._manager._net._io_thread
    assert thread.is_alive(), "mended upstream"
    left.close()
    client_repairs.stop_network(left)
    assert not thread.is_alive()


class Unsent(KafkaProducer):
    """A producer that can't get rid of what it holds."""

    def __init__(self) -> None:
        self.forced = False
        self.config: dict[str, object] = {}
        self._closed = False
        self._sender = SimpleNamespace(force_close=self.force)

    def force(self) -> None:
        self.forced = True

    def flush(self, timeout: float | None = None) -> None:
        raise KafkaTimeoutError

    def _unregister_cleanup(self) -> None:
        pass

    def __del__(self) -> None:
        pass


def test_a_producer_with_something_unsent_is_not_closed_until_that_is_forced() -> None:
    producer = Unsent()
    with pytest.raises(KafkaTimeoutError):
        producer.close(timeout=0)
    assert not producer.forced, "mended upstream"
    client_repairs.force_close(producer)
    assert producer.forced
    assert producer._closed
