"""Spectra of one object are brought together: what is remembered of it, and what has changed since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import structlog

from spectraq.models import shipped
from spectraq.models.answer import Answer
from spectraq.models.change.compare import MIN_SNR, Comparison
from spectraq.models.change.cutout import cutout
from spectraq.models.change.epoch import Epoch
from spectraq.models.change.pair import IncomparableError
from spectraq.models.grid.survey_noise import SurveyNoise
from spectraq.schemas import codec
from spectraq.schemas.remembered import message_key
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.cache.guarded_redis import GuardedRedis
from spectraq.workers.cache.objects import Claim, ObjectMemory, object_redis
from spectraq.workers.contract.change_messages import Compared, change_message
from spectraq.workers.contract.convert import Ensemble, Subject, observation
from spectraq.workers.contract.object_choice import Remembered, kept, predecessor
from spectraq.workers.contract.object_names import object_name
from spectraq.workers.contract.outgoing import outgoing_message
from spectraq.workers.contract.remembering import (
    remembered,
    remembered_message,
    said_of,
    snr_of,
    spectrum_body,
)
from spectraq.workers.contract.trace_context import passed_on
from spectraq.workers.errors import RejectedSpectrum, SettingsError
from spectraq.workers.inference import Failure
from spectraq.workers.service.batcher import Readable
from spectraq.workers.service.history import NOTHING_BESIDE, Beside, History
from spectraq.workers.settings import Settings, WorkerSettings
from spectraq.workers.transport.messages import Outgoing

FIRST_SEEN, UNCHANGED, CHANGED = "first_seen", "unchanged", "changed"
NOT_COMPARABLE, NOT_COMPARED, NOT_REMEMBERED = "not_comparable", "not_compared", "not_remembered"

log = structlog.get_logger(__name__)


class ChangeStage:
    """Remembers the spectra of a batch, and compares each with an earlier one of its object.

    Parameters
    ----------
    memory
        The serving copy.
    ensemble
        Who answers.
    numbers
        What to write into the frame of each kind of record, by its name, in place of its schema's own number.

    Raises
    ------
    SettingsError
        Where the folder of weights does not say how unchanged pairs differ.
    """

    def __init__(
        self, settings: Settings, memory: ObjectMemory, ensemble: Ensemble, numbers: Mapping[str, int]
    ) -> None:
        self._settings = settings
        self._memory = memory
        self._ensemble = ensemble
        self._numbers = numbers
        self._comparison, self._noise = load_comparison(settings.worker)

    def look_up(self, readable: Sequence[Readable]) -> list[History]:
        """Remember the spectra, and find what each is compared with: two or three round trips a batch."""
        known = [self._remembered(item) for item in readable]
        asked = [(one, body) for one, body in known if one is not None]
        claims = self._memory.claim(asked)
        if claims is None:
            return [History(one, body) for one, body in known]
        each = iter(claims)
        histories = []
        for one, body in known:
            claim = next(each) if one is not None else None
            histories.append(History(one, body, claim, self._predecessor(one, claim)))
        return self._with_pixels(histories)

    def _compared(
        self,
        item: Readable,
        answer: Answer,
        history: History,
        answered: Answer | Failure | None,
    ) -> Compared | None:
        """Return what changed since the earlier spectrum, None where there is none or its pixels are gone."""
        earlier, one = history.earlier, history.one
        if earlier is None or one is None or history.before is None or history.observed is None:
            return None
        days = None if one.mjd is None or earlier.mjd is None else one.mjd - earlier.mjd
        pair = (earlier, one.separation(earlier), days)
        if not isinstance(answered, Answer):
            why = answered.message if answered is not None else "there is no answer"
            return Compared(*pair, why=f"the earlier spectrum can't be analysed: {why}"[:500])
        try:
            epochs = (
                Epoch.of(history.observed, answered, self._noise, earlier.mjd, earlier.ra, earlier.dec),
                Epoch.of(item.observation, answer, self._noise, one.mjd, one.ra, one.dec),
            )
            evidence = self._comparison.measured(*epochs)
            change = self._comparison.judged(evidence, *epochs)
            return Compared(*pair, answered, change, cutout(evidence.pair))
        except IncomparableError as error:
            return Compared(*pair, answered, why=str(error))
        except Exception as error:  # a comparison that fails must not take the answers with it
            log.exception("comparison_failed", spectrum=one.spectrum_id, earlier=earlier.spectrum_id)
            return Compared(*pair, answered, why=f"comparing failed: {type(error).__name__}")

    def beside(
        self,
        readable: Sequence[Readable],
        answers: Sequence[Answer | Failure],
        histories: Sequence[History],
        earlier: Sequence[Answer | Failure | None],
    ) -> list[Beside]:
        """Return what is published beside the results of each spectrum, and forget what is not to be kept.

        Parameters
        ----------
        answers, earlier
            To each spectrum and to the one that it is compared with, where it is, with their models.
        """
        made, gone, answered = [], [], []
        for item, answer, history, before in zip(readable, answers, histories, earlier, strict=True):
            if isinstance(answer, Failure):  # nothing is compared with a dead letter
                gone += [history.one] if history.one is not None and history.claim is not None else []
                made.append(NOTHING_BESIDE)
                continue
            compared = self._compared(item, answer, history, before)
            too_many = self._too_many(history)
            gone += too_many
            outgoing = self._outgoing(item, answer, history, compared, too_many)
            made.append(Beside(_outcome(history, compared), tuple(outgoing)))
            if history.one is not None and history.claim is not None and history.one not in too_many:
                answered.append((history.one, said_of(answer)))
        self._memory.settle(answered, gone)
        return made

    def _outgoing(
        self,
        item: Readable,
        answer: Answer,
        history: History,
        compared: Compared | None,
        too_many: Sequence[Remembered],
    ) -> list[Outgoing]:
        """Return the Change of a spectrum, its durable record, and what deletes those of worse ones."""
        topics, one = self._settings.topics, history.one
        if one is None:
            return []
        outgoing = []
        if compared is not None:
            change = change_message(Subject.of(item.spectrum), answer, self._ensemble, one.object, compared)
            trace = passed_on(item.record.headers)
            key = one.spectrum_id.encode()
            outgoing.append(outgoing_message(topics.changes, key, change, trace, self._numbers))
        if one not in too_many:
            us = history.claim.since_us if history.claim else max(item.record.timestamp_ms, 0) * 1000
            record = remembered_message(one, us, history.body, answer)
            outgoing.append(outgoing_message(topics.objects, record.key, record, (), self._numbers))
        gone = [worse for worse in too_many if worse != one]
        return outgoing + [Outgoing(topics.objects, message_key(w.object, w.name), None) for w in gone]

    def _too_many(self, history: History) -> list[Remembered]:
        """Return the spectra of an object beyond those that are kept."""
        most = self._settings.objects.kept
        if history.claim is None or len(history.claim.same_name) <= most:
            return []
        best = {one.name for _, one in kept(history.claim.same_name, most)}
        return [one for _, one in history.claim.same_name if one.name not in best]

    def _remembered(self, item: Readable) -> tuple[Remembered | None, bytes]:
        spectrum = item.spectrum
        name = object_name(spectrum)
        snr = snr_of(item.observation) if name is not None else 0.0
        if name is None or not snr >= MIN_SNR:
            return None, b""
        body = spectrum_body(spectrum)
        if len(body) > self._settings.kafka.max_message_bytes:  # came in fewer bytes than it has as Avro
            return None, b""
        return remembered(spectrum, name, snr, self._ensemble), body

    def _predecessor(self, one: Remembered | None, claim: Claim | None) -> Remembered | None:
        if one is None or claim is None:
            return None
        return predecessor(one, claim.since_us, claim.known, self._settings.objects.radius_arcsec)

    def _with_pixels(self, histories: list[History]) -> list[History]:
        """Fetch the pixels of what is compared."""
        wanted = [history.earlier for history in histories if history.earlier is not None]
        bodies = iter(self._memory.pixels(wanted))
        return [
            history
            if history.earlier is None
            else _with_spectrum(history, next(bodies), self._settings.worker)
            for history in histories
        ]


def change_stage(
    settings: Settings,
    redis: GuardedRedis,
    ensemble: Ensemble,
    numbers: Mapping[str, int],
    closing: ExitStack,
) -> ChangeStage | None:
    """Return what compares spectra with earlier ones, None where that is not asked for.

    Parameters
    ----------
    redis
        That of the cache, which is the memory's, too, unless that has one of its own.
    closing
        Takes what has to be closed at the end.
    """
    if not settings.worker.changes:
        return None
    own = object_redis(settings)
    if own is not None:
        redis = GuardedRedis(own, redis.on_failure)
        closing.callback(redis.close)
    return ChangeStage(settings, ObjectMemory(redis, settings.objects.radius_arcsec), ensemble, numbers)


def load_comparison(settings: WorkerSettings) -> tuple[Comparison, SurveyNoise]:
    """Return what pairs are compared with.

    Raises
    ------
    SettingsError
        Where the folder of weights lacks it.
    """
    folder = settings.weights or shipped.FOLDER
    try:
        return Comparison.load(folder), SurveyNoise.load(folder)
    except shipped.MissingWeightsError as error:
        raise SettingsError(f"worker.changes: {error}") from error


def _outcome(history: History, compared: Compared | None) -> str:
    """Return what became of a spectrum, as the metric counts it."""
    if compared is not None:
        if compared.change is None:
            return NOT_COMPARABLE
        return CHANGED if compared.change.changed else UNCHANGED
    if history.one is None:
        return NOT_REMEMBERED
    if history.claim is None or history.earlier is not None:
        return NOT_COMPARED
    return FIRST_SEEN


def _with_spectrum(history: History, body: bytes | None, settings: WorkerSettings) -> History:
    """Return a history with the earlier spectrum's pixels, where they are there and whole."""
    before = observed = None
    if body is not None:
        try:
            before = codec.decode(body, expect=Spectrum, max_pixels=settings.max_pixels)
            observed = observation(before, settings.max_pixels)
        except (codec.DecodeError, RejectedSpectrum) as error:
            log.warning("memory_unreadable", object=history.one and history.one.object, error=str(error))
            before = None
    return History(history.one, history.body, history.claim, history.earlier, before, observed)
