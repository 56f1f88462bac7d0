"""The colour of each class on a terminal: those of the page, as far as sixteen colours go."""

from __future__ import annotations

CLASS_COLOURS = {"GALAXY": "magenta", "QSO": "cyan", "STAR": "yellow"}
"""Rich's names, in the order in which classes are listed; the page's own shades: `web/static/style.css`."""
