"""What runs the service elsewhere is checked here without a Docker engine."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from spectraq.workers.local.jars import KAFKA_VERSION
from spectraq.workers.local.redis import server

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]


def test_compose_follows_the_compose_specification() -> None:
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / "compose.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_passes_its_linter() -> None:
    done = subprocess.run(
        [BIN / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_limits(service: str) -> None:
    limits = SERVICES[service]["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory"}


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "topics"])
def test_every_service_that_stays_has_a_health_check(service: str) -> None:
    assert SERVICES[service]["healthcheck"]["test"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_image_is_pinned_to_a_version(service: str) -> None:
    tag = SERVICES[service]["image"].rpartition(":")[2]
    assert tag.removeprefix("v")[0].isdigit()


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_runs_without_rights(service: str) -> None:
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    assert SERVICES[service]["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("service", ["topics", "worker", "sink", "web"])
def test_our_services_write_nowhere_and_are_nobody(service: str) -> None:
    assert SERVICES[service]["read_only"] is True
    assert SERVICES[service]["tmpfs"] == ["/tmp"]
    assert "USER 10001" in (ROOT / "Dockerfile").read_text()
    assert "PYTHONSAFEPATH=1" in (ROOT / "Dockerfile").read_text()


@pytest.mark.parametrize("service", SERVICES)
def test_no_port_is_open_to_other_machines(service: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[service].get("ports", ()))


def test_nobody_can_log_in_to_grafana_and_there_is_no_administrator() -> None:
    settings = SERVICES["grafana"]["environment"]
    assert settings["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert settings["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert settings["GF_AUTH_BASIC_ENABLED"] == "false"
    assert settings["GF_USERS_ALLOW_SIGN_UP"] == "false"
    assert settings["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert not any("PASSWORD" in name for name in settings)


def test_kafka_is_of_one_version_in_containers_and_on_one_machine() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"


def test_the_cache_in_containers_is_of_the_version_that_one_machine_has() -> None:
    said = subprocess.run([server(), "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v=(\d+\.\d+)\.", said)
    assert found is not None
    if "Valkey" in said:  # other processors have another server
        assert SERVICES["cache"]["image"] == f"valkey/valkey:{found[1]}-alpine"


def test_the_settings_in_compose_are_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    from spectraq.workers.settings import load_settings

    for name, value in SERVICES["worker"]["environment"].items():
        monkeypatch.setenv(name, value)
    assert load_settings().kafka.bootstrap_servers == "kafka:9092"


def test_docker_waits_longer_than_the_worker_needs_to_finish() -> None:
    from spectraq.workers.settings import load_settings

    assert int(SERVICES["worker"]["stop_grace_period"].rstrip("s")) > load_settings().worker.grace_s
