"""What an operator may set, and what he is told when he sets it wrong."""

import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from spectraq.workers.cli.config import leaves
from spectraq.workers.errors import SettingsError
from spectraq.workers.setting_keys import keys_of
from spectraq.workers.settings import Settings, load_settings, where

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import os

    for name in list(os.environ):
        if name.startswith("SPECTRAQ_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_command_line_beats_the_environment_beats_the_file_beats_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Path("spectraq.toml").write_text('[worker]\nslot = "file"\nthreads = 3\nmax_wait_s = 0.5\n')
    monkeypatch.setenv("SPECTRAQ_WORKER__SLOT", "environment")
    monkeypatch.setenv("SPECTRAQ_WORKER__THREADS", "2")
    settings = load_settings(worker={"slot": "command-line"})
    assert (settings.worker.slot, settings.worker.threads, settings.worker.max_wait_s) == (
        "command-line",
        2,
        0.5,
    )
    origins = where(settings)
    assert origins["worker.slot"] == "command line"
    assert origins["worker.threads"] == "environment SPECTRAQ_WORKER__THREADS"
    assert origins["worker.max_wait_s"] == "file spectraq.toml"
    assert origins["worker.device"] == "default"


def test_every_value_in_force_has_an_origin() -> None:
    settings = load_settings()
    assert set(where(settings)) == set(leaves(settings))


def test_a_mapping_of_schema_numbers_comes_from_the_environment_as_from_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guid = "6da336d8-f1d3-0f98-4c47-d03ee8a14a10"
    Path("spectraq.toml").write_text(f'[kafka.schema_ids]\n57 = "Spectrum/1.0"\n{guid} = "Spectrum/1.0"\n')
    assert load_settings().kafka.schema_ids == dict.fromkeys((57, UUID(guid)), "Spectrum/1.0")
    assert where(load_settings())["kafka.schema_ids"] == "file spectraq.toml"
    monkeypatch.setenv("SPECTRAQ_KAFKA__SCHEMA_IDS", '{"58": "Spectrum/1.0"}')
    assert 58 in load_settings().kafka.schema_ids
    assert where(load_settings())["kafka.schema_ids"] == "environment SPECTRAQ_KAFKA__SCHEMA_IDS"
    for wrong in ('{"58": "Spectrum/9.0"}', '{"58": "Redshift/1.0"}', '{"58": "10100"}'):
        monkeypatch.setenv("SPECTRAQ_KAFKA__SCHEMA_IDS", wrong)
        with pytest.raises(SettingsError, match=r"kafka\.schema_ids\.58: .* write one of Spectrum/1\.0"):
            load_settings()


def test_a_section_in_a_section_is_set_by_the_environment_and_its_secrets_by_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("token").write_text("t0ken\n")
    monkeypatch.setenv("SPECTRAQ_KAFKA__SCHEMA_REGISTRY__URL", "https://registry.example/apis/ccompat/v7")
    monkeypatch.setenv("SPECTRAQ_KAFKA__SCHEMA_REGISTRY__TOKEN_FILE", "token")
    asked = load_settings().kafka.schema_registry
    assert asked.token is not None and asked.token.get_secret_value() == "t0ken"
    assert where(load_settings())["kafka.schema_registry.token"] == "file token"
    monkeypatch.setenv("SPECTRAQ_KAFKA__SCHEMA_REGISTRY__ULR", "x")
    with pytest.raises(SettingsError, match="SCHEMA_REGISTRY__ULR is not a setting"):
        load_settings()


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ({"url": "registry:8081"}, "write http://HOST:PORT"),
        ({"url": "http://user:hunter2@registry"}, "the user is username"),
        ({"url": "http://registry", "username": "a"}, "go together"),
        (
            {"url": "http://registry", "username": "a", "password": "hunter2", "token": "hunter3"},
            "in place of",
        ),
        ({"url": "http://registry", "ssl_certfile": "a"}, "go together"),
        ({"frame_results": True}, "needs url"),
    ],
)
def test_a_registry_that_is_set_wrong_is_refused_with_the_remedy(said: dict[str, Any], remedy: str) -> None:
    with pytest.raises(SettingsError, match=remedy) as caught:
        load_settings(kafka={"schema_registry": said})
    assert "hunter" not in str(caught.value)


def test_an_unknown_key_is_an_error_in_the_file_and_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("other.toml").write_text("[worker]\nslots = 2\n")
    with pytest.raises(SettingsError, match=r"worker\.slots"):
        load_settings(Path("other.toml"))
    monkeypatch.setenv("SPECTRAQ_KAFAK__GROUP_ID", "x")
    with pytest.raises(SettingsError, match="SPECTRAQ_KAFAK__GROUP_ID is not a setting"):
        load_settings()


def test_a_file_that_is_missing_or_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml does not exist"):
        load_settings(Path("nowhere.toml"))
    Path("bad.toml").write_text("worker = [")
    with pytest.raises(SettingsError, match=r"bad\.toml"):
        load_settings(Path("bad.toml"))


def test_an_error_names_the_key_and_never_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRAQ_REDIS__URL", "redis://:hunter2@localhost/0")
    monkeypatch.setenv("SPECTRAQ_WORKER__BATCH_SPECTRA", "0")
    with pytest.raises(SettingsError, match=r"worker\.batch_spectra: Input should be greater") as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_secrets_are_masked_in_the_printed_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPECTRAQ_REDIS__URL", "redis://:hunter2@localhost/0")
    monkeypatch.setenv("SPECTRAQ_KAFKA__SASL_PASSWORD", "hunter3")
    assert "hunter" not in repr(load_settings())


def test_the_page_of_settings_names_every_key_with_its_default_and_its_meaning() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    sections: dict[str, dict[str, Any]] = {}
    for (*section, name), entry in keys_of(Settings):
        sections.setdefault(".".join(section), {})[name] = entry
    for section, keys in sections.items():
        body = page.split(f"## {section}\n", 1)[1].split("\n## ", 1)[0]
        rows = dict(re.findall(r"^\| `(\w+)` \| (.+ \| .+) \|$", body, re.MULTILINE))
        assert list(rows) == list(keys)
        for key, entry in keys.items():
            assert rows[key].endswith(f"| {entry.description}")
            if isinstance(entry.default, str | int | float) and not isinstance(entry.default, bool):
                assert rows[key].startswith(f"`{entry.default}` |")
