"""Secrets that come from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from spectraq.workers.errors import SettingsError
from spectraq.workers.settings import load_settings, where

PASSWORD = "SPECTRAQ_KAFKA__SASL_PASSWORD"


def test_a_secret_is_read_from_the_file_that_a_variable_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable, text in ((PASSWORD, "w0rker\n"), ("SPECTRAQ_REDIS__URL", "redis://:pw@redis/0\n")):
        path = tmp_path / variable
        path.write_text(text)
        monkeypatch.setenv(f"{variable}_FILE", str(path))
    settings = load_settings()
    assert settings.kafka.sasl_password is not None
    assert settings.kafka.sasl_password.get_secret_value() == "w0rker"
    assert settings.redis.url.get_secret_value() == "redis://:pw@redis/0"
    assert where(settings)["kafka.sasl_password"] == f"file {tmp_path / PASSWORD}"


def test_a_file_wins_over_the_toml_file_and_both_ways_at_once_are_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "password"
    path.write_text("from-the-file")
    config = tmp_path / "spectraq.toml"
    config.write_text('[kafka]\nsasl_password = "from-toml"\nsasl_username = "worker"\n')
    monkeypatch.setenv(f"{PASSWORD}_FILE", str(path))
    kafka = load_settings(config).kafka
    assert kafka.sasl_password is not None
    assert (kafka.sasl_password.get_secret_value(), kafka.sasl_username) == ("from-the-file", "worker")
    monkeypatch.setenv(PASSWORD, "again")
    with pytest.raises(SettingsError, match=f"both {PASSWORD} and {PASSWORD}_FILE"):
        load_settings()


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), (b"", "is empty"), (b"\xff\xfe", "not UTF-8"), (b"x" * 100_000, "larger than")],
)
def test_a_file_that_holds_no_secret_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(f"{PASSWORD}_FILE", str(path))
    with pytest.raises(SettingsError, match=said) as refused:
        load_settings()
    assert f"{PASSWORD}_FILE" in str(refused.value)
    assert str(path) in str(refused.value)
    assert len(str(refused.value)) < 400


def test_what_is_no_secret_has_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRAQ_KAFKA__GROUP_ID_FILE", "x")
    with pytest.raises(SettingsError, match="GROUP_ID_FILE is not a setting"):
        load_settings()
