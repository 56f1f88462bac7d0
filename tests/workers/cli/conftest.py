"""The command line on a real stack, with topics of its own."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from spectraq.workers.local.stack import LocalStack
from spectraq.workers.topic_settings import Topics
from tests.support.commandline import CommandLine


@pytest.fixture
def online(stack: LocalStack, tmp_path: Path) -> CommandLine:
    """The command line on the stack, with topics and a group of this test's own."""
    name = uuid.uuid4().hex[:8]
    environment = stack.environment() | {
        "SPECTRAQ_KAFKA__GROUP_ID": name,
        "SPECTRAQ_WORKER__SLOT": f"{name}-0",
    }
    for kind in Topics.kinds():
        environment[f"SPECTRAQ_TOPICS__{kind.upper()}"] = f"{name}.{kind}"
    command = CommandLine(environment, tmp_path)
    command("topics", "create")
    return command
