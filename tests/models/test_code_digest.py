"""What an answer is named by covers the code that makes it: all of that, nothing else, and no words."""

import io
import json
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

from spectraq.models import shipped
from spectraq.models.code_digest import CHANGES_NO_ANSWER, HERE, code_digest, modules, without_words

CODE = '''\
"""What it is."""
import os  # for its name


class Spectrum:
    """One of them."""

    size = 3
    """Pixels."""

    def area(self, text="# no comment"):
        """Return it,

        with a # in it.
        """
        here = """not a docstring"""  # a comment
        return f"{self.size} # {here}"
'''
BARE = '''\
import os
class Spectrum:
    size = 3
    def area(self, text="# no comment"):
        here = """not a docstring"""
        return f"{self.size} # {here}"'''

ANSWERING = """
import json, sys
import numpy as np
import spectraq.models.anomaly.in_group  # what a stream makes of an answer
import spectraq.models.anomaly.without_shared  # and what spectra share
import spectraq.models.anomaly.shared_fault
from spectraq.models.answer import Extra
from spectraq.models.observation import Observation
from spectraq.models.pipeline import Pipeline
rng = np.random.default_rng(0)
wavelength = np.linspace(3700, 9000, 3500)
flux = rng.normal(5, 1, (4, 3500)).astype("f4")
spectra = [Observation(wavelength, row, np.ones(3500, "f4")) for row in flux]
pipeline = Pipeline.load(threads=1)
pipeline.analyze(spectra)
pipeline.analyze(spectra[:2], Extra.MODEL | Extra.MEASUREMENT)
print(json.dumps([m.__file__ for name, m in sys.modules.items() if name.startswith("spectraq.models")]))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "training").mkdir()
    (tmp_path / "scan.py").write_text(CODE)
    (tmp_path / "deep/er/fit.py").write_text("STEP = 1\n")
    (tmp_path / "training/fit.py").write_text("STEP = 1\n")
    return tmp_path


def test_words_are_left_out_and_code_is_not():
    assert without_words(CODE) == BARE


def tokenized(source: str) -> str:
    """`without_words` by Python's own tokenizer, which is right and slow."""
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING}
    lines, before = [*source.splitlines(), ""], tokenize.NEWLINE
    tokens, spans = list(tokenize.generate_tokens(io.StringIO(source).readline)), []
    for i, token in enumerate(tokens):
        after = next((t.type for t in tokens[i + 1 :] if t.type not in layout), None)
        first = before in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
        last = after in (tokenize.NEWLINE, tokenize.ENDMARKER)
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and first and last):
            spans.append((token.start, token.end))
        if token.type not in layout:
            before = token.type
    for (row, begin), (until, end) in reversed(spans):
        lines[row - 1 : until] = [lines[row - 1][:begin] + lines[until - 1][end:]]
    return "\n".join(line.rstrip() for line in lines if line.strip())


ODD = """\
r'''A prefix''' # and a comment
x = [
    "no statement",
    "nor this" # but this
]
x = \\
    "nor this"
"one" "two"
"half"; x = 1
'escaped \\' # no comment'
if x: "beside"
def f():
    'short'
"""


@pytest.mark.parametrize("path", [None, *modules()], ids=lambda path: path.stem if path else "odd")
def test_words_are_what_pythons_tokenizer_says(path: Path | None) -> None:
    source = path.read_text() if path else ODD
    assert without_words(source) == tokenized(source)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("for its name", "to be named"),
        ("What it is", "What it was"),
        ("Pixels.", "Its pixels."),
        ("\n\n\n", "\n\n"),
    ],
)
def test_other_words_are_the_same_digest(package: Path, old: str, new: str) -> None:
    before = code_digest(package)
    changed = CODE.replace(old, new)
    assert changed != CODE
    (package / "scan.py").write_text(changed)
    assert code_digest(package) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [("size = 3", "size = 4"), ("# no comment", "# a comment"), ("not a docstring", "no docstring")],
)
def test_other_code_is_another_digest(package: Path, old: str, new: str) -> None:
    before = code_digest(package)
    (package / "scan.py").write_text(CODE.replace(old, new))
    assert code_digest(package) != before


def test_code_counts_at_any_depth_and_the_making_of_weights_does_not(package: Path) -> None:
    before = code_digest(package)
    (package / "training/fit.py").write_text("STEP = 2\n")
    assert code_digest(package) == before
    (package / "deep/er/fit.py").write_text("STEP = 2\n")
    assert code_digest(package) != before


def test_what_is_left_out_is_there():
    assert all((HERE / name).exists() for name in CHANGES_NO_ANSWER)


def test_every_module_on_the_way_of_an_answer_is_in_the_digest_and_no_other_is():
    run = subprocess.run([sys.executable, "-c", ANSWERING], capture_output=True, text=True, check=True)
    used = {Path(file) for file in json.loads(run.stdout) if file}
    counted = set(modules())
    left_out = {path for path in HERE.rglob("*.py") if path not in counted}
    strangers = {path.relative_to(HERE).parts[0] for path in used & left_out}
    assert strangers <= CHANGES_NO_ANSWER - {"training"}, "used on the way, but not in the digest"
    assert counted - used == set(), "in the digest, but used by no answer"


def test_the_digest_of_an_ensemble_names_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    before = shipped.digest(shipped.FOLDER)
    monkeypatch.setattr(shipped, "code_digest", lambda: "another")
    assert shipped.digest(shipped.FOLDER) != before
