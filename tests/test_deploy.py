"""What runs the service elsewhere is checked here without a Docker engine."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

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


@pytest.mark.parametrize("service", ["worker", "web"])
def test_our_services_run_without_rights_and_read_only(service: str) -> None:
    assert SERVICES[service]["read_only"] is True
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    assert "USER 10001" in (ROOT / "Dockerfile").read_text()
    assert "PYTHONSAFEPATH=1" in (ROOT / "Dockerfile").read_text()


def test_the_settings_in_compose_are_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    from workers.settings import load_settings

    for name, value in SERVICES["worker"]["environment"].items():
        monkeypatch.setenv(name, value)
    assert load_settings().kafka.bootstrap_servers == "kafka:9092"


def test_docker_waits_longer_than_the_worker_needs_to_finish() -> None:
    from workers.settings import load_settings

    assert int(SERVICES["worker"]["stop_grace_period"].rstrip("s")) > load_settings().worker.grace_s
