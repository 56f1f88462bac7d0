"""A broker with TLS, passwords and rights, for all tests of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spectraq.workers.local import jars
from spectraq.workers.local.ports import choosing
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.settings import Settings, load_settings
from tests.support.feed import Feed
from tests.support.securekafka import PASSWORDS, SecureKafka, token


@pytest.fixture(scope="session")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """The broker, with its users."""
    folder: Path = tmp_path_factory.mktemp("secure")
    distribution = jars.fetch(load_settings().local.data)
    with choosing():
        kafka = SecureKafka(distribution, folder)
        kafka.start()
    kafka.add_scram_users()
    yield kafka
    kafka.stop()


class SecureFeed(Feed):
    """Topics that are made and read through the open door, and settings that go through the guarded one."""

    def __init__(self, kafka: SecureKafka, redis_url: str) -> None:
        super().__init__(kafka.bootstrap_servers, redis_url)
        self.kafka = kafka

    def sections_as(self, user: str, mechanism: str = "SCRAM-SHA-512", **worker: Any) -> dict[str, Any]:
        """The settings of somebody who must say who he is."""
        sections = self.sections(**worker)
        sections["kafka"] |= {
            "bootstrap_servers": f"127.0.0.1:{self.kafka.secure_port}",
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": mechanism,
            "sasl_username": user,
            "sasl_password": PASSWORDS[user],
            "ssl_cafile": str(self.kafka.ca_file),
        }
        if mechanism == "OAUTHBEARER":
            path = self.kafka.folder / f"{user}.token"
            path.write_text(token(user) + "\n")
            sections["kafka"] |= {"sasl_token_file": str(path)}
        return sections

    def settings_as(self, user: str, mechanism: str = "SCRAM-SHA-512", **worker: Any) -> Settings:
        """The same, read."""
        return load_settings(**self.sections_as(user, mechanism, **worker))


@pytest.fixture
def feed(secure: SecureKafka, stack: LocalStack) -> SecureFeed:
    """Fresh topics on the guarded broker."""
    return SecureFeed(secure, stack.redis_url)
