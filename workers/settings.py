"""Every setting, its default and its meaning, in one frozen tree.

A value comes from, in this order: the command line, the environment (`SPECTRAQ_KAFKA__BOOTSTRAP_SERVERS`),
a TOML file (`--config FILE`, else `SPECTRAQ_CONFIG`, else `spectraq.toml` in the current folder), the default.
An unknown key is an error. `spectraq config` prints what is in force and where it came from.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from workers.errors import SettingsError


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Topics(_Section):
    """Names of the topics, and how missing ones are created."""

    spectra: str = "spectraq.spectra"
    classifications: str = "spectraq.classifications"
    redshifts: str = "spectraq.redshifts"
    anomalies: str = "spectraq.anomalies"
    models: str = "spectraq.models"
    dead_letters: str = "spectraq.dead-letters"
    partitions: int = Field(4, ge=1, description="partitions of a topic that spectraq creates")
    replication: int = Field(1, ge=1, description="replicas of a topic that spectraq creates")


class KafkaSettings(_Section):
    """How to reach Kafka."""

    bootstrap_servers: str = "localhost:9092"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_cafile: str | None = None
    group_id: str = "spectraq-workers"
    bootstrap_timeout_s: float = Field(6.0, gt=0, description="give up on a broker that does not answer")
    session_timeout_s: float = Field(10.0, gt=0, description="a silent worker's partitions go to others after this")
    max_poll_interval_s: float = Field(30.0, gt=0, description="a worker that does not poll for this long is out")
    max_message_bytes: int = Field(8 << 20, ge=1 << 16, description="the largest message taken in or sent")
    compression: Literal["none", "lz4", "zstd"] = "none"


class RedisSettings(_Section):
    """The cache. An aid: without it the answers are the same, only slower."""

    url: SecretStr = SecretStr("redis://localhost:6379/0")
    enabled: bool = True
    ttl_s: int = Field(7 * 86400, ge=1, description="an answer is kept this long")
    timeout_s: float = Field(0.2, gt=0, description="a call that takes longer counts as failed; no retries")


class WorkerSettings(_Section):
    """One worker process."""

    delivery: Literal["at_least_once", "exactly_once"] = "at_least_once"
    slot: str = Field(default_factory=socket.gethostname, description="name that survives a restart of this worker")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(0, ge=0, description="CPU threads of the networks; 0: one for each core")
    batch_spectra: int = Field(64, ge=1, description="spectra a batch at most")
    batch_pixels: int = Field(2_000_000, ge=1, description="pixels a batch at most")
    batch_bytes: int = Field(64 << 20, ge=1, description="message bytes a batch at most")
    max_wait_s: float = Field(0.05, ge=0, description="a batch waits this long for more spectra")
    max_pixels: int = Field(200_000, ge=100, description="a spectrum with more pixels is a dead letter")
    publish_models: bool = Field(False, description="publish ModelSpectrum too")
    grace_s: float = Field(20.0, gt=0, description="time to finish what is in hand after SIGTERM")
    health_host: str = "127.0.0.1"
    health_port: int = Field(0, ge=0, le=65535, description="/livez /readyz /metrics; 0 picks a free port")


class LogSettings(_Section):
    """Logs go to stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = Field("auto", description="auto: console on a terminal, else JSON")


class LocalSettings(_Section):
    """The local stack of `spectraq up`."""

    data: Path = Field(
        default_factory=lambda: Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spectraq",
        description="folder of Kafka's jars, logs and Redis's socket",
    )


class Settings(BaseSettings):
    """The whole tree."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="SPECTRAQ_", env_nested_delimiter="__", toml_file="spectraq.toml"
    )

    kafka: KafkaSettings = KafkaSettings()
    topics: Topics = Topics()
    redis: RedisSettings = RedisSettings()
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    log: LogSettings = LogSettings()
    local: LocalSettings = Field(default_factory=LocalSettings)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource, dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line, then environment, then the TOML file."""
        toml = TomlConfigSettingsSource(settings_cls, os.environ.get("SPECTRAQ_CONFIG", "spectraq.toml"))
        return init_settings, env_settings, toml


def load_settings(**overrides: Any) -> Settings:
    """Read the settings in force.

    Raises
    ------
    SettingsError
        Naming the key, what is wrong with it and what would be right.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise SettingsError("settings: " + "; ".join(lines)) from error
