"""A broker that lets nobody in without TLS, a password and rights, beside an open door for tests."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import trustme
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography.hazmat.primitives import serialization
from kafka.admin import ACLFilter

from spectraq.workers.local import kafka as local
from spectraq.workers.local.jars import Distribution
from spectraq.workers.local.ports import free_port
from spectraq.workers.transport.connection import administrator
from spectraq.workers.transport.rights import ROLES, Right, grant
from tests.support.wire import said_again

PASSWORDS = {
    "worker": "w0rker-s3cret",
    "publisher": "publ1sh-s3cret",
    "viewer": "v1ew-s3cret",
    "web": "w3b-s3cret",
    "sink": "s1nk-s3cret",
}

MODULES = "org.apache.kafka.common.security"
SECURITY = r"""
listeners=PLAINTEXT://127.0.0.1:{port},SECURE://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SECURE://127.0.0.1:{secure}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location={pem}
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.secure.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required {users};
listener.name.secure.scram-sha-256.sasl.jaas.config={modules}.scram.ScramLoginModule required;
listener.name.secure.scram-sha-512.sasl.jaas.config={modules}.scram.ScramLoginModule required;
listener.name.secure.oauthbearer.sasl.jaas.config={modules}.oauthbearer.OAuthBearerLoginModule required \
  unsecuredLoginStringClaim_sub="broker";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""


def token(user: str, lifetime_s: float = 3600.0) -> str:
    """A token of Kafka's development kind: it names a user and nobody signed it (RFC 7515, appendix A.5)."""
    now = time.time()
    claims = {"sub": user, "iat": now, "exp": now + lifetime_s}
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


class SecureKafka(local.Kafka):
    """A local broker with a second listener: SASL over TLS, and access control lists."""

    def __init__(self, distribution: Distribution, folder: Path) -> None:
        super().__init__(distribution, folder)
        self.secure_port = free_port()
        self.ca_file = folder / "ca.pem"
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca_file))
        leaf = authority.issue_cert("localhost", "127.0.0.1")
        key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
        pkcs8 = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        self._pem = folder / "broker.pem"
        self._pem.write_bytes(pkcs8 + chain + authority.cert_pem.bytes())

    def properties(self, values: dict[str, object]) -> str:
        """The settings of the broker, those of a local one but for what is said again."""
        users = " ".join(f'user_{name}="{password}"' for name, password in PASSWORDS.items())
        said = {"modules": MODULES, "secure": self.secure_port, "pem": self._pem, "users": users}
        again = SECURITY.format(**values, **said)
        return said_again(super().properties(values), again)

    def add_scram_users(self) -> None:
        """Give every user a password for SCRAM too.

        Those that kafka-python makes let nobody in, whatever the client.
        """
        client = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        for name, password in PASSWORDS.items():
            for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
                entry = UserScramCredentialUpsertion(
                    name, ScramCredentialInfo(mechanism, 4096), password.encode()
                )
                for future in client.alter_user_scram_credentials([entry]).values():
                    future.result()


def give(feed: Any, user: str, rights: list[Right]) -> None:
    """Let a user have exactly these rights."""
    with administrator(feed.settings().kafka) as client:
        everything = [right for role in ("worker", "web", "sink") for right in ROLES[role](feed.settings())]
        client.delete_acls([_filter(right, user) for right in everything])
        if rights:
            grant(client, f"User:{user}", rights)


def _filter(right: Right, user: str) -> ACLFilter:
    entry = right.entry(f"User:{user}")
    return ACLFilter(
        entry.principal, entry.host, entry.operation, entry.permission_type, entry.resource_pattern
    )
