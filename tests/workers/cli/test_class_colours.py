"""A class has one colour, whichever command shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.color import Color

from spectraq.models.classes import CLASSES
from spectraq.workers.class_colours import CLASS_COLOURS

WORKERS = Path(__file__).parents[3] / "workers"


def test_every_class_has_a_colour_of_its_own() -> None:
    assert sorted(CLASS_COLOURS) == sorted(CLASSES)
    assert len({Color.parse(colour) for colour in CLASS_COLOURS.values()}) == len(CLASSES)


@pytest.mark.parametrize("spectype", CLASSES)
def test_no_other_module_gives_a_class_a_colour(spectype: str) -> None:
    colour = re.compile(rf'"{spectype}": "(?:bright_)?(?:red|green|yellow|blue|magenta|cyan|white)"')
    givers = [path.name for path in WORKERS.rglob("*.py") if colour.search(path.read_text())]
    assert givers == ["class_colours.py"]
