"""How long the local stack takes to start: the first time, and with the archive the first stop leaves."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from spectraq.workers.local import jars
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.settings import load_settings

LATER_STARTS = 3


def start_s(data: Path) -> float:
    begin = time.perf_counter()
    with LocalStack(data):
        return time.perf_counter() - begin


def main() -> None:
    here = jars.fetch(load_settings().local.data)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        kafka = here.folder.parent
        (data / kafka.name).mkdir()
        shutil.copy(kafka / "classpath", data / kafka.name)  # the jars themselves need not be copied
        jars.fetch(data)
        first = start_s(data)
        later = min(start_s(data) for _ in range(LATER_STARTS))
    print(f"first start {first:.1f} s, later {later:.1f} s: {first / later:.1f} times faster")


if __name__ == "__main__":
    main()
