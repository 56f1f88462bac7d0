"""All filters asked of the results of one spectrum; one that fails takes nothing from the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from spectraq.workers.errors import SettingsError
from spectraq.workers.filter_settings import FiltersSettings
from spectraq.workers.filters.expression import (
    EvaluationError,
    Expression,
    FilterError,
    Verdict,
    Vocabulary,
)
from spectraq.workers.filters.metrics import FilterMetrics

log = structlog.get_logger(__name__)

Fields = Mapping[str, Any]
"""The fields of a result, as its Avro schema has them."""


@dataclass(slots=True)
class _State:
    """What became of a filter so far; the counts are those since they were told last."""

    expression: Expression
    read: int = 0
    matched: int = 0
    undecided: int = 0
    failed: int = 0
    skipped: int = 0
    failed_in_a_row: int = 0
    suspended_until: float = 0.0


class Passage:
    """The filters of the settings.

    Parameters
    ----------
    settings
        Of filters.
    vocabulary
        What they may speak of.
    metrics
        Counts what becomes of them.

    Raises
    ------
    SettingsError
        Naming the first filter that can't be one, and why.
    """

    def __init__(self, settings: FiltersSettings, vocabulary: Vocabulary, metrics: FilterMetrics) -> None:
        self._settings = settings
        self._vocabulary = vocabulary
        self._metrics = metrics
        self._states = {
            name: _State(checked(name, one.expression, vocabulary)) for name, one in settings.named.items()
        }
        self._wanted = _together([state.expression for state in self._states.values()])
        for name in self._states:
            metrics.suspended.labels(name).set(0)
            for counter in (
                metrics.read,
                metrics.matched,
                metrics.undecided,
                metrics.failed,
                metrics.skipped,
            ):
                counter.labels(name)

    @property
    def records(self) -> frozenset[str]:
        """The records that filters speak of."""
        return frozenset(self._wanted)

    def digest(self, name: str) -> str:
        """Return the digest of a filter's expression."""
        return self._states[name].expression.digest

    def passed(self, fields_of: Callable[[str], Fields | None]) -> list[str]:
        """Return the names of the filters that let the results of a spectrum through.

        Parameters
        ----------
        fields_of
            Gives the fields of a record by its name; None where it is missing.
        """
        activation = self._vocabulary.activation(fields_of, self._wanted)
        begun = time.thread_time()
        return [name for name, state in self._states.items() if self._passes(name, state, activation, begun)]

    def tell(self) -> None:
        """Add what became of filters since the last time to the metrics: each by itself takes too long."""
        metrics = self._metrics
        for name, state in self._states.items():
            metrics.read.labels(name).inc(state.read)
            metrics.matched.labels(name).inc(state.matched)
            metrics.undecided.labels(name).inc(state.undecided)
            metrics.failed.labels(name).inc(state.failed)
            metrics.skipped.labels(name).inc(state.skipped)
            state.read = state.matched = state.undecided = state.failed = state.skipped = 0

    def _passes(self, name: str, state: _State, activation: Any, begun: float) -> bool:
        """Ask one filter; `begun` is the thread's time when the first was asked of these results."""
        now = time.monotonic()
        if state.suspended_until:
            if now < state.suspended_until:
                state.skipped += 1
                return False
            self._take_up(name, state)
        state.read += 1
        try:
            verdict = state.expression.evaluate(activation)
        except EvaluationError as error:
            self._fail(name, state, str(error))
            return False
        limit = self._settings.evaluation_s
        # what the clock says may be another process's time; the thread's own is asked for where it matters
        if time.monotonic() - now > limit and (seconds := time.thread_time() - begun) > limit:
            self._fail(name, state, f"it took {seconds:.2g} s of a core (filters.evaluation_s)")
            return False
        state.failed_in_a_row = 0
        if verdict is Verdict.PASSED:
            state.matched += 1
            return True
        state.undecided += verdict is Verdict.UNDECIDED
        return False

    def _fail(self, name: str, state: _State, why: str) -> None:
        state.failed += 1
        state.failed_in_a_row += 1
        if state.failed_in_a_row == 1:
            log.warning("filter_failed", filter=name, error=why)
        if state.failed_in_a_row >= self._settings.failures:
            seconds = self._settings.suspended_s
            state.suspended_until = time.monotonic() + seconds
            self._metrics.suspended.labels(name).set(1)
            log.error(
                "filter_suspended", filter=name, error=why, failures=state.failed_in_a_row, seconds=seconds
            )

    def _take_up(self, name: str, state: _State) -> None:
        state.suspended_until, state.failed_in_a_row = 0.0, 0
        self._metrics.suspended.labels(name).set(0)
        log.warning("filter_taken_up_again", filter=name)


def checked(name: str, text: str, vocabulary: Vocabulary) -> Expression:
    """Return the expression of a filter.

    Raises
    ------
    SettingsError
        Naming the filter, where it can't be one.
    """
    try:
        return vocabulary.expression(text)
    except FilterError as error:
        raise SettingsError(f"filters.{name}.expression: {error}") from None


def _together(expressions: list[Expression]) -> dict[str, frozenset[str] | None]:
    """Return the fields that any of them reads, by record; None: all."""
    wanted: dict[str, frozenset[str] | None] = {}
    for expression in expressions:
        for name, fields in expression.used.items():
            before = wanted.get(name, frozenset())
            wanted[name] = None if before is None or fields is None else before | fields
    return wanted
