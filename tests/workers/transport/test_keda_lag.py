"""The lag that KEDA computes, by its own rules on real offsets, and how many workers it wants.

KEDA 2.x, pkg/scalers/kafka_scaler.go: `getLagForPartition` and `getTotalLag`, with what the chart sets:
offsetResetPolicy earliest, allowIdleConsumers false, excludePersistentLag false, activationLagThreshold 0.
"""

import math
import time

import pytest
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from spectraq.schemas import codec
from tests.support.feed import Feed, numbered

PARTITIONS, LAG_A_WORKER = 4, 10
NOTHING_COMMITTED = -1001
STARTING = {KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE}


def keda_lag(feed: Feed) -> int:
    """The whole lag, at most as much as all partitions can give work to."""
    servers, topic = {"bootstrap.servers": feed.bootstrap_servers}, feed.settings().topics.spectra
    partitions = [TopicPartition(topic, n) for n in range(PARTITIONS)]
    asked = ConsumerGroupTopicPartitions(feed.name, partitions)
    administrator = AdminClient(servers)
    while True:
        (answer,) = administrator.list_consumer_group_offsets([asked]).values()
        try:
            committed = {p.partition: p.offset for p in answer.result(timeout=10).topic_partitions}
            break
        except KafkaException as error:  # KEDA asks again at its next interval, too
            if error.args[0].code() not in STARTING:
                raise
            time.sleep(0.2)
    ends = Consumer({**servers, "group.id": "keda"})
    total = 0
    for partition in partitions:
        _, latest = ends.get_watermark_offsets(partition, timeout=10)
        offset = committed[partition.partition]
        total += latest if offset == NOTHING_COMMITTED else latest - offset
    ends.close()
    return min(total, PARTITIONS * LAG_A_WORKER)


def workers_wanted(lag: int) -> int:
    """What the autoscaler makes of it: none below the threshold that wakes the first one."""
    return math.ceil(lag / LAG_A_WORKER) if lag > 0 else 0


def in_a_transaction(feed: Feed, numbers: range, commit: bool) -> None:
    producer = Producer(
        {"bootstrap.servers": feed.bootstrap_servers, "transactional.id": f"{feed.name}-telescope"}
    )
    producer.init_transactions()
    producer.begin_transaction()
    for number in numbers:
        producer.produce(feed.settings().topics.spectra, codec.encode(numbered(number)), str(number).encode())
    producer.flush()
    if commit:
        producer.commit_transaction()
    else:
        producer.abort_transaction()


def test_what_was_never_written_to_wants_no_worker(feed: Feed) -> None:
    assert keda_lag(feed) == 0
    assert workers_wanted(keda_lag(feed)) == 0


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_workers_come_with_the_lag_and_all_go_when_it_is_drained(feed: Feed, delivery: str) -> None:
    feed.publish(map(numbered, range(25)))
    assert keda_lag(feed) == 25
    assert workers_wanted(keda_lag(feed)) == 3
    feed.work(delivery=delivery)
    assert workers_wanted(keda_lag(feed)) == 0


def test_markers_of_transactions_and_empty_partitions_keep_no_worker(feed: Feed) -> None:
    in_a_transaction(feed, range(3), commit=True)  # at least one of the partitions stays empty
    in_a_transaction(feed, range(3, 6), commit=False)
    assert keda_lag(feed) > 6  # markers and what was taken back count until somebody has passed them
    balance = feed.work()
    assert balance.published == 3
    assert keda_lag(feed) == 0


def test_more_lag_than_partitions_can_share_wants_no_worker_that_would_have_none(feed: Feed) -> None:
    feed.publish(map(numbered, range(200)))
    assert workers_wanted(keda_lag(feed)) == PARTITIONS
