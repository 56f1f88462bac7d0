"""What a process of the pool runs: it answers with networks of its own until its owner is gone."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from spectraq.models.processes import wire
from spectraq.models.processes.pool import GONE


def serve(order: dict[str, Any]) -> None:
    """Answer what comes, until the owner is gone or something goes wrong: the owner then does it itself."""
    from spectraq.models.pipeline import Pipeline

    weights = Path(order["weights"]) if order["weights"] else None
    pipeline = Pipeline.load(weights, threads=1, members=order["members"])
    further = _function(order["further"])
    with Connection(order["descriptor"]) as connection, suppress(*GONE):
        connection.send_bytes(pipeline.digest.encode())
        while True:
            description, arrays = connection.recv_bytes(), connection.recv_bytes()
            try:
                if request := json.loads(description).get("further"):
                    parts = json.dumps(further(pipeline, request)).encode(), b""
                else:
                    parts = wire.written(pipeline.analyze(*wire.unpacked(description, arrays)))
            except Exception:
                parts = b"", b""  # the owner meets the same error, and knows what to do with it
            for part in parts:
                connection.send_bytes(part)


def _function(name: str | None) -> Callable[[Any, Any], Any]:
    """Return the function of a name "module:function"."""
    if name is None:
        return lambda pipeline, request: None
    module, _, function = name.partition(":")
    found: Callable[[Any, Any], Any] = getattr(import_module(module), function)
    return found
