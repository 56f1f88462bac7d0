"""An expression of CEL, checked against the schemas of results when it is loaded.

References: the Common Expression Language, github.com/google/cel-spec; `cel-expr-python` is its authors'.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import cached_property
from typing import Any

from cel_expr_python import cel

from spectraq.workers.errors import SettingsError
from spectraq.workers.filters.checked_tree import TooMuchError, tree_of
from spectraq.workers.filters.record_types import RecordTypes
from spectraq.workers.filters.result_records import ResultRecord

LONGEST = 4000
"""Characters of an expression."""

NEAREST = 4
SIMILAR = 0.5

ERROR = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
NO_FIELD = re.compile(r"undefined field '(.+?)' not found in struct '(.+?)'")
NO_NAME = re.compile(r"undeclared reference to '([^'.]+)[^']*'")
MIXED_NUMBERS = re.compile(r"double\)?, int|int\)?, (wrapper\()?double")
MISSING = "no matching overload"
"""What an evaluation ends with where a value is null: types themselves were checked before."""


class FilterError(SettingsError):
    """An expression that can't be a filter; it says where and what would be right."""


class Verdict(Enum):
    """What an expression says of the results of a spectrum."""

    PASSED = "passed"
    LEFT = "left"
    UNDECIDED = "undecided"  # a value that it needs is missing


class EvaluationError(Exception):
    """An evaluation that failed: a division by zero, a name that a map lacks, too many steps."""


class Vocabulary:
    """What expressions may speak of, and the checker that knows it.

    Parameters
    ----------
    records
        Every kind of result by name; those with a reason in `absent` are refused with it.
    """

    def __init__(self, records: Mapping[str, ResultRecord]) -> None:
        self._records = records
        here = {name: of.record.__name__ for name, of in records.items() if not of.absent}
        self.types = RecordTypes(here)
        self.names = frozenset(here)
        variables = {name: cel.Type(of.name) for name, of in self.types.variables.items()}
        self._environment = cel.NewEnv(descriptor_pool=self.types.pool, variables=variables)

    def activation(
        self,
        fields_of: Callable[[str], Mapping[str, Any] | None],
        used: Mapping[str, frozenset[str] | None],
    ) -> Any:
        """Return what expressions are evaluated over.

        Parameters
        ----------
        fields_of
            Gives the fields of a record by its name; None where it is missing.
        used
            The fields that are read of each record; None: all.
        """
        values = {name: self.types.message(name, fields_of(name), wanted) for name, wanted in used.items()}
        return self._environment.Activation(values)

    def expression(self, text: str) -> Expression:
        """Check an expression.

        Raises
        ------
        FilterError
            Where it is none, speaks of what there is not, compares what can't be compared, or is too much.
        """
        if not text.strip():
            raise FilterError("the expression is empty")
        if len(text) > LONGEST:
            raise FilterError(f"the expression has {len(text)} characters; at most {LONGEST} are taken")
        try:
            compiled = self._environment.compile(text)
        except (RuntimeError, ValueError) as error:
            raise FilterError(self._explained(str(error))) from None
        if compiled.return_type() != cel.Type.BOOL:
            raise FilterError(f"the expression gives {compiled.return_type()}, not true or false")
        try:
            tree = tree_of(compiled.serialize(), self.names)
        except TooMuchError as error:
            raise FilterError(str(error)) from None
        self._check_patterns(tree.patterns)
        used = {
            name: None if name in tree.whole else frozenset(tree.used[name])
            for name in tree.used.keys() | tree.whole
        }
        return Expression(text, compiled, used)

    def _check_patterns(self, patterns: Iterable[str]) -> None:
        for pattern in patterns:
            tried = self._tried.eval(data={"pattern": pattern})
            if str(tried.type()) == "ERROR":
                raise FilterError(f"the regular expression {pattern!r} is none: {_sentence(tried.value())}")

    @cached_property
    def _tried(self) -> Any:
        return cel.NewEnv(variables={"pattern": cel.Type.STRING}).compile("'a'.matches(pattern)")

    def _explained(self, said: str) -> str:
        """Return the library's first complaint in a sentence that names the nearest names."""
        found = ERROR.search(said)
        if found is None:
            return f"the expression is refused: {_sentence(said)}"
        line, column, what = int(found[1]), int(found[2]), found[3]
        where = f"line {line}, column {column}" if line > 0 else "the expression"
        return f"{where}: {self._complaint(what)}"

    def _complaint(self, what: str) -> str:
        if (found := NO_FIELD.search(what)) and found[2] in self.types.types:
            kind = self.types.types[found[2]]
            return f"{kind.label} has no field {found[1]!r}; {_nearest(found[1], kind.fields)}"
        if found := NO_NAME.search(what):
            return self._no_record(found[1])
        for full_name in sorted(self.types.types, key=len, reverse=True):
            what = what.replace(full_name, self.types.types[full_name].label)
        if MIXED_NUMBERS.search(what):
            what += "; compare a decimal number with one that has a point: 2.0, not 2"
        return _sentence(re.sub(r"wrapper\((\w+)\)", r"\1", what))

    def _no_record(self, name: str) -> str:
        if name in self._records and self._records[name].absent:
            return f"there is no {name!r} in this deployment: {self._records[name].absent}"
        return f"nothing is named {name!r}; {_nearest(name, self.names)}"


class Expression:
    """A checked expression.

    Parameters
    ----------
    text
        As it was written.
    compiled
        As the library evaluates it.
    used
        The fields that it reads of each record that it speaks of; None: all.
    """

    def __init__(self, text: str, compiled: Any, used: Mapping[str, frozenset[str] | None]) -> None:
        self.text = text
        self.used = used
        self._evaluate = compiled.eval

    @property
    def digest(self) -> str:
        """SHA-256 of its text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def evaluate(self, activation: Any) -> Verdict:
        """Return what it says of some results.

        Raises
        ------
        EvaluationError
            Where it can't say for another reason than that a value is missing.
        """
        try:
            value = self._evaluate(activation).value()
        except (RuntimeError, ValueError) as error:
            raise EvaluationError(_sentence(str(error))) from None
        if value is True:
            return Verdict.PASSED
        if value is False:
            return Verdict.LEFT
        said = str(value)
        if value is None or MISSING in said.lower():
            return Verdict.UNDECIDED
        raise EvaluationError(_sentence(said))


def _nearest(name: str, names: Iterable[str]) -> str:
    ordered = sorted(names)
    near = difflib.get_close_matches(name, ordered, NEAREST, SIMILAR)
    return f"nearest: {', '.join(near)}" if near else f"there are {', '.join(ordered)}"


def _sentence(said: str) -> str:
    """Return the first line of what the library says, without its codes."""
    line = re.sub(r"\s*\[[A-Z_]+\]$", "", said.strip().split("\n")[0])
    return re.sub(r"^[A-Z_]{5,}: ", "", line)[:300]
