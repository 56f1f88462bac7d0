"""The chart is rendered by Helm itself, and what comes out is checked against Kubernetes' own schemas."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
CHART = ROOT / "deploy/helm/spectraq"
HELM = Path(sys.executable).parent / "helm"
VALUES = sorted(path.stem for path in (CHART / "ci").glob("*.yaml"))
KUBERNETES = ("1.31", "1.34", "1.37")
OF_OPERATORS = {"keda.sh", "monitoring.coreos.com", "kafka.strimzi.io"}
"""Groups whose schemas Kubernetes does not have."""
KEDA_KAFKA = {
    "bootstrapServers",
    "consumerGroup",
    "topic",
    "lagThreshold",
    "activationLagThreshold",
    "offsetResetPolicy",
    "allowIdleConsumers",
    "excludePersistentLag",
    "saslType",
    "tls",
}
"""Of the parameters that KEDA's trigger `kafka` has, those that are used here."""
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    if not HELM.exists():
        if os.environ.get("CI") == "true":
            raise FileNotFoundError(f"{HELM}: no Helm; `make setup` installs it")
        pytest.skip("there is no Helm for this machine among Python's packages")
    return subprocess.run([HELM, *arguments], capture_output=True, text=True, check=False)


def rendered(values: str, version: str = "1.34", *more: str) -> list[dict[str, Any]]:
    done = helm(
        "template",
        "night",
        str(CHART),
        "--namespace=astro",
        f"--values={CHART}/ci/{values}.yaml",
        f"--kube-version={version}.0",
        *more,
    )
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def of_kind(documents: list[dict[str, Any]], kind: str, suffix: str = "") -> dict[str, Any]:
    (document,) = (d for d in documents if d["kind"] == kind and d["metadata"]["name"].endswith(suffix))
    return document


def pod_of(document: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = document["spec"]["template"]["spec"]
    return pod


def variables(pod: dict[str, Any]) -> dict[str, Any]:
    return {
        entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in pod["containers"][0]["env"]
    }


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("values", VALUES)
def test_everything_rendered_follows_the_schemas_of_kubernetes(values: str, version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    documents = rendered(values, version)
    own = [d for d in documents if d["apiVersion"].partition("/")[0] not in OF_OPERATORS]
    assert len(own) >= 6
    for document in own:
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("values", VALUES)
def test_the_chart_passes_its_linter(values: str) -> None:
    done = helm("lint", "--strict", str(CHART), f"--values={CHART}/ci/{values}.yaml")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("values", VALUES)
def test_settings_of_every_role_are_settings_of_ours(
    values: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from spectraq.workers.settings import load_settings

    documents = rendered(values)
    secret = tmp_path / "secret"
    secret.write_text("redis://cache:6379/0")
    for role in ("StatefulSet", "Deployment"):
        with monkeypatch.context() as environment:
            suffix = "-worker" if role == "StatefulSet" else "-page"
            for name, value in variables(pod_of(of_kind(documents, role, suffix))).items():
                text = value if isinstance(value, str) else "night-spectraq-worker-0"
                environment.setenv(name, str(secret) if name.endswith("_FILE") else text)
            settings = load_settings()
            assert settings.kafka.bootstrap_servers.startswith(("kafka", "survey"))


@pytest.mark.parametrize("values", VALUES)
def test_a_worker_is_what_compose_runs(values: str) -> None:
    pod = pod_of(of_kind(rendered(values), "StatefulSet"))
    container, compose = pod["containers"][0], COMPOSE["worker"]
    assert container["args"] == compose["command"]
    assert container["image"] == compose["image"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is compose["read_only"]
    assert container["securityContext"]["capabilities"]["drop"] == compose["cap_drop"]
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert pod["securityContext"]["runAsUser"] == 10001
    assert {mount["mountPath"] for mount in container["volumeMounts"]} >= set(compose["tmpfs"])
    asked = " ".join(compose["healthcheck"]["test"])
    ready = container["readinessProbe"]["httpGet"]["path"]
    assert f":{container['ports'][0]['containerPort']}{ready}'" in asked
    assert set(compose["environment"]) <= set(variables(pod)) | {"SPECTRAQ_REDIS__URL"}
    assert "SPECTRAQ_REDIS__URL" in " ".join(variables(pod))


@pytest.mark.parametrize(("values", "url"), [("survey", "s3://survey/archive"), ("one-node", "/archive")])
def test_a_sink_is_told_of_the_archive_and_of_secrets_by_reference(
    values: str, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from spectraq.workers.settings import load_settings

    documents = rendered(values)
    pod = pod_of(of_kind(documents, "Deployment", "-sink"))
    secret = tmp_path / "secret"
    secret.write_text("redis://cache:6379/0")
    for name, value in variables(pod).items():
        is_secret = name.endswith("_FILE") and "ARCHIVE" not in name
        monkeypatch.setenv(name, str(secret) if is_secret else value)
    archive = load_settings().archive
    assert archive.url == url
    mounts = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    if archive.storage_file is None:
        assert mounts[url] == "archive"
    else:
        assert mounts[str(archive.storage_file.parent)] == "storage"
        assert any(
            volume.get("secret", {}).get("secretName") == "survey-archive" for volume in pod["volumes"]
        )
        ports = [
            port["port"]
            for rule in of_kind(documents, "NetworkPolicy")["spec"]["egress"]
            for port in rule["ports"]
        ]
        assert 443 in ports


def test_filters_are_told_what_they_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    from spectraq.workers.settings import load_settings

    pod = pod_of(of_kind(rendered("survey"), "Deployment", "-filters"))
    for name, value in variables(pod).items():
        if name.startswith("SPECTRAQ_FILTERS__"):
            monkeypatch.setenv(name, value)
    filters = load_settings().filters
    asked = {name: one.expression for name, one in filters.named.items()}
    assert asked == {
        "far-quasars": 'classification.spectype == "QSO" && redshift.z > 4.0 && redshift.zwarn == 0'
    }
    assert filters.wait_s == 20 and pod["containers"][0]["args"] == ["filter", "run"]


def test_the_chart_asks_where_the_archive_is() -> None:
    done = helm("template", "night", str(CHART), f"--values={CHART}/ci/gpu.yaml", "--set=sink.enabled=true")
    assert done.returncode != 0 and "sink.url" in done.stderr


@pytest.mark.parametrize("values", VALUES)
def test_every_container_has_limits_and_no_rights(values: str) -> None:
    pods = [pod_of(d) for d in rendered(values) if d["kind"] in {"StatefulSet", "Deployment", "Job"}]
    assert len(pods) >= 2
    for pod in pods:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            assert {"cpu", "memory"} <= set(container["resources"]["limits"])
            assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
            assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_a_workers_slot_is_its_pods_name_and_the_kubelet_waits_longer_than_it_needs() -> None:
    pod = pod_of(of_kind(rendered("survey"), "StatefulSet"))
    environment = variables(pod)
    assert environment["SPECTRAQ_WORKER__SLOT"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert pod["terminationGracePeriodSeconds"] > float(environment["SPECTRAQ_WORKER__GRACE_S"])


def test_no_secret_is_in_what_is_rendered_but_by_its_name() -> None:
    documents = rendered("survey")
    pod = pod_of(of_kind(documents, "StatefulSet"))
    sources = next(v for v in pod["volumes"] if v["name"] == "secrets")["projected"]["sources"]
    mounted = {item["path"] for source in sources for item in source["secret"]["items"]}
    named = {Path(v).name for n, v in variables(pod).items() if n.endswith("_FILE")}
    assert mounted == named == {"kafka.sasl_password", "redis.url", "redis.signing_key", "web.token"}
    assert not [d for d in documents if d["kind"] == "Secret"]


def test_keda_scales_the_workers_by_the_lag_of_their_group_on_every_topic_that_they_read() -> None:
    from spectraq.workers.settings import Settings

    documents = rendered("survey")
    scaled = of_kind(documents, "ScaledObject")["spec"]
    assert scaled["scaleTargetRef"]["name"] == of_kind(documents, "StatefulSet")["metadata"]["name"]
    assert (
        "replicas" not in of_kind(documents, "StatefulSet")["spec"]
    )  # or each upgrade would undo the scaling
    assert scaled["maxReplicaCount"] == 32
    assert [t["metadata"]["topic"] for t in scaled["triggers"]] == ["spectraq.spectra", "spectraq.urgent"]
    for trigger in scaled["triggers"]:
        assert trigger["metadata"]["consumerGroup"] == Settings().kafka.group_id
        assert set(trigger["metadata"]) <= KEDA_KAFKA
        assert trigger["metadata"]["saslType"] == "scram_sha512"
        assert all(isinstance(value, str) for value in trigger["metadata"].values())


def test_without_autoscaling_there_are_as_many_workers_as_are_asked_for() -> None:
    documents = rendered("one-node", "1.34", "--set", "worker.replicas=7")
    assert of_kind(documents, "StatefulSet")["spec"]["replicas"] == 7
    assert not [d for d in documents if d["kind"] == "ScaledObject"]


def test_a_gpu_worker_goes_where_gpus_are() -> None:
    pod = pod_of(of_kind(rendered("gpu"), "StatefulSet"))
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert pod["nodeSelector"] and pod["tolerations"]
    assert variables(pod)["SPECTRAQ_WORKER__BATCH_PIXELS"] == "8000000"


def test_strimzis_topics_and_rights_are_those_that_spectraq_makes_itself() -> None:
    from spectraq.workers.settings import Settings
    from spectraq.workers.transport.rights import ROLES
    from spectraq.workers.transport.topics import topic_names

    documents = rendered("survey")
    settings = Settings(topics={"priority": "spectraq.urgent"})  # type: ignore[arg-type]
    topics = {d["metadata"]["name"]: d["spec"] for d in documents if d["kind"] == "KafkaTopic"}
    assert set(topics) == set(topic_names(settings))
    assert {t["partitions"] for t in topics.values()} == {32}
    assert topics["spectraq.verdicts"]["config"]["retention.ms"] == -1
    rules = of_kind(documents, "KafkaUser")["spec"]["authorization"]["acls"]
    given = {(rule["resource"]["name"], operation) for rule in rules for operation in rule["operations"]}
    needed = {
        (right.name, right.operation.name.capitalize())
        for role in ("worker", "web")
        for right in ROLES[role](settings)
    }
    assert needed <= given
    assert given - needed <= {(name, "Describe") for name, _ in given}


def test_the_alerts_and_the_dashboard_are_the_ones_of_compose() -> None:
    documents = rendered("survey")
    alerts = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    assert of_kind(documents, "PrometheusRule")["spec"] == alerts
    dashboard = (ROOT / "deploy/grafana/dashboards/spectraq.json").read_text()
    assert of_kind(documents, "ConfigMap")["data"]["spectraq.json"].strip() == dashboard.strip()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            ("--set", "settings.kafka.bootstrap_servers="),
            "settings.kafka.bootstrap_servers: say where Kafka is",
        ),
        (("--set", "worker.settings.slot=a"), "worker.settings.slot: the chart sets it"),
        (("--set", "worker.gpu=1"), "Additional property gpu is not allowed"),
        (("--set", "worker.gpus=1,worker.settings.device=cpu"), "worker.settings.device is cpu"),
        (("--set", "strimzi.enabled=true"), "strimzi.cluster"),
    ],
    ids=["no brokers", "a setting of the chart's", "misspelt", "a GPU and no GPU", "no cluster"],
)
def test_a_mistake_is_one_line_that_names_the_value(settings: tuple[str, ...], said: str) -> None:
    done = helm("template", "night", str(CHART), f"--values={CHART}/ci/one-node.yaml", *settings)
    assert done.returncode != 0
    assert said in done.stderr


def test_the_chart_has_the_version_of_the_package() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version is not None
    assert chart["appVersion"] == version[1]
