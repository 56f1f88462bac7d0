"""Settings of filters: those of all, and each filter by its name."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from spectraq.workers.setting_keys import Section

NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")


def _is_network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no network, such as 10.1.2.0/24: {error}") from None
    return text


class FilterSettings(Section):
    """One filter: its expression, and where else its results go."""

    expression: str = Field(description="what a spectrum's results are asked, in CEL")
    webhook: str | None = Field(
        None, description="https:// or http:// address that its results are posted to; none: its topic alone"
    )
    webhook_key_file: Path | None = Field(
        None, description="file of the key that posts are signed with (HMAC-SHA256)"
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.webhook is None:
            if self.webhook_key_file is not None:
                raise ValueError("webhook_key_file needs webhook: there is nothing to sign")
            return self
        address = urlsplit(self.webhook)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError("webhook is no address; write https://HOST/PATH")
        if address.username or address.password:
            raise ValueError("webhook takes no user and password; sign posts with webhook_key_file")
        return self


class FiltersSettings(Section):
    """Filters over the results of each spectrum, each in a section of its own: `[filters.NAME]`."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, FilterSettings]

    topic: str = Field(
        "spectraq.filtered", description="topics of filters begin with this, a dot, and the filter's name"
    )
    group_id: str = Field("spectraq-filters", description="processes of one group share the partitions")
    wait_s: float = Field(
        30.0,
        gt=0,
        description="a result that every spectrum has is waited for so long behind its classification",
    )
    settle_s: float = Field(
        0.5, gt=0, description="the same for a result that only some spectra have, once all are read"
    )
    commit_s: float = Field(0.2, gt=0, description="what passed is published this often")
    held: int = Field(20_000, ge=1000, description="results in hand that wait for others, at most")
    evaluation_s: float = Field(
        0.1, gt=0, description="an evaluation that takes more of a core's time counts as failed"
    )
    failures: int = Field(
        20, ge=1, description="after so many evaluations in a row that fail a filter is suspended"
    )
    suspended_s: float = Field(300.0, gt=0, description="and asked again after this")
    webhook_hosts: tuple[str, ...] = Field(
        (), description="names of the hosts that webhooks may go to; none: to none"
    )
    webhook_networks: tuple[Annotated[str, AfterValidator(_is_network)], ...] = Field(
        (), description="inner networks that they may go to, such as 10.1.2.0/24; none: only public addresses"
    )
    webhook_timeout_s: float = Field(5.0, gt=0, le=20, description="a post may take this long")
    webhook_tries: int = Field(
        8, ge=1, le=100, description="of a post, ever slower; then it is left out, and counted"
    )

    @property
    def named(self) -> dict[str, FilterSettings]:
        """The filters by name."""
        return dict(self.__pydantic_extra__ or {})

    def topic_of(self, name: str) -> str:
        """Return the topic of a filter."""
        return f"{self.topic}.{name}"

    @model_validator(mode="after")
    def _are_whole(self) -> Self:
        for name, one in self.named.items():
            if not NAME.fullmatch(name):
                raise ValueError(
                    f"{name!r} names no filter: small letters, digits, - and _, a letter first, 63 at most"
                )
            host = urlsplit(one.webhook or "").hostname
            if host and host not in self.webhook_hosts:
                raise ValueError(f"{name}.webhook: {host!r} is not among webhook_hosts")
        return self


def is_of_a_filter(variable: str) -> bool:
    """Return whether a variable of the environment, its prefix taken off, is a key of one filter."""
    section, _, key = variable.rpartition("__")
    return re.fullmatch("FILTERS__[A-Z0-9_-]+", section) is not None and (
        key.lower() in FilterSettings.model_fields
    )
