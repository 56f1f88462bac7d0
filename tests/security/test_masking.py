"""What an address shows of its secrets: nothing, wherever they stand in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectraq.workers.errors import SettingsError
from spectraq.workers.operations.masking import HARMLESS, masked, masked_secret
from spectraq.workers.settings import load_settings

SPECTRAQ = str(Path(sys.executable).parent / "spectraq")
SECRET = "s3cr3t-w0rd"

SHOWN = [
    ("redis://cache:6379/0", "redis://cache:6379/0"),
    ("redis://somebody:s3cr3t-w0rd@cache:6379/0", "redis://***@cache:6379/0"),
    ("redis://:s3cr3t-w0rd@cache:6379/0", "redis://***@cache:6379/0"),
    ("redis://s3cr3t-w0rd@cache/0", "redis://***@cache/0"),
    ("redis://cache/0?password=s3cr3t-w0rd", "redis://cache/0?password=***"),
    ("redis://cache/0?pass%77ord=s3cr3t-w0rd", "redis://cache/0?pass%77ord=***"),
    ("redis://cache/0?db=1&token=s3cr3t-w0rd&protocol=3", "redis://cache/0?db=1&token=***&protocol=3"),
    ("redis://cache/0?db=1;password=s3cr3t-w0rd", "redis://cache/0?db=***"),
    ("redis://cache/0?s3cr3t-w0rd", "redis://cache/0?***"),
    ("redis://cache/0#s3cr3t-w0rd", "redis://cache/0#***"),
    ("redis://:s3cr3t/w0rd@cache/0", "redis://***"),
    ("redis://:s3cr3t#w0rd@cache/0", "redis://***"),
    ("redis://:s3cr3t?w0rd@cache/0", "redis://***"),
    ("redis://:s3cr3t@w0rd@cache/0", "redis://***@cache/0"),
    ("redis://cache/0?password=s3cr3t@w0rd", "redis://***"),
    ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
    ("rediss://cache/0?ssl_ca_certs=/etc/ca.pem", "rediss://cache/0?ssl_ca_certs=/etc/ca.pem"),
    ("s3cr3t-w0rd", "***"),
    ("://s3cr3t-w0rd", "***"),
]


@pytest.mark.parametrize(("secret", "shown"), SHOWN)
def test_of_a_secret_address_only_where_it_leads_is_shown(secret: str, shown: str) -> None:
    assert masked_secret(secret) == shown


def test_text_is_masked_wherever_an_address_stands_in_it() -> None:
    proxy = "the proxy http://me:s3cr3t-w0rd@proxy:3128/ does not answer"
    assert masked(proxy) == "the proxy http://***@proxy:3128/ does not answer"
    assert masked("no address: 10:00 me@home") == "no address: 10:00 me@home"


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12),
    st.sampled_from(
        [
            "redis://{}@h/0",
            "redis://u:{}@h/0",
            "redis://h/0?password={}",
            "redis://h/0?db=1&x={}",
            "redis://h/0#{}",
        ]
    ),
)
def test_no_writing_of_a_secret_in_an_address_shows_it(before: str, after: str, where: str) -> None:
    shown = masked_secret(where.format(f"{before}{SECRET}{after}"))
    assert SECRET not in shown or any(f"{name}=" in before for name in HARMLESS)


@pytest.mark.parametrize("words", [("config",), ("check",), ("show", "nobody")])
@pytest.mark.parametrize(
    "where", ["u:{}@127.0.0.1:1/0?password={}#{}", "127.0.0.1:1/0?client_name=a&unknown={}&password={}#{}"]
)
def test_no_command_shows_a_secret_of_the_address_of_redis(
    words: tuple[str, ...], where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPECTRAQ_REDIS__URL", "redis://" + where.format(SECRET, SECRET, SECRET))
    monkeypatch.setenv("SPECTRAQ_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("SPECTRAQ_KAFKA__BOOTSTRAP_TIMEOUT_S", "0.1")
    if words == ("check",):
        from spectraq.workers.cli import check

        settings = load_settings()
        said = json.dumps([check._tried(check.CHECKS[name], settings) for name in ("kafka", "redis")])
    else:
        done = subprocess.run([SPECTRAQ, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        said = done.stdout + done.stderr
        assert "Traceback" not in said
    assert said
    assert SECRET not in said


@pytest.mark.parametrize(
    "servers", [f"me:{SECRET}@kafka:9092", f"a:1,me:{SECRET}@b:2", f"kafka:9092?password={SECRET}"]
)
def test_brokers_with_credentials_in_their_address_are_refused_and_not_shown(
    servers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPECTRAQ_KAFKA__BOOTSTRAP_SERVERS", servers)
    with pytest.raises(SettingsError, match=r"bootstrap_servers.*kafka\.sasl_password") as caught:
        load_settings()
    assert SECRET not in str(caught.value)
