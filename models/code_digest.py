"""The code that makes answers, and its digest, which comments, docstrings and blank lines do not change."""

from __future__ import annotations

import hashlib
import io
import tokenize
from pathlib import Path

HERE = Path(__file__).parent

CHANGES_NO_ANSWER = frozenset(
    {
        "change",  # compares spectra that have their answers
        "code_digest.py",
        "processes",  # how many share the work, and which of them does it
        "processes_main.py",
        "ranking.py",  # orders answers
        "simulate.py",  # makes spectra, answers none
        "training",  # makes the weights, which count themselves
    }
)
"""Modules and folders of this package that are left out, relative to it; every other one counts."""

BEFORE_A_STATEMENT = frozenset({tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT})
LAYOUT = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.ENCODING})


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
    must have the same digest on each.
    """
    lines = [*source.splitlines(), ""]
    for (first, begin), (last, end) in reversed(_words(source)):
        lines[first - 1 : last] = [lines[first - 1][:begin] + lines[last - 1][end:]]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _lineage(path: Path) -> list[Path]:
    return [path, *path.parents]


def _words(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return where comments and statements of one string begin and end, as (line, column), ascending."""
    spans = []
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    before = tokenize.NEWLINE
    for i, token in enumerate(tokens):
        if token.type == tokenize.COMMENT:
            spans.append((token.start, token.end))
        elif token.type == tokenize.STRING and before in BEFORE_A_STATEMENT:
            after = next(t.type for t in tokens[i + 1 :] if t.type not in LAYOUT)
            if after in (tokenize.NEWLINE, tokenize.ENDMARKER):
                spans.append((token.start, token.end))
        if token.type not in LAYOUT:
            before = token.type
    return spans
