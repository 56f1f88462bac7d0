"""Every setting, its default and its meaning, in one frozen tree.

A value comes from, in this order: the command line, the environment (`SPECTRAQ_KAFKA__BOOTSTRAP_SERVERS`),
a TOML file (`--config FILE`, else `SPECTRAQ_CONFIG`, else `spectraq.toml` in the current folder), the
default. An unknown key is an error. `spectraq config` prints what is in force and where it came from.
"""

from __future__ import annotations

import os
import socket
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from spectraq.workers.archive_settings import ArchiveSettings
from spectraq.workers.errors import SettingsError
from spectraq.workers.feed_settings import SchemaIds, SchemaRegistrySettings
from spectraq.workers.filter_settings import FilterSettings, FiltersSettings, is_of_a_filter
from spectraq.workers.objects_settings import ObjectsSettings
from spectraq.workers.secret_files import SecretFiles, variables
from spectraq.workers.setting_keys import Section, keys_of
from spectraq.workers.topic_settings import Topics

MOST_TRIES = 100
"""Kafka takes 4096 bytes beside an offset, and each try is a name."""


ENV_PREFIX = "SPECTRAQ_"
CONFIG_VARIABLE = "SPECTRAQ_CONFIG"
DEFAULT_CONFIG = "spectraq.toml"

_asked_for: ContextVar[Path | None] = ContextVar("config file of the command line", default=None)


class KafkaSettings(Section):
    """How to reach Kafka."""

    bootstrap_servers: str = Field("localhost:9092", description="host:port of the brokers, comma-separated")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="encryption and authentication of the listener"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = Field(
        None, description="how to prove who is asking"
    )
    sasl_username: str | None = Field(None, description="user of PLAIN and SCRAM")
    sasl_password: SecretStr | None = Field(None, description="password of PLAIN and SCRAM")
    sasl_token_file: Path | None = Field(
        None,
        description="file of OAUTHBEARER's token; read for each connection, so it may be renewed in place",
    )
    ssl_cafile: str | None = Field(
        None, description="PEM file of the authority behind the broker's certificate"
    )
    group_id: str = Field("spectraq-workers", description="workers of one group share the partitions")
    bootstrap_timeout_s: float = Field(6.0, gt=0, description="give up on a broker that does not answer")
    call_timeout_s: float = Field(
        10.0,
        ge=1,
        description="any one call to Kafka may take this long; longer than a dead broker is missed",
    )
    session_timeout_s: float = Field(10.0, gt=0, description="a silent worker's partitions go to others")
    max_poll_interval_s: float = Field(30.0, gt=0, description="a worker that does not poll is out")
    transaction_timeout_s: float = Field(
        15.0, gt=0, description="the broker aborts a transaction that is open for longer; readers wait for it"
    )
    max_message_bytes: int = Field(8 << 20, ge=1 << 16, description="the largest message taken in or sent")
    max_batch_bytes: int = Field(
        32 << 20,
        ge=1 << 16,
        description="a record batch that unpacks to more is a dead letter; never less than max_message_bytes",
    )
    compression: Literal["none", "lz4", "zstd"] = Field("none", description="of the results on their topics")
    schema_ids: SchemaIds = Field(
        {},
        description="numbers and GUIDs that a registry gave schemas of ours, by our name: 57 is Spectrum/1.0",
    )
    schema_registry: SchemaRegistrySettings = SchemaRegistrySettings()

    @field_validator("bootstrap_servers")
    @classmethod
    def _no_credentials(cls, servers: str) -> str:
        if set("@?#") & set(servers):
            raise ValueError(
                "only host:port, with commas between; user and password are kafka.sasl_username and"
                " kafka.sasl_password"
            )
        for server in filter(None, map(str.strip, servers.split(","))):
            host, colon, port = server.rpartition(":")
            if not (host and colon and port.isdecimal() and 0 < int(port) < 1 << 16):
                name = server.partition(":")[0]  # what stands behind it may be a secret
                raise ValueError(
                    f"{name!r} names no port; write host:port, such as {name or 'localhost'}:9092"
                )
        return servers

    @model_validator(mode="after")
    def _sasl_is_whole(self) -> Self:
        asked = self.security_protocol.startswith("SASL_")
        if asked and self.sasl_mechanism is None:
            raise ValueError(
                f"security_protocol {self.security_protocol} needs sasl_mechanism:"
                " PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"
            )
        if self.sasl_mechanism is not None and not asked:
            asking = "SASL_SSL" if self.security_protocol == "SSL" else "SASL_PLAINTEXT"
            raise ValueError(
                f"sasl_mechanism {self.sasl_mechanism} has no effect with security_protocol"
                f" {self.security_protocol}; write {asking}"
            )
        given = {"sasl_username": self.sasl_username, "sasl_password": self.sasl_password}
        missing = [name for name, value in given.items() if not value]
        if asked and self.sasl_mechanism != "OAUTHBEARER" and missing:
            raise ValueError(f"sasl_mechanism {self.sasl_mechanism} needs {' and '.join(missing)}")
        return self


class RedisSettings(Section):
    """The cache, and what is normal in the stream. An aid: without it spectra are answered all the same."""

    url: SecretStr = Field(
        SecretStr("redis://localhost:6379/0"),
        description="redis://, rediss:// or unix://, with credentials",
    )
    enabled: bool = Field(True, description="use the cache at all")
    ttl_s: int = Field(7 * 86400, ge=1, description="an answer is kept this long")
    timeout_s: float = Field(0.2, gt=0, description="a call that takes longer counts as failed; no retries")
    signing_key: SecretStr | None = Field(
        None,
        description="entries not signed with this key are ignored; none: only damage is noticed",
    )


class WorkerSettings(Section):
    """One worker process."""

    delivery: Literal["at_least_once", "exactly_once"] = Field(
        "at_least_once", description="what a reader may see after a crash: a result twice, or never twice"
    )
    slot: str = Field(
        default_factory=socket.gethostname,
        pattern=r"^[A-Za-z0-9._-]{1,200}$",
        description="name that survives a restart of this worker; no two running workers may share one",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="of the networks; auto: a GPU if any")
    threads: int = Field(0, ge=0, description="CPU cores of the networks; 0: all there are")
    weights: Path | None = Field(None, description="folder of other weights, as `spectraq train` writes them")
    members: tuple[str, ...] = Field((), description="networks to ask, by name; none: the whole ensemble")
    adapt: bool = Field(
        True,
        description="judge anomalies by what their stream, kept in Redis, or their folder shows to be normal",
    )
    ranking: Path | None = Field(
        None,
        description="file that `spectraq train --from-verdicts` wrote: the strangest are listed by it",
    )
    batch_spectra: int = Field(64, ge=1, description="spectra a batch at most")
    batch_pixels: int = Field(2_000_000, ge=1, description="pixels a batch at most")
    batch_bytes: int = Field(64 << 20, ge=1, description="message bytes a batch at most")
    max_wait_s: float = Field(
        0.05, ge=0, description="while the networks work, a batch waits this long for more spectra"
    )
    max_pixels: int = Field(200_000, ge=100, description="a spectrum with more pixels is a dead letter")
    priority_rate: float = Field(
        20.0, ge=0, description="urgent spectra a second at most, so that the others go on; 0: no limit"
    )
    publish_models: bool = Field(False, description="publish ModelSpectrum too")
    publish_measurements: bool = Field(
        True,
        description="publish Measurement too; false saves a core some 10 ms a spectrum",
    )
    changes: bool = Field(
        False,
        description="remember spectra by object, and publish a Change of each that has an earlier one",
    )
    max_tries: int = Field(
        3,
        ge=1,
        le=MOST_TRIES,
        description="a spectrum or batch that ends the process this often, tried alone, is a dead letter",
    )
    grace_s: float = Field(20.0, gt=0, description="time to finish what is in hand after SIGTERM")
    analysis_timeout_s: float = Field(
        120.0, gt=0, description="restart when the networks take longer than this for a batch"
    )
    rejoin_s: float = Field(10.0, gt=0, description="subscribe again after this long outside the group")
    stall_s: float = Field(
        12.0,
        gt=0,
        description="subscribe again after this long without progress despite lag; then restart",
    )
    health_host: str = Field("127.0.0.1", description="address of /livez, /readyz and /metrics")
    health_port: int = Field(0, ge=0, le=65535, description="its port; 0: a free one")


class LogSettings(Section):
    """Logs go to stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="the least that is logged"
    )
    format: Literal["auto", "console", "json"] = Field("auto", description="auto: JSON unless on a terminal")


class WebSettings(Section):
    """The page of `spectraq web`."""

    token: SecretStr | None = Field(
        None, description="what viewers must show; needed, or made up, where not this machine alone can look"
    )


class LocalSettings(Section):
    """The local stack of `spectraq up`."""

    data: Path = Field(
        default_factory=lambda: Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spectraq",
        description="folder of Kafka's jars, logs and Redis's socket",
    )


class Settings(BaseSettings):
    """The whole tree."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        toml_file=DEFAULT_CONFIG,
    )

    kafka: KafkaSettings = KafkaSettings()
    topics: Topics = Topics()
    redis: RedisSettings = RedisSettings()
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    log: LogSettings = LogSettings()
    web: WebSettings = WebSettings()
    objects: ObjectsSettings = ObjectsSettings()
    archive: ArchiveSettings = ArchiveSettings()
    filters: FiltersSettings = FiltersSettings()
    local: LocalSettings = Field(default_factory=LocalSettings)

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line, then environment, then files that the environment names, then the TOML file."""
        files = variables(settings_cls, ENV_PREFIX)
        assert isinstance(env_settings, EnvSettingsSource)
        # read as nested keys, they would be keys that no section has
        env_settings.env_vars = {
            name: value for name, value in env_settings.env_vars.items() if name.upper() not in files
        }
        secrets = SecretFiles(settings_cls, ENV_PREFIX)
        return init_settings, env_settings, secrets, TomlConfigSettingsSource(settings_cls, _config_file())

    def model_post_init(self, context: Any, /) -> None:
        """Remember where each value came from, the strongest source last."""
        for key in _leaves(TomlConfigSettingsSource(type(self), _config_file())()):
            self._origins[key] = f"file {_config_file()}"
        files = variables(type(self), ENV_PREFIX)
        for name in os.environ:
            if name.upper() in files:
                self._origins[".".join(files[name.upper()])] = f"file {os.environ[name]}"
                continue
            key = name.upper().removeprefix(ENV_PREFIX).lower().replace("__", ".")
            if name.upper().startswith(ENV_PREFIX):
                self._origins[key] = f"environment {name}"


def load_settings(config: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings in force.

    Parameters
    ----------
    config
        A TOML file to read in place of `SPECTRAQ_CONFIG` and `spectraq.toml`.
    overrides
        What the command line gives, by section: `worker={"device": "cpu"}`.

    Raises
    ------
    SettingsError
        Naming the key, what is wrong with it and what would be right.
    """
    _asked_for.set(config)
    if (config or os.environ.get(CONFIG_VARIABLE)) and not _config_file().is_file():
        raise SettingsError(f"settings: the file {_config_file()} does not exist; name one that does")
    _refuse_unknown_variables()
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors(include_input=False)
        ]
        raise SettingsError("settings: " + "; ".join(lines)) from None  # the cause would print secrets
    except (OSError, ValueError) as error:
        raise SettingsError(f"settings: {_config_file()}: {error}") from None
    settings._origins.update(dict.fromkeys(_leaves(overrides), "command line"))
    return settings


def where(settings: Settings) -> dict[str, str]:
    """Return the origin of each value by dotted key: "default", "command line", a file or a variable."""
    keys = [".".join(key) for key, _ in keys_of(Settings)]
    keys += [
        f"filters.{name}.{key}" for name in settings.filters.named for key in FilterSettings.model_fields
    ]
    return {key: settings._origins.get(key, "default") for key in keys}


def _config_file() -> Path:
    return _asked_for.get() or Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG)


def _leaves(tree: dict[str, Any]) -> list[str]:
    """Return the dotted keys of the settings that a tree gives."""
    named = tree.get("filters", {})
    of_filters = named.items() if isinstance(named, dict) else ()
    return [
        *(".".join(key) for key, _ in keys_of(Settings) if _gives(tree, key)),
        *(f"filters.{name}.{key}" for name, given in of_filters if isinstance(given, dict) for key in given),
    ]


def _gives(tree: Any, key: tuple[str, ...]) -> bool:
    if isinstance(tree, BaseModel):
        tree = tree.model_dump(exclude_unset=True)
    if not key or not isinstance(tree, dict):
        return not key
    return key[0] in tree and _gives(tree[key[0]], key[1:])


def _refuse_unknown_variables() -> None:
    """The library ignores a misspelt section in the environment; a night with default settings is worse."""
    names = {CONFIG_VARIABLE, *variables(Settings, ENV_PREFIX)}
    names |= {f"{ENV_PREFIX}{'__'.join(key)}".upper() for key, _ in keys_of(Settings)}
    for name in os.environ:
        known = name.upper() in names or is_of_a_filter(name.upper().removeprefix(ENV_PREFIX))
        if name.upper().startswith(ENV_PREFIX) and not known:
            raise SettingsError(f"settings: {name} is not a setting; `spectraq config` lists them all")
