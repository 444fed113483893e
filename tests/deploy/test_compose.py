# SPDX-License-Identifier: Apache-2.0
"""The compose file fits together: mounts exist, scraped ports are served, nothing is open."""

from typing import Any

import pytest
import yaml

from tabard_server.settings_sources import load_settings
from tests.root import ROOT

DEPLOY = ROOT / "deploy"


class Loader(yaml.SafeLoader):
    """Reads what compose says of a value: that it takes the place of another."""


Loader.add_constructor("!override", lambda loader, node: loader.construct_sequence(node))


def load(name: str) -> Any:
    """Parse one YAML file of deploy/."""
    return yaml.load((DEPLOY / name).read_text(encoding="utf-8"), Loader)


COMPOSE = load("compose.yaml")
SERVICES = COMPOSE["services"]


@pytest.mark.parametrize(
    "name",
    sorted(
        str(path.relative_to(DEPLOY))
        for path in DEPLOY.rglob("*.y*ml")
        # Those are templates of YAML: tests/deploy/chart looks at what becomes of them.
        if path.parent.name != "templates"
    ),
)
def test_yaml_file_parses(name: str) -> None:
    """Every YAML file holds a mapping."""
    assert isinstance(load(name), dict)


@pytest.mark.parametrize("name", SERVICES)
def test_ports_stay_on_loopback(name: str) -> None:
    """Nothing asks who is calling, so nothing is reachable from another machine."""
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_mounts_and_recipes_exist(name: str) -> None:
    """Folders that are mounted, volumes that are named and recipes that are built exist."""
    service = SERVICES[name]
    sources = [mount.split(":")[0] for mount in service.get("volumes", ())]

    for source in sources:
        assert source in COMPOSE["volumes"] or (DEPLOY / source).exists()
    if "build" in service:
        recipe = DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]
        assert recipe.is_file()
    else:
        assert not service["image"].endswith(":latest")
        assert ":" in service["image"]


def test_servers_of_a_profile_have_one_name() -> None:
    """Without a profile one CPU server runs; with `gpu` one for each GPU, all by the same name."""
    servers = {name: one for name, one in SERVICES.items() if name.startswith("tabard")}

    profiles = {name: one["profiles"] for name, one in servers.items()}

    assert profiles == {"tabard": ["cpu"], "tabard-gpu-0": ["gpu"], "tabard-gpu-1": ["gpu"]}
    assert "COMPOSE_PROFILES=cpu" in (DEPLOY / ".env").read_text(encoding="utf-8").splitlines()
    for server in servers.values():
        assert server["networks"]["default"]["aliases"] == ["tabard"]
        assert "ports" not in server


def test_servers_share_no_device_and_no_jobs() -> None:
    """One process a GPU, and a folder for the jobs of each."""
    servers = [SERVICES[name] for name in ("tabard-gpu-0", "tabard-gpu-1")]
    devices = [
        one["deploy"]["resources"]["reservations"]["devices"][0]["device_ids"] for one in servers
    ]
    folders = {one["environment"]["TABARD_JOBS_FOLDER"] for one in servers}

    assert devices == [["0"], ["1"]]
    assert len(folders) == 2


def test_whoever_is_asked_knows_the_servers() -> None:
    """Envoy and Prometheus look up the servers' name, and the ports that they have."""
    for name in ("prometheus.yml", "prometheus.network.yml"):
        (job,) = load(f"prometheus/{name}")["scrape_configs"]
        (found,) = job["dns_sd_configs"]
        assert (job["job_name"], found["names"], found["port"]) == ("tabard", ["tabard"], 9464)
    assert "--address=envoy:50051" in SERVICES["gateway"]["command"]


@pytest.mark.parametrize(
    ("own", "origin"), [("envoy.yaml", "envoy.yaml"), ("envoy.tls.yaml", "tls.yaml")]
)
def test_policy_of_envoy_is_one(own: str, origin: str) -> None:
    """What compose runs is word for word that of deploy/envoy, but for addresses."""
    found, wanted = load(f"compose/{own}"), load(f"envoy/{origin}")

    (cluster,) = found["static_resources"]["clusters"]
    (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    address = endpoint["endpoint"]["address"]["socket_address"]
    assert (cluster["type"], address) == ("STRICT_DNS", {"address": "tabard", "port_value": 50051})
    for config in (found, wanted):
        for listener in config["static_resources"]["listeners"]:
            del listener["address"]
        for one in config["static_resources"]["clusters"]:
            # Behind Envoy is compose's own network.
            one.pop("transport_socket", None)
            del one["load_assignment"], one["type"]
    assert found == wanted


def test_network_asks_who_calls() -> None:
    """Every server asks for tokens, and what ends TLS before it is Envoy."""
    servers = load("compose.network.yaml")["services"]
    told = [one["environment"] for name, one in servers.items() if name.startswith("tabard")]

    assert len(told) == sum(name.startswith("tabard") for name in SERVICES)
    for one in told:
        settings = load_settings(environment={**one, "TABARD_LISTEN": "0.0.0.0:50051"})
        assert settings.identity.tokens
        assert not settings.insecure


def test_rule_files_are_mounted() -> None:
    """Every rule file that Prometheus is told of lies beside its configuration."""
    for name in load("prometheus/prometheus.yml")["rule_files"]:
        assert (DEPLOY / "prometheus" / name).is_file()


def test_grafana_finds_its_dashboard() -> None:
    """The provider's folder is the one that the dashboard is mounted into."""
    (provider,) = load("grafana/provisioning/dashboards/tabard.yml")["providers"]
    mounts = {mount.split(":")[1] for mount in SERVICES["grafana"]["volumes"]}

    assert provider["options"]["path"] in mounts
