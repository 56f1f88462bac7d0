"""What text may be shown as it is, and how the rest is written.

Spectra, messages and files are written by anybody. A control character gives orders to a terminal, a
separator of lines forges a line of a log, a mark of direction turns the letters round, and what has no width
makes two names look like one.
"""

from __future__ import annotations

import unicodedata

UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of Unicode: control, format (marks of direction and joiners among them), surrogate, private use,
unassigned, and the separators of lines and paragraphs."""


def unprintable(text: str) -> str | None:
    """Return the first character of a text that can't be shown as it is, or None where there is none."""
    if text.isascii() and text.isprintable():  # most are, and this is quick
        return None
    return next((mark for mark in text if _hidden(mark)), None)


def escaped(text: str) -> str:
    r"""Return a text with every unprintable character written as Python does: `\x1b`, `\u202e`.

    Letters of all languages and blanks of all widths stay as they are.
    """
    if unprintable(text) is None:
        return text
    return "".join(mark.encode("unicode_escape").decode() if _hidden(mark) else mark for mark in text)


def _hidden(mark: str) -> bool:
    return unicodedata.category(mark) in UNPRINTABLE
