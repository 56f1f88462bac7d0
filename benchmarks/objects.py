"""What the memory of objects takes: bytes of Redis, time of a look-up, time of a rebuild.

    python benchmarks/objects.py [--objects 10000] [--pixels 4000]

Kafka and Redis are real. Objects lie at random over the sky, each with one remembered spectrum; they
are loaded as `spectraq objects load` loads them. Then a worker's look-ups are timed, in batches of 64: of
spectra of new objects, which are remembered on the way, and of known ones, by name and by position, with the
earlier spectrum's pixels. Then Redis is emptied and rebuilt from the topic.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import redis

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from spectraq.schemas.spectrum import Spectrum  # noqa: E402
from spectraq.workers.cache.guarded_redis import GuardedRedis  # noqa: E402
from spectraq.workers.cache.objects import ObjectMemory  # noqa: E402
from spectraq.workers.contract.convert import observation  # noqa: E402
from spectraq.workers.local.stack import LocalStack  # noqa: E402
from spectraq.workers.objects.load import load  # noqa: E402
from spectraq.workers.objects.rebuild import rebuild  # noqa: E402
from spectraq.workers.service.batcher import Readable  # noqa: E402
from spectraq.workers.service.change_stage import ChangeStage  # noqa: E402
from spectraq.workers.transport.messages import Record  # noqa: E402
from tests.support.feed import Feed  # noqa: E402
from tests.support.plumbing import Plumbing  # noqa: E402

BATCH = 64
BATCHES = 100
PATIENCE_S = 5.0
NOWHERE = Record("spectra", 0, 0, None, b"", (), 0)


def made(
    n: int, pixels: int, seed: int, first: int = 0, epoch: str = "a", unnamed: bool = False
) -> Iterator[Spectrum]:
    """Spectra of n objects; the same seed and number, the same place."""
    for number in range(first, first + n):
        rng = np.random.default_rng([seed, number])
        ra, z = rng.uniform(0, 360), rng.uniform(-1, 1)
        noise = np.random.default_rng([seed, number, ord(epoch)])
        yield Spectrum(
            spectrum_id=f"{number}-{epoch}",
            flux=noise.normal(10, 1, pixels).astype(np.float32),
            ivar=np.ones(pixels, np.float32),
            loglam0=3.58,
            dloglam=0.4 / pixels,
            survey="desi" if unnamed else "sdss",
            target_id=None if unnamed else f"object-{number}",
            ra=float(ra),
            dec=float(np.degrees(np.arcsin(z))),
            mjd=50000.0 if epoch == "a" else 51000.0,
        )


def looked_up(stage: ChangeStage, spectra: Iterator[Spectrum], n: int) -> tuple[np.ndarray, float, int]:
    """Seconds of each batch, core-ms of this process a spectrum, and how many have an earlier spectrum."""
    seconds, earlier, core = [], 0, 0.0
    for _ in range(n):
        batch = [next(spectra) for _ in range(BATCH)]
        for one in batch:
            _ = one.digest  # a worker has made it for the cache
        readable = [Readable(NOWHERE, one, observation(one, 10**6)) for one in batch]
        begin, used = time.perf_counter(), time.process_time()
        histories = stage.look_up(readable)
        seconds.append(time.perf_counter() - begin)
        core += time.process_time() - used
        earlier += sum(history.before is not None for history in histories)
    return np.array(seconds), 1000 * core / (n * BATCH), earlier


def timed(what: Callable[[], object]) -> float:
    """Seconds that it takes."""
    begin = time.perf_counter()
    what()
    return time.perf_counter() - begin


def main() -> None:
    """Measure, and print a line each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--objects", type=int, default=10_000)
    parser.add_argument("--pixels", type=int, default=4000)
    options = parser.parse_args()
    with LocalStack(ROOT / "build" / "stack") as stack, redis.Redis.from_url(stack.redis_url) as client:
        client.config_set("maxmemory", 0)
        feed = Feed(stack.bootstrap_servers, stack.redis_url)
        feed.redis_options = {"timeout_s": PATIENCE_S}
        settings = feed.settings(changes=True)
        before = client.info("memory")["used_memory"]
        seconds = timed(lambda: load(settings, made(options.objects, options.pixels, 1)))
        used = client.info("memory")["used_memory"] - before
        print(f"{options.objects} objects of {options.pixels} pixels: loaded in {seconds:.0f} s")
        print(f"  Redis: {used / 2**20:.0f} MiB, {used / options.objects:.0f} bytes a spectrum")
        guarded = GuardedRedis(settings.redis)
        stage = ChangeStage(settings, ObjectMemory(guarded, settings.objects.radius_arcsec), Plumbing(), {})
        n = min(BATCHES, options.objects // BATCH)
        for what, spectra in (
            ("new objects", made(n * BATCH, options.pixels, 2, first=10**9)),
            ("known by name", made(n * BATCH, options.pixels, 1, epoch="b")),
            ("known by position", made(n * BATCH, options.pixels, 1, epoch="c", unnamed=True)),
        ):
            times, core_ms, earlier = looked_up(stage, spectra, n)
            p50, p99 = 1000 * np.percentile(times, [50, 99])
            print(
                f"  {what}: {earlier} of {n * BATCH} with an earlier spectrum; a batch of {BATCH} "
                f"p50 {p50:.1f} ms, p99 {p99:.1f} ms; {core_ms:.3f} core-ms a spectrum"
            )
        client.flushall()
        done: list[object] = []
        seconds = timed(lambda: done.append(rebuild(settings)))
        print(f"  rebuilt in {seconds:.1f} s: {done[0]}")
        guarded.close()


if __name__ == "__main__":
    main()
