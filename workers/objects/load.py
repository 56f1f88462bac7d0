"""The memory of objects filled from spectra of files, and emptied of an object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from spectraq.models.change.compare import MIN_SNR
from spectraq.schemas import codec
from spectraq.schemas.remembered import RememberedSpectrum, message_key
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.cache.objects import Claim, ObjectMemory
from spectraq.workers.contract.convert import observation
from spectraq.workers.contract.object_choice import Remembered, kept
from spectraq.workers.contract.object_names import object_name
from spectraq.workers.contract.remembering import remembered, remembered_message, snr_of, spectrum_body
from spectraq.workers.errors import ReadError, RejectedSpectrum
from spectraq.workers.objects.opened import away, memory, spectra_of
from spectraq.workers.settings import Settings
from spectraq.workers.transport.follower import Follower
from spectraq.workers.transport.sender import Sender

AT_ONCE = 64
POLL_S = 1.0


@dataclass(slots=True)
class Loaded:
    """What became of spectra: kept, worse than what an object has already, or no use to the memory."""

    kept: int = 0
    worse: int = 0
    nameless: int = 0  # neither a target_id nor a position
    noisy: int = 0  # could not be compared
    unreadable: int = 0


class Loader:
    """Remembers spectra: published to the topic of objects, and written to Redis.

    Use it as a context manager; the end of the block waits for what is on its way.
    """

    def __init__(self, settings: Settings, of: ObjectMemory, sender: Sender) -> None:
        self._settings = settings
        self._memory = of
        self._sender = sender
        self._waiting: dict[tuple[str, str], tuple[Remembered, bytes]] = {}
        self.loaded = Loaded()

    def take(self, item: Spectrum | ReadError) -> None:
        """Remember one spectrum.

        Raises
        ------
        UnreachableError, DeliveryError
            Where Redis or Kafka does not take it.
        """
        row = None if isinstance(item, ReadError) else self._row(item)
        if isinstance(item, ReadError):
            self.loaded.unreadable += 1
        if row is not None:
            self._waiting[row[0].object, row[0].name] = row
        if len(self._waiting) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Remember what waits.

        Raises
        ------
        UnreachableError, DeliveryError
            As of `take`.
        """
        rows = list(self._waiting.values())
        claims = self._memory.claim(rows)
        if claims is None:
            raise away()
        gone: list[Remembered] = []
        for (one, body), claim in zip(rows, claims, strict=True):
            worse = self._worse(claim)
            gone += worse
            if one in worse:
                self.loaded.worse += 1
                continue
            self.loaded.kept += 1
            self._send(remembered_message(one, claim.since_us, body, None))
        for one in gone:
            self._sender.send(self._settings.topics.objects, message_key(one.object, one.name), None)
        self._sender.flush()
        if not self._memory.settle([], gone):
            raise away()
        self._waiting.clear()

    def _row(self, spectrum: Spectrum) -> tuple[Remembered, bytes] | None:
        name = object_name(spectrum)
        if name is None:
            self.loaded.nameless += 1
            return None
        try:
            snr = snr_of(observation(spectrum, self._settings.worker.max_pixels))
        except RejectedSpectrum:
            self.loaded.unreadable += 1
            return None
        if not snr >= MIN_SNR:
            self.loaded.noisy += 1
            return None
        return remembered(spectrum, name, snr, None), spectrum_body(spectrum)

    def _worse(self, claim: Claim) -> list[Remembered]:
        best = {one.name for _, one in kept(claim.same_name, self._settings.objects.kept)}
        return [one for _, one in claim.same_name if one.name not in best]

    def _send(self, record: RememberedSpectrum) -> None:
        topic, headers = self._settings.topics.objects, codec.headers(record)
        self._sender.send(topic, record.key, codec.encode(record), headers)


def load(settings: Settings, items: Iterable[Spectrum | ReadError]) -> Loaded:
    """Remember spectra, such as a survey's earlier release; those that are known stay as they are.

    Raises
    ------
    UnreachableError, DeliveryError
        Where Redis or Kafka does not take them; the same again is no harm.
    """
    with memory(settings) as of, Sender(settings) as sender:
        loader = Loader(settings, of, sender)
        for item in items:
            loader.take(item)
        loader.flush()
    return loader.loaded


def forget(settings: Settings, name: str) -> int:
    """Forget an object, on the topic and in Redis, and return how many spectra that were.

    The topic is read through where Redis does not know the object: it may have been lost.

    Raises
    ------
    UnreachableError, DeliveryError
        Where Redis or Kafka does not answer.
    """
    with memory(settings) as of, Sender(settings) as sender:
        names = {one.name for _, one in spectra_of(of, name)} or _names_on_topic(settings, name)
        for each in sorted(names):
            sender.send(settings.topics.objects, message_key(name, each), None)
        sender.flush()
        if not of.forget([(name, each) for each in names]):
            raise away()
    return len(names)


def _names_on_topic(settings: Settings, name: str) -> set[str]:
    """Return the names of the spectra that the topic has of an object."""
    prefix = message_key(name, "")
    names: set[str] = set()
    with Follower(settings, [settings.topics.objects], from_beginning=True) as follower:
        ends = follower.ends()
        while not follower.reached(ends):
            for record in follower.poll(POLL_S):
                key = record.key or b""
                if key.startswith(prefix) and b"/" not in key[len(prefix) :]:
                    change = names.discard if record.tombstone else names.add
                    change(key[len(prefix) :].decode("latin-1"))
    return names
