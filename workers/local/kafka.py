"""One Kafka broker in KRaft mode, small and quick to start."""

from __future__ import annotations

import base64
import shutil
import subprocess
import uuid
from contextlib import suppress
from pathlib import Path

from spectraq.workers.errors import StackError
from spectraq.workers.local.child import Child
from spectraq.workers.local.jars import Distribution
from spectraq.workers.local.ports import free_port, require_free, wait_for

USUAL_PORT = 9092
START_TIMEOUT_S = 60.0

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={logs}
auto.create.topics.enable=false
message.max.bytes=16777216
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
log.cleaner.dedupe.buffer.size=2097152
num.io.threads=2
num.network.threads=2
background.threads=2
# A killed broker is forgotten, and may start again, after this; but one that stands still for longer has its
# partitions taken away, and transactions that end then lose their markers.
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=300
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
"""


def new_cluster_id() -> str:
    """Return an id as Kafka's own tools make it up."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


class Kafka:
    """A broker with its data in a folder.

    Parameters
    ----------
    distribution
        Kafka's jars.
    folder
        Where settings, log and data of this broker lie; data that is there is kept.
    """

    replication = 1

    def __init__(self, distribution: Distribution, folder: Path) -> None:
        self.distribution = distribution
        self.folder = folder
        self.port = free_port(USUAL_PORT)
        self._controller_port = free_port()
        self._child: Child | None = None
        self._new_archive = folder / "kafka.jsa"

    @property
    def bootstrap_servers(self) -> str:
        """Address for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def child(self) -> Child:
        """The broker's process."""
        if self._child is None:
            raise StackError("Kafka has not been started")
        return self._child

    def start(self) -> None:
        """Start the broker and wait until it answers."""
        require_free(self.port, "Kafka")
        properties = self.folder / "server.properties"
        logs = self.folder / "topics"
        values: dict[str, object] = {
            "port": self.port,
            "controller_port": self._controller_port,
            "logs": logs,
        }
        properties.write_text(self.properties(values))
        if not (logs / "meta.properties").exists():
            self._format(properties, logs)
        archive = None if self.distribution.kafka_archive.exists() else self._new_archive
        command = self.distribution.java_command("kafka.Kafka", str(properties), archive_at_exit=archive)
        self._child = Child("kafka", command, self.folder)
        wait_for(self._child, self.port, START_TIMEOUT_S)

    def properties(self, values: dict[str, object]) -> str:
        """Return the broker's settings, with the ports and folders of this one."""
        return PROPERTIES.format(**values)

    def _format(self, properties: Path, logs: Path) -> None:
        # A formatted, empty folder is the same for every broker: making one takes a Java run, copying none.
        template = self.distribution.folder / "formatted"
        if not template.exists():
            self._format_anew(properties, new_cluster_id())
            shutil.copytree(logs, part := self.folder / "formatted")
            if not template.exists():
                part.rename(template)
            return
        shutil.copytree(template, logs)

    def _format_anew(self, properties: Path, cluster_id: str) -> None:
        arguments = ("format", f"--cluster-id={cluster_id}", "-c", str(properties))
        command = self.distribution.java_command("kafka.tools.StorageTool", *arguments)
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StackError(f"Kafka's storage can't be formatted:\n{done.stdout}{done.stderr}".rstrip())

    def require_running(self) -> None:
        """Raise `StackError` when it has ended."""
        self.child.require_running()

    def stop(self) -> None:
        """End the broker cleanly; the first ever also leaves an archive of Kafka's classes."""
        if self._child is not None:
            self._child.stop()
        if self._new_archive.exists():
            with suppress(OSError):  # it is there for speed alone, and `data` may have got full
                self._new_archive.replace(self.distribution.kafka_archive)

    def kill(self) -> None:
        """End the broker with SIGKILL."""
        self.child.kill()
