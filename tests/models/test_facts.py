"""A fact stands once: its number is written in one file, and taken from there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for folder in ("models", "schemas", "workers", "spectraq")
    for ending in ("*.py", "*.js")
    for path in (ROOT / folder).rglob(ending)
    if "vendor" not in path.parts
}


@pytest.mark.parametrize(
    ("number", "file"),
    [
        pytest.param(r"299_?792", "models/constants.py", id="speed of light"),
        pytest.param(r"0\.0033\b", "models/classes.py", id="the same redshift"),
        pytest.param(r"3\.5563\b", "models/grid/axis.py", id="where the grid begins"),
    ],
)
def test_a_number_is_written_in_one_file(number: str, file: str) -> None:
    said = re.compile(r'"""(?:[^"]|"(?!""))*"""|"[^"\n]*"')  # sentences may name it
    assert {name for name, text in SOURCES.items() if re.search(number, said.sub("", text))} == {file}
