"""What is deployed is valid by the tools of others: manifests, YAML, the Dockerfile, the compose file, the SBOM.

The tools are in an environment of their own, build/operations/tools, which `make test-operations` makes.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest

TOP: Final = Path(__file__).parents[2]
DEPLOY: Final = TOP / "deploy"
TOOLS: Final = TOP / "build/operations/tools/bin"
FOLDERS: Final = ("base", "overlays/shards", "overlays/sidecar")
READ: Final = "import json, sys, yaml; print(json.dumps([each for each in yaml.safe_load_all(sys.stdin) if each]))"

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed here")


def output(*command: str | Path, text: str | None = None) -> str:
    """Return what a command printed; what it complained of is in the failure of the test."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, cwd=TOP)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def documents(text: str) -> list[dict[str, Any]]:
    """Read YAML. The environment of the tests has no package for that."""
    read: list[dict[str, Any]] = json.loads(output(TOOLS / "python", "-c", READ, text=text))
    return read


@cache
def rendered(folder: str) -> tuple[str, list[dict[str, Any]]]:
    text = output("kubectl", "kustomize", DEPLOY / "kubernetes" / folder)
    return text, documents(text)


def of_kind(folder: str, kind: str) -> Iterator[dict[str, Any]]:
    return (each for each in rendered(folder)[1] if each["kind"] == kind)


def pod(folder: str) -> dict[str, Any]:
    (workload,) = of_kind(folder, "StatefulSet")
    template: dict[str, Any] = workload["spec"]["template"]
    return template


def containers(folder: str) -> list[dict[str, Any]]:
    spec = pod(folder)["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def ports(folder: str) -> dict[str, int]:
    return {
        port["name"]: port["containerPort"] for container in containers(folder) for port in container.get("ports", [])
    }


def matches(selector: dict[str, Any], folder: str) -> bool:
    wanted = selector.get("matchLabels", selector)
    return bool(wanted) and wanted.items() <= pod(folder)["metadata"]["labels"].items()


def test_yaml_is_clean() -> None:
    output(TOOLS / "yamllint", "--strict", "--config-file", ".yamllint.yaml", "deploy")


def test_the_dockerfile_is_clean() -> None:
    output(TOOLS / "hadolint", "deploy/Dockerfile")


def test_the_sbom_is_what_the_tool_makes_and_what_the_form_allows(tmp_path: Path) -> None:
    check = "import sys; from cyclonedx.validation.json import JsonStrictValidator as V\n"
    check += "from cyclonedx.schema import SchemaVersion as S\n"
    check += "sys.exit(str(V(S.V1_6).validate_str(sys.stdin.read()) or '') or None)"
    before = (DEPLOY / "steno.cdx.json").read_text(encoding="utf-8")
    writes = f"import tools.sbom as s; s.SBOM = s.Path({str(tmp_path / 'sbom')!r}); s.main()"

    output(sys.executable, "-c", writes, TOOLS / "cyclonedx-py")

    assert (tmp_path / "sbom").read_text(encoding="utf-8") == before, "run make sbom"
    output(TOOLS / "python", "-c", check, text=before)


@needs_kubectl
@pytest.mark.parametrize("folder", FOLDERS)
def test_manifests_are_valid(folder: str, tmp_path: Path) -> None:
    """Each kind that Kubernetes has; that of the Prometheus operator has no schema there."""
    (tmp_path / "all.yaml").write_text(rendered(folder)[0], encoding="utf-8")

    done = subprocess.run(
        [TOOLS / "kubernetes-validate", "--strict", tmp_path / "all.yaml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    kinds = [each["kind"] for each in rendered(folder)[1]]
    assert done.returncode == 0, done.stdout
    assert len(kinds) > 3
    assert done.stdout.count(" passed for resource ") == len(kinds) - kinds.count("PodMonitor"), done.stdout


@needs_kubectl
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_container_keeps_to_the_restricted_profile(folder: str) -> None:
    """And to a read-only root, a bound of memory that is asked for, and no token of the service account."""
    spec = pod(folder)["spec"]

    assert spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    for container in containers(folder):
        context = spec["securityContext"] | container["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] > 0
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["readOnlyRootFilesystem"] is True
        assert container["resources"]["requests"]["memory"] == container["resources"]["limits"]["memory"]
    assert {next(iter(volume.keys() - {"name"})) for volume in spec["volumes"]} <= {"configMap", "secret"}


@needs_kubectl
@pytest.mark.parametrize("folder", FOLDERS)
def test_what_selects_pods_finds_them_and_their_ports(folder: str) -> None:
    for kind in ("StatefulSet", "PodMonitor", "PodDisruptionBudget"):
        assert all(matches(each["spec"]["selector"], folder) for each in of_kind(folder, kind)), kind
    for service in of_kind(folder, "Service"):
        assert matches(service["spec"]["selector"], folder)
        assert {port["targetPort"] for port in service["spec"].get("ports", [])} <= ports(folder).keys()
    for monitor in of_kind(folder, "PodMonitor"):
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        assert ports(folder)[endpoint["port"]] == 9464
        assert endpoint["authorization"]["credentials"] == {"name": "steno", "key": "http-token"}
    for policy in of_kind(folder, "NetworkPolicy"):
        assert matches(policy["spec"]["podSelector"], folder)
        allowed = {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
        assert allowed == set(ports(folder).values())
    assert sum(1 for _ in of_kind(folder, "PodMonitor")) == 1


@needs_kubectl
@pytest.mark.parametrize("folder", FOLDERS)
def test_probes_ask_what_is_open(folder: str) -> None:
    (steno,) = (each for each in containers(folder) if each["name"] == "steno")
    asked = {key: value["httpGet"] for key, value in steno.items() if key.endswith("Probe")}

    assert {key: each["path"] for key, each in asked.items()}.items() >= {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
    }.items()
    assert asked.get("readinessProbe", {"path": "/readyz"})["path"] == "/readyz"
    assert all(ports(folder)[each["port"]] == 9464 for each in asked.values())


@needs_kubectl
@pytest.mark.parametrize("folder", FOLDERS)
def test_what_is_mounted_is_there(folder: str) -> None:
    """By the name that kustomize gave the configuration; the secret is made by hand."""
    (workload,) = of_kind(folder, "StatefulSet")
    volumes = {each["name"]: each for each in workload["spec"]["template"]["spec"]["volumes"]}
    claims = {each["metadata"]["name"] for each in workload["spec"]["volumeClaimTemplates"]}
    maps = {each["metadata"]["name"] for each in of_kind(folder, "ConfigMap")}

    mounts = {mount["name"] for container in containers(folder) for mount in container.get("volumeMounts", [])}

    assert mounts == volumes.keys() | claims
    assert {each["configMap"]["name"] for each in volumes.values() if "configMap" in each} == maps
    assert {each["secret"]["secretName"] for each in volumes.values() if "secret" in each} == {"steno"}


@needs_kubectl
def test_a_shard_knows_its_number() -> None:
    """Its number is that of the pod, and pods are counted from 1; the file is where steno looks for it."""
    (container,) = containers("overlays/shards")
    (workload,) = of_kind("overlays/shards", "StatefulSet")
    (config,) = of_kind("overlays/shards", "ConfigMap")
    (variable,) = container["env"]

    assert container["args"] == ["run", f"--shard=$({variable['name']})/{workload['spec']['replicas']}"]
    assert variable["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.labels['apps.kubernetes.io/pod-index']"
    assert workload["spec"]["ordinals"] == {"start": 1}
    assert list(config["data"]) == ["steno.toml"]


@needs_kubectl
def test_the_sidecar_starts_before_the_agent_and_ends_after_it() -> None:
    spec = pod("overlays/sidecar")["spec"]

    assert [(each["name"], each.get("restartPolicy")) for each in spec["initContainers"]] == [("steno", "Always")]
    assert "startupProbe" in spec["initContainers"][0]
    assert {"name": "OPENAI_BASE_URL", "value": "http://127.0.0.1:9466/v1"} in spec["containers"][0]["env"]


def compose() -> list[str]:
    """Return what runs compose, the plugin of docker or the older program; empty where there is neither."""
    plugin = ["docker", "compose"]
    if shutil.which("docker") and not subprocess.run([*plugin, "version"], capture_output=True, check=False).returncode:
        return plugin
    return ["docker-compose"] if shutil.which("docker-compose") else []


@pytest.mark.skipif(not compose(), reason="docker compose is not installed here")
def test_compose_accepts_its_file(tmp_path: Path) -> None:
    """Where it is, since paths in it begin there. The older program knows no `name`."""
    (program, *plugin) = compose()
    text = (DEPLOY / "compose/compose.yaml").read_text(encoding="utf-8")
    file = tmp_path / "compose.yaml"
    file.write_text(text if plugin else text.replace("\nname: steno\n", "\n"), encoding="utf-8")

    said = output(
        program, *plugin, "-f", file, "--project-directory", DEPLOY / "compose", "--profile", "simulated", "config"
    )

    (config,) = documents(said)
    assert config["services"].keys() == {"steno", "prometheus", "grafana", "provider", "steno-simulated"}


def test_prometheus_accepts_its_configuration(tmp_path: Path) -> None:
    """Its rules are held to account elsewhere: files without any stand in for them."""
    text = (DEPLOY / "compose/prometheus.yml").read_text(encoding="utf-8")
    for name in ("thresholds.yml", "rules.yml", "alerts.yml"):
        (tmp_path / name).write_text("groups: []\n", encoding="utf-8")
    (tmp_path / "token").write_text("token", encoding="utf-8")
    text = text.replace("/run/secrets/http-token", str(tmp_path / "token"))
    text = text.replace("/etc/prometheus/steno", str(tmp_path))
    (tmp_path / "prometheus.yml").write_text(text, encoding="utf-8")

    said = output("promtool", "check", "config", tmp_path / "prometheus.yml")

    assert "is valid prometheus config file syntax" in said


def test_what_grafana_provisions_is_mounted() -> None:
    provisioning = DEPLOY / "compose/grafana/provisioning"
    (source,) = documents((provisioning / "datasources/prometheus.yml").read_text(encoding="utf-8"))
    (boards,) = documents((provisioning / "dashboards/steno.yml").read_text(encoding="utf-8"))
    (compose,) = documents((DEPLOY / "compose/compose.yaml").read_text(encoding="utf-8"))
    (scrapes,) = documents((DEPLOY / "compose/prometheus.yml").read_text(encoding="utf-8"))

    mounts = dict(each.split(":")[1::-1] for each in compose["services"]["grafana"]["volumes"])

    assert source["datasources"][0]["url"] == "http://prometheus:9090"
    assert source["datasources"][0]["jsonData"]["timeInterval"] == scrapes["global"]["scrape_interval"]
    assert mounts[boards["providers"][0]["options"]["path"]] == "../grafana/dashboards"
