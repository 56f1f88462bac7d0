"""The code that makes answers, and its digest, which comments, docstrings and blank lines do not change."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent

CHANGES_NO_ANSWER = frozenset(
    {
        "change",  # compares spectra that have their answers
        "code_digest.py",
        "processes",  # how many share the work, and which of them does it
        "processes_main.py",
        "quick_torch.py",  # how torch is loaded
        "ranking.py",  # orders answers
        "simulate.py",  # makes spectra, answers none
        "training",  # makes the weights, which count themselves
    }
)
"""Modules and folders of this package that are left out, relative to it; every other one counts."""

STRING_OR_COMMENT = re.compile(
    r"""
    \#[^\n]*
    | \"{3} [^"\\]* (?: (?: \\. | "(?!"") ) [^"\\]* )* \"{3}
    | \'{3} [^'\\]* (?: (?: \\. | '(?!'') ) [^'\\]* )* \'{3}
    | " [^"\\\n]* (?: \\. [^"\\\n]* )* "
    | ' [^'\\\n]* (?: \\. [^'\\\n]* )* '
    """,
    re.DOTALL | re.VERBOSE,
)
PREFIXES = ("", "r", "R", "u", "U", "b", "B")
"""Of strings that may be docstrings or stand alone; none that computes."""
END_OF_STATEMENT = re.compile(r"[ \t]*(?:#|\n|$)")


def modules(package: Path = HERE) -> list[Path]:
    """Return the files whose code can change an answer, at any depth of `package`, sorted."""
    return sorted(
        path
        for path in package.rglob("*.py")
        if not CHANGES_NO_ANSWER & {parent.as_posix() for parent in _lineage(path.relative_to(package))}
    )


def code_digest(package: Path = HERE) -> str:
    """Return the SHA-256 (hex) of the code of `modules`, with their paths and without their words."""
    total = hashlib.sha256()
    for path in modules(package):
        total.update(path.relative_to(package).as_posix().encode() + b"\0")
        total.update(without_words(path.read_text(encoding="utf-8")).encode() + b"\0")
    return total.hexdigest()


def without_words(source: str) -> str:
    """Return Python source without comments, docstrings and other statements of one string, and blank lines.

    The text is cut, not parsed and printed again: printing differs between versions of Python, and a release
    must have the same digest on each. Strings and comments are found by one expression, ten times as quick
    as Python's own tokenizer, which every start of a command would wait for.
    """
    kept, end = [], 0
    for begin, until in _words(source):
        kept.append(source[end:begin])
        end = until
    kept.append(source[end:])
    return "\n".join(line.rstrip() for line in "".join(kept).splitlines() if line.strip())


def _lineage(path: Path) -> list[Path]:
    return [path, *path.parents]


def _words(source: str) -> Iterator[tuple[int, int]]:
    """Yield where comments and statements of one string begin and end, in characters, ascending."""
    depth = end = 0
    for found in STRING_OR_COMMENT.finditer(source):
        code = source[end : found.start()]
        depth += sum(map(code.count, "([{")) - sum(map(code.count, ")]}"))
        end = found.end()
        if found.group().startswith("#"):
            yield found.span()
        elif depth == 0 and (begin := _statement(source, *found.span())) is not None:
            yield begin, end


def _statement(source: str, begin: int, end: int) -> int | None:
    """Return where the statement begins that is this string and nothing else; None where it is none."""
    line = source.rfind("\n", 0, begin) + 1
    before = source[line:begin].strip()
    continued = source.endswith("\\\n", 0, line)
    if before not in PREFIXES or continued or not END_OF_STATEMENT.match(source, end):
        return None
    return begin - len(before)
