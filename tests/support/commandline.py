"""The command line as a user runs it: a process of its own, with settings in its environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SPECTRAQ = Path(sys.executable).parent / "spectraq"


class CommandLine:
    """Runs `spectraq` with some settings in its environment."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.environment = environment
        self.folder = folder

    def __call__(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command and check its exit code."""
        done = subprocess.run(
            [SPECTRAQ, *arguments],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run a command with --json; returns what it printed, a list where it printed several lines."""
        lines = self(*arguments, "--json", code=code).stdout.splitlines()
        values = [json.loads(line) for line in lines]
        return values[0] if len(values) == 1 else values
