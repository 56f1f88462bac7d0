"""`spectraq demo`: real Kafka, real Redis and a real worker, on simulated spectra or on yours."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spectraq.workers.cli.terminal import print_error, stderr, stdout

if TYPE_CHECKING:
    from spectraq.models.simulate import Simulated
    from spectraq.schemas.spectrum import Spectrum
    from spectraq.workers.demonstration.feed import Feed, Message
    from spectraq.workers.demonstration.tally import Tally
    from spectraq.workers.local.child import Child
    from spectraq.workers.local.stack import LocalStack
    from spectraq.workers.settings import Settings

SPECTRA = 400
RATE = 50.0
POLL_S = 0.2
SILENCE_S = 90.0
"""No news for this long means that the worker hangs; starting it takes ten seconds of a busy machine."""
DRAIN_S = 20.0
WEB_PORT = 8765


def demo(
    files: Annotated[
        list[str] | None, typer.Argument(help="Your files or folders; simulated spectra without.")
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="End by itself; exit code 1 unless all is accounted for.")
    ] = False,
    n: Annotated[int, typer.Option("--spectra", help="Simulated spectra with --once.", min=1)] = SPECTRA,
    rate: Annotated[float, typer.Option(help="Spectra a second at most.", min=0.1)] = RATE,
    seed: Annotated[int, typer.Option(help="Of the simulated spectra.", min=0)] = 0,
    data: Annotated[Path | None, typer.Option(help="Folder of Kafka's jars and data.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Save the last picture as an .svg file.")] = None,
) -> None:
    """Watch the whole service at work on this machine; Ctrl-C ends it.

    Example: `spectraq demo ~/spectra/*.fits --once`
    """
    from spectraq.workers.cli.up import terminated_as_interrupted
    from spectraq.workers.demonstration import view
    from spectraq.workers.demonstration.feed import Feed
    from spectraq.workers.demonstration.tally import Tally

    with terminated_as_interrupted(), _stack(data) as (stack, settings):
        page = None if once else _start_page(stack)
        stderr.print()
        truth: dict[str, Simulated] = {}
        messages = _from_files(files) if files else _simulated(n if once else None, seed, truth)
        feed = Feed(settings, messages, rate)
        tally = Tally(truth, settings.worker.publish_measurements)
        _run(stack, settings, feed, tally, once or bool(files))
        read = _read(settings)
        view.summary(stdout, tally, read)
        if picture is not None:
            view.save(picture, tally, feed.sent)
        balanced = tally.balanced(read)
        if page:
            page.stop()
    raise typer.Exit(0 if balanced else 1)


@contextlib.contextmanager
def _stack(data: Path | None) -> Iterator[tuple[LocalStack, Settings]]:
    """Start Kafka and Redis, say where they are, and yield them with the settings that reach them."""
    from spectraq.workers.cli.up import announce_fetch
    from spectraq.workers.local.stack import LocalStack
    from spectraq.workers.settings import load_settings

    folder = data or load_settings().local.data
    announce_fetch(folder)
    stderr.print("Starting Apache Kafka, Redis and a worker on this machine ...", highlight=False)
    with LocalStack(folder) as stack:
        address = {"bootstrap_servers": stack.bootstrap_servers}
        settings = load_settings(kafka=address, redis={"url": stack.redis_url})
        stderr.print(
            f"Kafka {stack.bootstrap_servers}   Redis {stack.redis_url}   "
            "Try in another terminal: spectraq status, spectraq watch anomalies",
            highlight=False,
        )
        yield stack, settings


def _from_files(files: list[str]) -> Iterator[Message]:
    from spectraq.schemas import codec
    from spectraq.workers.cli.reading_options import describe, spectra

    for item in spectra(files, None, False, None):
        if isinstance(item, Exception):
            print_error(describe(item))
        else:
            yield item.spectrum_id, codec.encode(item)


def _simulated(n: int | None, seed: int, truth: dict[str, Simulated]) -> Iterator[Message]:
    from spectraq.workers.demonstration import simulated
    from spectraq.workers.demonstration.feed import with_rubbish

    def noted() -> Iterator[Spectrum]:
        batches = [(n, seed)] if n else ((simulated.PIECE, seed + more) for more in itertools.count())
        for size, own_seed in batches:
            for spectrum, made in simulated.spectra(size, own_seed):
                truth[spectrum.spectrum_id] = made
                yield spectrum

    return with_rubbish(noted())


def _run(stack: LocalStack, settings: Settings, feed: Feed, tally: Tally, ends_by_itself: bool) -> None:
    worker = _start_worker(stack)
    feed.start()
    _follow(stack, settings, feed, tally, worker, ends_by_itself)
    worker.stop()


def _start_page(stack: LocalStack) -> Child | None:
    """Serve the page beside the demonstration, where the extra `web` is installed."""
    from spectraq.workers.local.child import Child
    from spectraq.workers.local.ports import free_port

    if find_spec("fastapi") is None:
        stderr.print("For the page in the browser: pip install 'spectraq[web]'", highlight=False)
        return None
    port = free_port(WEB_PORT)
    child = Child("page", [_program(), "web", "--port", str(port)], stack.folder, stack.environment())
    stderr.print(f"Look: http://127.0.0.1:{port}/", highlight=False)
    return child


def _program() -> str:
    return shutil.which("spectraq", path=str(Path(sys.executable).parent)) or "spectraq"


def _start_worker(stack: LocalStack) -> Child:
    from spectraq.workers.local.child import Child

    environment = {**stack.environment(), "SPECTRAQ_WORKER__SLOT": "demo", "SPECTRAQ_LOG__FORMAT": "json"}
    return Child("worker", [_program(), "worker"], stack.folder, environment)


def _follow(
    stack: LocalStack, settings: Settings, feed: Feed, tally: Tally, worker: Child, ends_by_itself: bool
) -> None:
    """Count and show results until all that was sent is settled, or the user has seen enough."""
    from spectraq.workers.demonstration.view import View
    from spectraq.workers.transport.follower import Follower

    names = settings.topics
    topics = [names.classifications, names.redshifts, names.anomalies, names.dead_letters]
    topics += [names.measurements] if tally.measured else []
    last_news = time.monotonic()
    with Follower(settings, topics, from_beginning=True) as follower, View(stdout, tally) as view:

        def step() -> bool:
            nonlocal last_news
            for record in follower.poll(POLL_S):
                last_news = time.monotonic()
                if anomaly := tally.add(record):
                    view.anomaly(anomaly)
            view.update(feed.sent)
            stack.require_running()
            _require_news(feed, worker, last_news)
            return feed.is_alive() or tally.settled < feed.sent

        with contextlib.suppress(KeyboardInterrupt):
            while step():
                pass
            return
        if ends_by_itself:
            raise KeyboardInterrupt
        feed.stop.set()
        deadline = time.monotonic() + DRAIN_S
        while step() and time.monotonic() < deadline:
            pass


def _require_news(feed: Feed, worker: Child, last_news: float) -> None:
    """Raise what ended the feed or the worker, or an error where no result has come for too long."""
    from spectraq.workers.errors import SpectraqError

    worker.require_running()
    if feed.error:
        raise feed.error
    if time.monotonic() - last_news > SILENCE_S:
        raise SpectraqError(f"no result for {SILENCE_S:.0f} s; the worker's last words:\n{worker.tail()}")


def _read(settings: Settings) -> int:
    from spectraq.workers.transport.follower import Follower

    with Follower(settings, [settings.topics.spectra]) as follower:
        return sum(follower.ends().values())
