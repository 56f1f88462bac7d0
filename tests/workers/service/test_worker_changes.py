"""Spectra of one object in the stream: what changed is published, and what is remembered is on a topic."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import redis

from spectraq.models.pipeline import Pipeline
from spectraq.schemas import codec
from spectraq.schemas.change import Change
from spectraq.schemas.remembered import RememberedSpectrum
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.demonstration.simulated import repeats
from spectraq.workers.objects.rebuild import rebuild
from spectraq.workers.operations.metrics import Metrics
from spectraq.workers.transport.follower import Follower
from spectraq.workers.transport.messages import Record
from tests.support.feed import WAVELENGTH, Feed
from tests.support.plumbing import Plumbing

OBJECTS = 2


def spectrum(feed: Feed, name: str, number: int, **fields: Any) -> Spectrum:
    """A small spectrum of an object of this test."""
    flux = np.random.default_rng(number).normal(20.0, 1.0, WAVELENGTH.size).astype(np.float32)
    given = {"survey": "sdss", "target_id": feed.name, "ivar": np.ones_like(flux)} | fields
    return Spectrum(spectrum_id=name, flux=flux, wavelength=WAVELENGTH, **given)


def publish(feed: Feed, *spectra: Spectrum) -> None:
    """Put spectra into one partition, in this order."""
    feed.publish((b"key", codec.encode(one)) for one in spectra)


def topic_of_objects(feed: Feed) -> dict[bytes, Record]:
    """The last message of each key, as compaction leaves it."""
    settings = feed.settings()
    found = {}
    with Follower(settings, [settings.topics.objects], from_beginning=True) as follower:
        while not follower.drained():
            found |= {record.key or b"": record for record in follower.poll(0.5)}
    return {key: record for key, record in found.items() if not record.tombstone}


def outcomes(metrics: Metrics) -> dict[str, float]:
    """What became of the comparisons, as the metric says."""
    (family,) = (one for one in metrics.registry.collect() if one.name == "spectraq_changes")
    return {s.labels["outcome"]: s.value for s in family.samples if s.name.endswith("_total")}


def changes_of(feed: Feed) -> list[Change]:
    """The changes that a reader finds."""
    return [codec.decode(one.value, expect=Change) for one in feed.read("changes")]


def flush(feed: Feed) -> None:
    """Have Redis lose everything."""
    with redis.Redis.from_url(feed.redis_url) as client:
        client.flushall()


def test_of_real_networks_and_simulated_pairs_the_newer_has_its_change(feed: Feed) -> None:
    pipeline = Pipeline.load()
    pairs = list(repeats(OBJECTS, seed=6))
    truth = {one.spectrum_id: change for one, _, change in pairs}
    feed.publish(one for one, _, _ in pairs)
    metrics = Metrics()
    feed.work(pipeline, metrics, delivery="exactly_once", changes=True, batch_spectra=3)
    changes = changes_of(feed)
    assert {one.judgement for one in changes} == {"compared"}
    newer = {one.spectrum_id: one for one in changes}
    assert {one.earlier.spectrum_id[:-1] for one in changes} == {name[:-1] for name in newer}
    assert len(newer) == len(changes) == OBJECTS
    for one in changes:
        assert one.cutout is not None and one.reference
        assert 100 < one.cutout.newer.size == one.cutout.earlier_sigma.size <= 288
        assert np.isfinite(one.cutout.newer).mean() > 0.9
        assert one.changed == bool(one.kinds) == (one.priority > 0)
        if one.changed:
            assert truth[one.spectrum_id], one.message
    remembered = [codec.decode(one.value, expect=RememberedSpectrum) for one in feed.read("objects")]
    assert sorted(one.spectrum_id for one in remembered) == sorted(truth)
    results = {one.fields["result_id"] for one in feed.read("redshifts")}
    assert {one.redshift_id for one in remembered} == results
    assert {one.earlier.redshift_id for one in changes} < results
    # a spectrum that is published again is compared as it was, with the same bytes
    feed.publish(one for one, _, _ in pairs)
    feed.work(pipeline, metrics, delivery="exactly_once", changes=True, batch_spectra=3)
    again = Counter(one.bytes for one in feed.read("changes"))
    assert set(again.values()) == {2} and len(again) == OBJECTS


@pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
def test_redis_that_is_lost_and_rebuilt_gives_the_same_answers(feed: Feed, delivery: str) -> None:
    first, second, third = (spectrum(feed, f"s{i}", i, mjd=50000.0 + 1000 * i) for i in range(3))
    publish(feed, first, second)
    metrics = Metrics()
    feed.work(metrics=metrics, delivery=delivery, changes=True)
    assert outcomes(metrics)["first_seen"] == 1
    before = [one.bytes for one in feed.read("changes")]
    assert len(before) == 1
    flush(feed)
    assert rebuild(feed.settings()).spectra == 2
    publish(feed, first, second, third)
    feed.work(metrics=metrics, delivery=delivery, changes=True)
    after = [one.bytes for one in feed.read("changes")]
    assert after[:2] == before * 2
    assert [one.spectrum_id for one in changes_of(feed)] == ["s1", "s1", "s2"]


def test_without_its_memory_a_spectrum_is_the_first_and_the_topic_forgets_nothing(feed: Feed) -> None:
    spectra = [spectrum(feed, f"s{i}", i, mjd=50000.0 + i) for i in range(3)]
    metrics = Metrics()
    for one in spectra[:2]:
        publish(feed, one)
        feed.work(metrics=metrics, changes=True)
        flush(feed)
    assert outcomes(metrics) == {"first_seen": 2}
    rebuild(feed.settings())
    publish(feed, spectra[2])
    feed.work(metrics=metrics, changes=True)
    assert len(topic_of_objects(feed)) == 3
    assert [one.spectrum_id for one in changes_of(feed)] == ["s2"]


def test_a_redis_that_is_away_costs_no_result_and_what_came_meanwhile_is_remembered(feed: Feed) -> None:
    metrics = Metrics()
    feed.redis_options = {"url": "redis://127.0.0.1:1/0"}
    publish(feed, spectrum(feed, "a", 1, mjd=50000.0))
    balance = feed.work(metrics=metrics, changes=True)
    assert (balance.published, balance.balanced) == (1, True)
    assert outcomes(metrics) == {"not_compared": 1}
    feed.redis_options = {}
    assert rebuild(feed.settings()).spectra == 1
    publish(feed, spectrum(feed, "b", 2, mjd=51000.0))
    feed.work(metrics=metrics, changes=True)
    assert [one.earlier.spectrum_id for one in changes_of(feed)] == ["a"]


def test_spectra_are_found_by_position_whatever_their_names_and_none_with_itself(feed: Feed) -> None:
    arcsec = 1 / 3600
    at = {"ra": 359.9999, "dec": 89.0}
    publish(
        feed,
        spectrum(feed, "a", 1, **at, mjd=50000.0),
        spectrum(feed, "a", 1, **at, mjd=50000.0),
        spectrum(feed, "a-reduced-again", 4, **at, mjd=50000.0),
        spectrum(feed, "far", 3, survey="desi", target_id="x", ra=359.9999, dec=89.0 - 2 * arcsec),
        spectrum(feed, "apart", 5, ra=10.0, dec=89.0, mjd=53000.0),
        spectrum(feed, "b", 2, survey="desi", target_id=None, ra=0.01, dec=89.0 + arcsec, mjd=51000.0),
    )
    feed.work(changes=True)
    (change,) = changes_of(feed)
    assert change.spectrum_id == "b"
    assert change.earlier.spectrum_id in ("a", "a-reduced-again")
    assert change.earlier.separation == pytest.approx(1.19, abs=0.05)
    assert change.object == "J000.01000+89.00028"


def test_at_most_so_many_spectra_of_an_object_stay_and_the_others_are_deleted(feed: Feed) -> None:
    publish(feed, *(spectrum(feed, f"s{i}", i, mjd=50000.0 + i) for i in range(7)))
    feed.work(changes=True)
    assert len(changes_of(feed)) == 6
    assert len(topic_of_objects(feed)) == 3
    flush(feed)
    rebuild(feed.settings())
    with redis.Redis.from_url(feed.redis_url) as client:
        assert len(list(client.scan_iter("*object-pixels*"))) == 3


def test_what_a_stranger_calls_an_object_is_bounded_and_dead_letters_are_not_remembered(feed: Feed) -> None:
    names = ["x" * 100_000, "\u202e*[a]\n/..", "../../etc/passwd", "a/" + "b" * 24, " "]
    publish(
        feed,
        *(
            spectrum(feed, f"s{i}-{j}", 10 * i + j, target_id=name, mjd=50000.0 + j)
            for i, name in enumerate(names)
            for j in range(2)
        ),
    )
    broken = spectrum(feed, "broken", 99, target_id=f"{feed.name}-broken")
    flux = broken.flux.copy()
    flux[0] = Plumbing.FATAL_FLUX
    publish(feed, broken.model_copy(update={"flux": flux}))
    flush(feed)
    assert feed.work(changes=True).published == 10
    assert len(changes_of(feed)) == len(names) - 1
    with redis.Redis.from_url(feed.redis_url) as client:
        keys = list(client.scan_iter("spectraq:*object*"))
    assert max(map(len, keys)) < 100
    assert len([key for key in keys if b"pixels" in key]) == 2 * (len(names) - 1)
    assert max(map(len, topic_of_objects(feed))) < 250
