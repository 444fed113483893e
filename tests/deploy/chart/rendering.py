# SPDX-License-Identifier: Apache-2.0
"""The chart as helm renders it: value files and single values in, manifests or a refusal out."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.tools import tool
from tests.root import ROOT

CHART = ROOT / "deploy" / "helm"
VALUE_FILES = tuple(sorted((CHART / "ci").glob("*-values.yaml")))
NAMES = tuple(path.name.removesuffix("-values.yaml") for path in VALUE_FILES)
"""The value files that are rendered, by what they are an example of."""

Manifest = dict[str, Any]


def helm(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run helm; it knows no cluster and asks nobody."""
    return subprocess.run(
        [tool("helm"), *words],
        capture_output=True,
        text=True,
        check=False,
        env={"HOME": "/nowhere"},
    )


def values_of(name: str) -> Path:
    """Return a value file."""
    return CHART / "ci" / f"{name}-values.yaml"


@cache
def rendered(name: str) -> str:
    """Render one of the value files, as release `tabard` in namespace `art`."""
    words = ("template", "tabard", str(CHART), "--namespace=art", f"--values={values_of(name)}")
    ran = helm(*words)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def manifests(name: str) -> list[Manifest]:
    """Return what a value file makes."""
    return [one for one in yaml.safe_load_all(rendered(name)) if one]


def of_kind(name: str, kind: str, *, component: str = "") -> list[Manifest]:
    """Return what a value file makes of one kind, maybe of one component."""
    label = "app.kubernetes.io/component"
    return [
        one
        for one in manifests(name)
        if one["kind"] == kind and component in ("", one["metadata"]["labels"][label])
    ]


def refusal(name: str, **changes: object) -> str:
    """Return what helm says of a value file with some values changed: it must refuse them.

    Names have `__` between their parts.
    """
    told = [f"--set-json={key.replace('__', '.')}={json.dumps(v)}" for key, v in changes.items()]
    ran = helm("template", "tabard", str(CHART), f"--values={values_of(name)}", *told)
    assert ran.returncode != 0, f"{changes} were taken"
    return ran.stderr


def envoy_config(name: str) -> Manifest:
    """Return Envoy's configuration of a value file."""
    (found,) = of_kind(name, "ConfigMap", component="envoy")
    config: Manifest = yaml.safe_load(found["data"]["envoy.yaml"])
    return config
