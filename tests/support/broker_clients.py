"""Clients of brokers of astronomy, each in a Python of its own, and the relay that writes for them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic

from spectraq.workers.local.stack import LocalStack
from tests.support.feed import Feed, numbered

ROOT = Path(__file__).parents[2]
N = 4
Relay = Callable[..., str]


def program(page: str, begins: str, path: Path) -> None:
    """A program of a page, as a file."""
    text = (ROOT / "docs" / page).read_text()
    (found,) = re.findall(rf"```python\n({re.escape(begins)}.*?)```", text, re.DOTALL)
    path.write_text(found)


def relay_of(feed: Feed, folder: Path, processes: list[subprocess.Popen[str]]) -> Relay:
    """What starts the relay of a topic of results into another form, and returns the topic it writes to."""
    program("wire.md", "import io\nimport json\nimport pathlib\nimport struct", folder / "read_topics.py")
    program("brokers.md", "# relay_results.py", folder / "relay_results.py")
    (folder / "kafka.json").write_text(json.dumps({"bootstrap.servers": feed.bootstrap_servers}))

    def start(form: str, python: str = sys.executable, prefix: str = "") -> str:
        name = f"{feed.name}.{form}"
        words = [str(ROOT / "schemas" / "avro"), "kafka.json", feed.settings().topics.redshifts, form]
        make_topic(feed, f"{prefix}{name}")
        command = [python, "relay_results.py", *words, f"{prefix}{name}"]
        processes.append(subprocess.Popen(command, cwd=folder, text=True))
        return name

    return start


def make_topic(feed: Feed, topic: str) -> None:
    """Make a topic of one partition."""
    client = AdminClient({"bootstrap.servers": feed.bootstrap_servers})
    for future in client.create_topics([NewTopic(topic, 1, 1)]).values():
        future.result()


def answered(feed: Feed) -> dict[str, float]:
    """Spectra that were answered, and their redshifts."""
    feed.publish(numbered(i).model_copy(update={"ra": 10.0 + i, "dec": -5.0}) for i in range(N))
    feed.work()
    return {message.fields["spectrum_id"]: message.fields["z"] for message in feed.read("redshifts")}


def installed(stack: LocalStack, name: str, *packages: str) -> str:
    """A Python of its own that has a client: each pins other versions than ours."""
    folder = stack.data / name
    python = folder / "bin" / "python"
    if not (folder / "done").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        (folder / "done").touch()
    return str(python)


def said(python: str, text: str, *words: str) -> list[Any]:
    """What a program printed, a line of JSON a message."""
    command = [python, "-c", text, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
