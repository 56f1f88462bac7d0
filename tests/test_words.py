"""One way to write a thing: what people read says it as the page does."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
OTHER_ANGSTROM = re.compile(r"\d ?(?:AA?|[aA]ngstroms?)(?![\w-])")
"""After a number the unit is its symbol, Å; its name stands where no number does."""
MACHINE = "erg"
"""Units of flux are written as astropy reads them."""


def shown_texts(source: str) -> Iterator[str]:
    """Return the texts of a module that are no docstrings, with a digit for what is filled in."""
    tree = ast.parse(source)
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in silent:
            continue
        if isinstance(node, ast.JoinedStr):
            silent.update(id(part) for value in node.values for part in ast.walk(value))
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "0" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_after_a_number_the_angstrom_is_written_one_way() -> None:
    texts = [
        (path, line)
        for pattern in ("README.md", "docs/*.md", "workers/web/static/*.js", "workers/web/static/*.html")
        for path in ROOT.glob(pattern)
        for line in path.read_text().splitlines()
    ]
    for part in ("schemas", "models", "workers"):
        for path in (ROOT / part).rglob("*.py"):
            texts += [(path, text) for text in shown_texts(path.read_text())]
    assert len(texts) > 3000
    other = [
        f"{path.relative_to(ROOT)}: {text}"
        for path, text in texts
        if OTHER_ANGSTROM.search(text) and MACHINE not in text
    ]
    assert other == []


def test_the_other_ways_are_seen() -> None:
    for text in ("at 5577 A, 12 times", "50 angstrom", "8 Angstroms", "3600A"):
        assert OTHER_ANGSTROM.search(text)
    assert list(shown_texts('"""4 A"""\nx = f"at {place:.0f} A,"\n')) == ["at 0 A,"]
    assert not OTHER_ANGSTROM.search("1. A line at 5577 Å, one of 3 and 4")
