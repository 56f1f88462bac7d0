"""Three real brokers that replicate to each other, for tests that kill one of them at a time."""

from __future__ import annotations

import base64
import shutil
import subprocess
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from spectraq.workers.errors import StackError
from spectraq.workers.local import jars
from spectraq.workers.local.child import Child
from spectraq.workers.local.jars import Distribution
from spectraq.workers.local.kafka import START_TIMEOUT_S, Kafka
from spectraq.workers.local.ports import choosing, free_port, require_free, wait_for

NODES = 3
REPLICATED = {
    "controller.quorum.voters": "",
    "node.id": "",
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
}
"""What three brokers are told otherwise than one; the empty ones are each cluster's own."""


class Node(Kafka):
    """One of the brokers, a controller too."""

    def __init__(self, distribution: Distribution, folder: Path, number: int, cluster: str) -> None:
        super().__init__(distribution, folder)
        self.port = free_port()
        self.number = number
        self.cluster = cluster
        self.voters = ""

    @property
    def voter(self) -> str:
        """How the others know it."""
        return f"{self.number}@127.0.0.1:{self._controller_port}"

    def properties(self, values: dict[str, object]) -> str:
        """The settings of one broker of three."""
        changed = REPLICATED | {"controller.quorum.voters": self.voters, "node.id": str(self.number)}
        lines = super().properties(values).splitlines()
        kept = [line for line in lines if line.split("=")[0] not in changed]
        return "\n".join([*kept, *(f"{name}={value}" for name, value in changed.items()), ""])

    def launch(self) -> None:
        """Start the process; the first to start does not answer before the second has."""
        require_free(self.port, "Kafka")
        properties, logs = self.folder / "server.properties", self.folder / "topics"
        ports = {"port": self.port, "controller_port": self._controller_port}
        properties.write_text(self.properties({**ports, "logs": logs}))
        if not (logs / "meta.properties").exists():
            self._format(properties, logs)
        command = self.distribution.java_command("kafka.Kafka", str(properties))
        self._child = Child("kafka", command, self.folder)

    def start(self) -> None:
        """Start it beside two that run."""
        self.launch()
        self.wait()

    def wait(self) -> None:
        """Wait until it answers."""
        wait_for(self.child, self.port, START_TIMEOUT_S)

    def _format(self, properties: Path, logs: Path) -> None:
        arguments = ("format", f"--cluster-id={self.cluster}", "-c", str(properties))
        command = self.distribution.java_command("kafka.tools.StorageTool", *arguments)
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StackError(f"Kafka's storage can't be formatted:\n{done.stdout}{done.stderr}".rstrip())


class ThreeBrokers:
    """Three brokers for the time of a `with` block; every topic has three replicas and needs two.

    Parameters
    ----------
    data
        Folder of Kafka's jars.
    folder
        Of the brokers' own folders; removed at the end.
    """

    def __init__(self, data: Path, folder: Path) -> None:
        self._data = data
        self._folder = folder

    def __enter__(self) -> Self:
        """Start all three."""
        distribution = jars.fetch(self._data)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self.nodes: list[Node] = []
        with choosing():
            for number in range(1, NODES + 1):
                folder = self._folder / str(number)
                folder.mkdir(parents=True)
                self.nodes.append(Node(distribution, folder, number, cluster))
            for node in self.nodes:
                node.voters = ",".join(other.voter for other in self.nodes)
                node.launch()
            for node in self.nodes:
                node.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill them: of their topics nothing is kept."""
        for node in self.nodes:
            if node._child is not None:
                node.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def bootstrap_servers(self) -> str:
        """Addresses for clients."""
        return ",".join(node.bootstrap_servers for node in self.nodes)
