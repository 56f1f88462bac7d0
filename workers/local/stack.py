"""The local stack: Kafka and Redis together, on free ports, in a folder of their own."""

from __future__ import annotations

import fcntl
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from spectraq.workers.errors import StackError
from spectraq.workers.local import jars
from spectraq.workers.local.cluster import Cluster
from spectraq.workers.local.kafka import Kafka
from spectraq.workers.local.ports import choosing
from spectraq.workers.local.redis import Redis
from spectraq.workers.operations import disk


class LocalStack:
    """Real Kafka and real Redis for the time of a `with` block.

    Both die with this process, also when it is killed. Start it from the main thread.

    Parameters
    ----------
    data
        Folder of Kafka's jars and of the servers' own folders.
    keep
        Keep topics in `data/kept` for the next time; else they are removed at the end.
    brokers
        One, or BROKERS that replicate to each other.
    """

    def __init__(self, data: Path, keep: bool = False, brokers: int = 1) -> None:
        self.brokers = brokers
        self.data = data.absolute()  # the servers run in folders of their own
        self.keep = keep
        self._lock: IO[str] | None = None
        self._started: list[Kafka | Cluster | Redis] = []

    def __enter__(self) -> Self:
        """Fetch what is missing, start both servers, create the topics."""
        with explained(self.data):
            self._open()
        return self

    def _open(self) -> None:
        distribution = jars.fetch(self.data)
        runs = self.data / "runs"
        kept = "kept" if self.brokers == 1 else f"kept-{self.brokers}"
        self.folder = self.data / kept if self.keep else runs / uuid.uuid4().hex[:12]
        self._lock = claim(self.folder, runs)
        if self._lock is None:
            raise StackError(
                f"{self.folder} is in use by another `spectraq up`; stop it, or leave out --keep"
            )
        try:
            with choosing():
                self.redis = Redis(self.folder)
                self._brokers = (Kafka if self.brokers == 1 else Cluster)(distribution, self.folder)
                for server in (self.redis, self._brokers):
                    self._started.append(server)
                    server.start()
            self._create_topics()
        except BaseException:
            self._close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop both servers and remove what need not be kept."""
        self._close()

    @property
    def kafka(self) -> Kafka:
        """The broker, where there is one."""
        assert isinstance(self._brokers, Kafka)
        return self._brokers

    @property
    def cluster(self) -> Cluster:
        """The brokers, where there are several."""
        assert isinstance(self._brokers, Cluster)
        return self._brokers

    @property
    def bootstrap_servers(self) -> str:
        """Kafka's address, or addresses."""
        return self._brokers.bootstrap_servers

    @property
    def redis_url(self) -> str:
        """Redis's address."""
        return self.redis.url

    def environment(self) -> dict[str, str]:
        """Return the settings by which spectraq's commands find this stack."""
        return {
            "SPECTRAQ_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "SPECTRAQ_TOPICS__REPLICATION": str(self._brokers.replication),
            "SPECTRAQ_REDIS__URL": self.redis_url,
        }

    def require_running(self) -> None:
        """Raise `StackError` when one of the servers has ended."""
        with explained(self.folder):
            self._brokers.require_running()
            self.redis.child.require_running()

    def _create_topics(self) -> None:
        from spectraq.workers.settings import load_settings
        from spectraq.workers.transport.topics import ensure_topics

        kafka, redis = {"bootstrap_servers": self.bootstrap_servers}, {"url": self.redis_url}
        topics = {"replication": self._brokers.replication}
        ensure_topics(load_settings(kafka=kafka, redis=redis, topics=topics))

    def _close(self) -> None:
        while self._started:
            self._started.pop().stop()
        if not self.keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Name the disk where it is to blame: servers only say that they ended, and each in its own words.

    Raises
    ------
    StackError
        In the place of an `OSError`, and of the servers' own words where the disk of the folder is full.
    """
    try:
        yield
    except OSError as error:
        raise StackError(
            f"{disk.explained(error) or error}; --data names another folder than {folder}"
        ) from error
    except StackError as error:
        if not disk.is_full(folder) and "No space left" not in str(error):
            raise
        raise StackError(
            f"the disk of {folder} is full, and Kafka and Redis can't run there: make room, or name another"
            " folder with --data"
        ) from error


def claim(folder: Path, runs: Path) -> IO[str] | None:
    """Take a folder for this process, and remove what stacks that were killed left; None when another has it.

    The kernel frees it when we end. Whatever lies in `runs` and is not taken is removed, so one process at a
    time does this: a folder that was just made is not taken yet.
    """
    with choosing():
        _remove_stale(runs)
        return _lock(folder)


def _lock(folder: Path) -> IO[str] | None:
    folder.mkdir(parents=True, exist_ok=True)
    handle = (folder / ".lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    return handle


def _remove_stale(runs: Path) -> None:
    """Remove the folders of stacks that were killed."""
    for folder in runs.glob("*"):
        lock = _lock(folder)
        if lock is not None:
            lock.close()
            shutil.rmtree(folder, ignore_errors=True)
