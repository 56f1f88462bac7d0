"""The page on the public Python names, from `spectraq.__all__` and their docstrings."""

from __future__ import annotations

import spectraq

HEAD = """# Python

What `import spectraq` gives, and what may be relied on; [notebooks](notebooks.md) show how it is used.

The messages inside the results have the fields of their [schemas](schemas.md).
"""


def page() -> str:
    """Return the page's Markdown: functions, then classes; mkdocstrings fills in their docstrings."""
    public = [name for name in spectraq.__all__ if not name.startswith("_")]
    functions = [name for name in public if name.islower()]
    classes = [name for name in public if not name.islower()]
    parts = [HEAD]
    for title, group in (("Functions", functions), ("Classes", classes)):
        parts.append(f"## {title}\n")
        parts += [f"::: spectraq.{name}\n" for name in group]
    return "\n".join(parts)
