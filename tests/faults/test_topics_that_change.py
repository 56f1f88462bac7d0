"""Topics that lose their records, or go away, under a working worker."""

from __future__ import annotations

from pathlib import Path

import pytest
from kafka import TopicPartition
from kafka.admin import NewTopic

from spectraq.workers.transport.connection import administrator
from spectraq.workers.transport.topics import ensure_topics
from tests.support.accounts import account
from tests.support.feed import Feed, numbered
from tests.support.night import Night
from tests.support.worker_log import events, metric, wait_for

SPECTRA, MORE = 400, 100
SLOWLY = ("--seconds", "0.02")
"""On a busy machine, too, what happens in the middle of the stream happens before its end."""


def test_what_retention_took_away_is_counted_and_the_rest_is_answered(feed: Feed, tmp_path: Path) -> None:
    with Night(feed, tmp_path, workers=1, delivery="exactly_once", arguments=SLOWLY) as night:
        feed.publish(numbered(i) for i in range(SPECTRA))
        wait_for("the middle of the stream", lambda: feed.count("redshifts") > 50)
        night.kill()
        topic = feed.settings().topics.spectra
        with administrator(feed.settings().kafka) as client:
            numbers = [p["partition_index"] for p in client.describe_topics([topic])[0]["partitions"]]
            ends = ends_of(feed, topic, numbers)
            client.delete_records({TopicPartition(topic, n): end - 10 for n, end in ends.items()})
        wait_for("what is left", lambda: not behind(feed))
        answered = len({m.fields["spectrum_id"] for m in feed.read("redshifts")})
        lost = metric(night.log(0), "spectraq_records_overtaken_total")
        said = [e for e in events(night.log(0)) if e["event"] == "retention_overtook_the_worker"]
    assert lost > 0
    assert answered + lost == SPECTRA
    assert sum(e["lost"] for e in said) == lost


def test_a_topic_of_results_that_is_deleted_stops_the_stream_until_it_is_back(
    feed: Feed, tmp_path: Path
) -> None:
    with Night(feed, tmp_path, workers=1, delivery="exactly_once", arguments=SLOWLY) as night:
        night.feed_at(300, SPECTRA)
        wait_for("the middle of the stream", lambda: feed.count("redshifts") > 50)
        settings = feed.settings()
        with administrator(settings.kafka) as client:
            client.delete_topics([settings.topics.anomalies])
            # However slow the deletion was: something is left to be answered without the topic.
            feed.publish(numbered(i) for i in range(SPECTRA, SPECTRA + MORE))
            wait_for("trouble", lambda: metric(night.log(0), "spectraq_publish_failures_total") > 0)
            client.create_topics([NewTopic(settings.topics.anomalies, 4, 1)])
        wait_for("all redshifts", lambda: feed.count("redshifts") == SPECTRA + MORE, 120)
        wait_for("nothing behind", lambda: not behind(feed))
        assert {m.fields["spectrum_id"] for m in feed.read("classifications")} == {
            f"spectrum-{i}" for i in range(SPECTRA + MORE)
        }


@pytest.mark.parametrize("again", [150, 600], ids=["shorter", "longer"])
def test_a_topic_of_spectra_that_is_deleted_and_made_again_is_read_from_its_beginning(
    feed: Feed, again: int, tmp_path: Path
) -> None:
    with Night(feed, tmp_path, workers=1, delivery="exactly_once") as night:
        feed.publish(numbered(i) for i in range(SPECTRA))
        wait_for("the first night", lambda: feed.count("redshifts") == SPECTRA and not behind(feed))
        settings = feed.settings()
        with administrator(settings.kafka) as client:
            client.delete_topics([settings.topics.spectra])
            wait_for("its end", lambda: settings.topics.spectra not in client.list_topics())
        ensure_topics(settings)
        feed.publish(numbered(i) for i in range(SPECTRA, SPECTRA + again))
        wait_for("the second night", lambda: len(feed.read("redshifts")) >= SPECTRA + again, 90)
        assert night.restarts() == 0
    account(feed, SPECTRA + again, "exactly_once")


def test_a_worker_waits_for_a_topic_that_is_missing_and_says_so(feed: Feed, tmp_path: Path) -> None:
    feed.topics["spectra"] = f"{feed.name}.later"
    log = tmp_path / "log"
    worker = feed.worker(log=log)
    try:
        wait_for("the complaint", lambda: any(e["event"] == "topic_unseen" for e in events(log)))
        ensure_topics(feed.settings())
        feed.publish(numbered(i) for i in range(50))
        wait_for("the answers", lambda: feed.count("redshifts") == 50)
    finally:
        worker.terminate()
        worker.communicate()


def ends_of(feed: Feed, topic: str, numbers: list[int]) -> dict[int, int]:
    """Where each partition ends."""
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(bootstrap_servers=feed.bootstrap_servers)
    ends = consumer.end_offsets([TopicPartition(topic, n) for n in numbers])
    consumer.close()
    return {partition.partition: end for partition, end in ends.items()}


def behind(feed: Feed) -> int:
    """Records that the group has not committed."""
    from spectraq.workers.transport.lag import group_lag

    return group_lag(feed.settings()).lag
