"""The programs of the page on brokers, with hop-client, on real Kafka."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from spectraq.workers.local.stack import LocalStack
from tests.support.feed import Feed, numbered

ROOT = Path(__file__).parents[3]
PACKAGES = ("hop-client==0.13.0", "six")
"""The second is imported by the first, which does not say so."""

READ = """
import json, sys
from hop import Stream
from hop.io import StartPosition
with Stream(auth=False, start_at=StartPosition.EARLIEST, until_eos=True).open(sys.argv[1], "r") as topic:
    for message in topic:
        print(json.dumps(message.content))
"""


@pytest.fixture
def hop(stack: LocalStack) -> str:
    """A Python of its own that has hop-client: it pins other versions than ours."""
    folder = stack.data / "hop"
    python = folder / "bin" / "python"
    if not (folder / "bin" / "hop").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return str(python)


def program(name: str, folder: Path) -> str:
    """A program of the page, as a file."""
    page = (ROOT / "docs" / "brokers.md").read_text()
    (text,) = re.findall(rf"```python\n(# {name} .*?)```", page, re.DOTALL)
    (folder / name).write_text(text)
    return str(folder / name)


def run(*words: str, said: str = "") -> str:
    done = subprocess.run(words, input=said, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.soak
def test_spectra_that_hop_sends_are_answered_and_its_readers_get_the_results(
    feed: Feed, hop: str, tmp_path: Path
) -> None:
    spectra = "".join(json.dumps(numbered(i).to_json_dict()) + "\n" for i in range(5))
    schema = str(ROOT / "schemas" / "avro" / "Spectrum" / "1.0.avsc")
    address = f"kafka://{feed.bootstrap_servers}"
    topics = feed.settings().topics
    send = program("send_to_hop.py", tmp_path)
    run(hop, send, schema, f"{address}/{topics.spectra}", "--no-auth", said=spectra)
    balance = feed.work()
    assert (balance.published, balance.dead_lettered) == (5, 0)
    lines = "".join(json.dumps({"value": m.fields}) + "\n" for m in feed.read("redshifts"))
    elsewhere = f"{address}/{topics.verdicts}"
    run(hop, program("results_to_hop.py", tmp_path), elsewhere, "--no-auth", said=lines)
    found = map(json.loads, run(hop, "-c", READ, elsewhere).splitlines())
    assert sorted(row["spectrum_id"] for row in found) == [f"spectrum-{i}" for i in range(5)]
