"""Settings of what other programs write by schemas of their own: which number is which, and who knows."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, Field, SecretStr, model_validator

from spectraq.schemas.registry import newest, schemas
from spectraq.workers.setting_keys import Section


def _of_spectra(name: str) -> str:
    known = [
        f"{schema.record}/{schema.version}" for schema in schemas().values() if schema.record == "Spectrum"
    ]
    if name not in known:
        latest = newest("Spectrum")
        assert latest is not None
        raise ValueError(f"{name!r} is no schema of spectra; write one of {', '.join(known)}")
    return name


SchemaName = Annotated[str, AfterValidator(_of_spectra)]
SchemaIds = dict[int | UUID, SchemaName]


class SchemaRegistrySettings(Section):
    """A Schema Registry with Confluent's interface, which is asked for schemas that spectraq doesn't know."""

    url: str | None = Field(
        None, description="http:// or https://, with a path where it has one; none: nobody is asked"
    )
    username: str | None = Field(None, description="user of basic authentication")
    password: SecretStr | None = Field(None, description="password of basic authentication")
    token: SecretStr | None = Field(None, description="bearer token, in place of user and password")
    ssl_cafile: str | None = Field(
        None, description="PEM file of the authority behind its certificate; none: the system's"
    )
    ssl_certfile: str | None = Field(None, description="PEM file of a certificate to show, where it asks")
    ssl_keyfile: str | None = Field(None, description="PEM file of that certificate's key")
    timeout_s: float = Field(
        5.0, gt=0, le=15, description="one turn of the worker waits this long for schemas; then it pauses"
    )
    frame_results: bool = Field(
        False, description="workers write the registry's numbers into the frames of what they publish"
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.url is None:
            if self.frame_results:
                raise ValueError("frame_results needs url: the numbers are the registry's")
            return self
        scheme, colon, rest = self.url.partition("://")
        host = rest.partition("/")[0]
        if scheme not in ("http", "https") or not colon or not host:
            raise ValueError("url is no address; write http://HOST:PORT or https://HOST, and its path")
        if set("@?#") & set(self.url):
            raise ValueError("url takes an address alone: the user is username, the password is password")
        if self.token is not None and (self.username or self.password):
            raise ValueError("token stands in place of username and password: give the one or the others")
        if bool(self.username) != bool(self.password):
            raise ValueError("username and password go together")
        if bool(self.ssl_certfile) != bool(self.ssl_keyfile):
            raise ValueError("ssl_certfile and ssl_keyfile go together")
        return self
