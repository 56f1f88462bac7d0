"""What passed filters, posted: each webhook has a thread and a group of its own; none waits for another.

A post that is not taken is tried again, ever slower, and left out at last; the offset is committed behind it,
so after a restart nothing is forgotten and the last messages may be posted again, under the same name.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque

import structlog
from kafka import TopicPartition

from spectraq.workers.errors import SettingsError, SpectraqError
from spectraq.workers.filters.metrics import FilterMetrics
from spectraq.workers.filters.source import FilterReader
from spectraq.workers.filters.webhook import PostError, Webhook, key_of
from spectraq.workers.operations.health import Health
from spectraq.workers.operations.watchdog import Watchdog, end_process
from spectraq.workers.settings import Settings
from spectraq.workers.transport.epoch import Epoch
from spectraq.workers.transport.messages import Record
from spectraq.workers.transport.stall_watch import StallWatch

IDLE_POLL_S, BUSY_POLL_S = 0.2, 0.0
COMMIT_S = 1.0
LONGEST_REST_S = 60.0

log = structlog.get_logger(__name__)


def post_all(settings: Settings, stop: threading.Event, metrics: FilterMetrics, health: Health) -> None:
    """Post what passes the filters that have a webhook, until told to stop.

    Raises
    ------
    SettingsError
        Where no filter has one, or a key can't be read.
    UnreachableError
        Where Kafka does not answer at the start.
    """
    named = {name: one for name, one in settings.filters.named.items() if one.webhook is not None}
    if not named:
        raise SettingsError("no filter has a webhook: write its address at [filters.NAME] webhook")
    watchdog = Watchdog().start()
    try:
        posts = [Posts(settings, name, watchdog, metrics) for name in named]
        threads = [threading.Thread(target=_work, args=(one, stop), name=one.name) for one in posts]
        for thread in threads:
            thread.start()
        health.trouble("worker", "")
        while not stop.wait(IDLE_POLL_S):
            health.turned()
            health.notice("webhooks", "; ".join(f"{one.name}: {one.trouble}" for one in posts if one.trouble))
        for thread in threads:
            thread.join()
    finally:
        watchdog.stop()


def _work(posts: Posts, stop: threading.Event) -> None:
    try:
        while not stop.is_set():
            posts.turn()
        posts.close()
    except Exception:
        log.exception("webhook_thread_failed", filter=posts.name)
        end_process(f"the thread of the webhook of {posts.name} failed")


class Posts:
    """The webhook of one filter, and the messages that wait for it.

    Parameters
    ----------
    settings
        The settings in force.
    name
        Of the filter.
    watchdog
        Watches calls to Kafka.
    metrics
        Counts posts.

    Attributes
    ----------
    trouble
        Why the last post was not taken; empty where it was.
    """

    def __init__(self, settings: Settings, name: str, watchdog: Watchdog, metrics: FilterMetrics) -> None:
        filters, one = settings.filters, settings.filters.named[name]
        self.name = name
        self.trouble = ""
        self._tries = filters.webhook_tries
        self._hook = Webhook(
            one.webhook or "",
            filters.webhook_networks,
            filters.webhook_timeout_s,
            key_of(one.webhook_key_file),
        )
        self._metrics = metrics
        self._epoch = Epoch()
        self._mine = -1
        self._waiting: deque[Record] = deque()
        self._done: dict[TopicPartition, int] = {}
        self._failed = 0
        self._next_try = 0.0
        self._committed_at = 0.0
        group = f"{filters.group_id}-webhook-{name}"
        self._reader = FilterReader(settings, [filters.topic_of(name)], self._epoch, watchdog, group)
        self._stalls = StallWatch(self._reader, settings.worker)

    def turn(self) -> None:
        """Read, post the next message where it is time, and commit."""
        if self._mine != self._epoch.value:
            self._begin_again()
        mine = self._mine == self._epoch.value
        self._reader.fetch_all_but(self._reader.assignment if self._waiting or not mine else ())
        is_due = bool(self._waiting) and time.monotonic() >= self._next_try
        records = self._reader.poll(BUSY_POLL_S if is_due else IDLE_POLL_S)
        if records:
            self._stalls.progress()
        self._stalls.look(in_hand=bool(self._waiting))
        if self._mine != self._epoch.value:
            return
        self._waiting.extend(record for record in records if record.damage is None)
        if self._waiting and time.monotonic() >= self._next_try:
            self._post(self._waiting[0])
        if self._done and (not self._waiting or time.monotonic() - self._committed_at > COMMIT_S):
            self._commit()

    def close(self) -> None:
        """Commit, and leave the group."""
        if self._mine == self._epoch.value and self._done:
            self._commit()
        self._reader.close()

    def _begin_again(self) -> None:
        self._waiting.clear()
        self._done.clear()
        self._failed, self._next_try = 0, 0.0
        epoch = self._epoch.value
        if self._reader.rewind() is not None:
            self._mine = epoch

    def _post(self, record: Record) -> None:
        try:
            self._hook.post(record.value, _name_of(record))
        except PostError as error:
            self._failed += 1
            self.trouble = str(error)
            self._metrics.post_failures.labels(self.name).inc()
            log.warning("post_failed", filter=self.name, error=str(error), tries=self._failed)
            if self._failed < self._tries:
                self._next_try = time.monotonic() + min(2.0 ** (self._failed - 1), LONGEST_REST_S)
                return
            self._metrics.given_up.labels(self.name).inc()
            log.error("post_left_out", filter=self.name, error=str(error), offset=record.offset)
        else:
            self.trouble = ""
            self._metrics.posted.labels(self.name).inc()
        self._failed, self._next_try = 0, 0.0
        self._waiting.popleft()
        self._done[TopicPartition(record.topic, record.partition)] = record.next_offset

    def _commit(self) -> None:
        self._committed_at = time.monotonic()
        try:
            if self._reader.offsets.commit(self._done):
                self._done.clear()
        except SpectraqError as error:
            log.warning("commit_failed", filter=self.name, error=str(error))
            self._epoch.move("commit failed")


def _name_of(record: Record) -> str:
    """Return the `filtered_id` of a message; its place where it has none."""
    try:
        return str(json.loads(record.value)["filtered_id"])
    except (ValueError, KeyError, TypeError):
        return f"{record.topic}-{record.partition}-{record.offset}"
