"""What the demonstration publishes: spectra at a steady rate, and some messages that are none."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

import numpy as np

from spectraq.schemas import codec
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.settings import Settings
from spectraq.workers.transport.sender import Sender

RUBBISH_EVERY = 40
"""Of the simulated messages, one in this many is rubbish, so that dead letters are seen too."""

Message = tuple[str, bytes]


def rubbish(number: int) -> Message:
    """Return one of four kinds of message that can't be analysed."""
    wavelength = np.linspace(4000.0, 9000.0, 300)
    blank = Spectrum(
        spectrum_id=f"blank-{number}", wavelength=wavelength, flux=np.full(300, np.nan, np.float32)
    )
    whole = codec.encode(blank)
    kinds = (
        ("noise", np.random.default_rng(number).bytes(200)),
        ("cut-short", whole[: len(whole) // 2]),
        ("wrong-shape", b'{"spectrum_id": "no-pixels"}'),
        ("blank", whole),
    )
    name, body = kinds[number % len(kinds)]
    return f"{name}-{number}", body


def with_rubbish(spectra: Iterable[Spectrum]) -> Iterator[Message]:
    """Encode spectra, with a piece of rubbish after every so many."""
    for number, spectrum in enumerate(spectra, start=1):
        yield spectrum.spectrum_id, codec.encode(spectrum)
        if number % RUBBISH_EVERY == 0:
            yield rubbish(number // RUBBISH_EVERY - 1)


class Feed(threading.Thread):
    """Publishes messages until they end or `stop` is set; `sent` and `error` say how it went."""

    def __init__(self, settings: Settings, messages: Iterable[Message], rate: float | None) -> None:
        super().__init__(name="feed", daemon=True)
        self.stop = threading.Event()
        self.sent = 0
        self.error: Exception | None = None
        self._settings, self._messages, self._rate = settings, messages, rate

    def run(self) -> None:
        """Publish."""
        try:
            with Sender(self._settings, self._rate) as publisher:
                for key, body in self._messages:
                    if self.stop.is_set():
                        break
                    publisher.send(self._settings.topics.spectra, key.encode(), body)
                    self.sent += 1
        # Whatever ended the feed is told by the thread that shows it.
        except Exception as error:
            self.error = error
