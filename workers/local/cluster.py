"""Several Kafka brokers that replicate to each other, each a controller too."""

from __future__ import annotations

from pathlib import Path

from spectraq.workers.local.child import Child
from spectraq.workers.local.jars import Distribution
from spectraq.workers.local.kafka import START_TIMEOUT_S, Kafka, new_cluster_id
from spectraq.workers.local.ports import free_port, require_free, wait_for

BROKERS = 3
"""Fewer have no majority without one of them, and more are no better on one machine."""
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
"""What brokers of a cluster are told otherwise than a single one; the empty ones are each broker's own."""


class Member(Kafka):
    """One broker of a cluster."""

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

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._child is not None and self._child.running

    def properties(self, values: dict[str, object]) -> str:
        """Return the settings of one broker of several."""
        changed = REPLICATED | {"controller.quorum.voters": self.voters, "node.id": str(self.number)}
        lines = super().properties(values).splitlines()
        kept = [line for line in lines if line.split("=")[0] not in changed]
        return "\n".join([*kept, *(f"{name}={value}" for name, value in changed.items()), ""])

    def launch(self) -> None:
        """Start the process; the first to start does not answer before a second has."""
        require_free(self.port, "Kafka")
        properties, logs = self.folder / "server.properties", self.folder / "topics"
        ports = {"port": self.port, "controller_port": self._controller_port}
        properties.write_text(self.properties({**ports, "logs": logs}))
        if not (logs / "meta.properties").exists():
            self._format(properties, logs)
        command = self.distribution.java_command("kafka.Kafka", str(properties))
        self._child = Child("kafka", command, self.folder)

    def start(self) -> None:
        """Start it beside others that run."""
        self.launch()
        self.wait()

    def wait(self) -> None:
        """Wait until it answers."""
        wait_for(self.child, self.port, START_TIMEOUT_S)

    def _format(self, properties: Path, logs: Path) -> None:
        self._format_anew(properties, self.cluster)


class Cluster:
    """Three brokers with their data in a folder; every topic has three replicas and needs two.

    Parameters
    ----------
    distribution
        Kafka's jars.
    folder
        Of the brokers' own folders; data that is there is kept.
    """

    replication = BROKERS

    def __init__(self, distribution: Distribution, folder: Path) -> None:
        cluster = _cluster_of(folder)
        self.brokers = []
        for number in range(1, BROKERS + 1):
            own = folder / f"broker-{number}"
            own.mkdir(parents=True, exist_ok=True)
            self.brokers.append(Member(distribution, own, number, cluster))
        for broker in self.brokers:
            broker.voters = ",".join(other.voter for other in self.brokers)

    @property
    def bootstrap_servers(self) -> str:
        """Addresses for clients."""
        return ",".join(broker.bootstrap_servers for broker in self.brokers)

    def start(self) -> None:
        """Start all brokers and wait until they answer."""
        for broker in self.brokers:
            broker.launch()
        for broker in self.brokers:
            broker.wait()

    def stop(self) -> None:
        """End them cleanly, all at once: the last one alone would wait for a majority that is gone."""
        running = [broker.child for broker in self.brokers if broker.running]
        for child in running:
            child.process.terminate()
        for child in running:
            child.stop()

    def require_running(self) -> None:
        """Raise `StackError` when no majority of them runs; one may be killed, that is what they are for."""
        ended = [broker for broker in self.brokers if not broker.running]
        if len(ended) > BROKERS // 2:
            ended[-1].child.require_running()


def _cluster_of(folder: Path) -> str:
    """Return the id that all brokers of a folder share, made up at the first start."""
    path = folder / "cluster.id"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(new_cluster_id())
    return path.read_text()
