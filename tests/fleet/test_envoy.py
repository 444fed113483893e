# SPDX-License-Identifier: Apache-2.0
"""The files of deploy/envoy: Envoy takes them, and they say the same where they should."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.fakes.authority import Authority
from tests.fleet.envoy import CONFIGS, read_config, validate

pytestmark = pytest.mark.fleet

FILES = ("envoy.yaml", "bases.yaml", "tls.yaml")
CERTIFICATES = ("/etc/tabard/ca.pem", "/etc/tabard/envoy.pem", "/etc/tabard/envoy.key")


def test_every_file_is_known_here() -> None:
    """A file that nobody validates would be one that nobody can trust."""
    assert sorted(FILES) == sorted(one.name for one in CONFIGS.glob("*.yaml"))


@pytest.mark.parametrize("name", FILES)
def test_envoy_takes_the_file(name: str, tmp_path: Path) -> None:
    """As it is; certificates alone are of this test."""
    text = (CONFIGS / name).read_text(encoding="utf-8")
    authority = Authority(tmp_path, "studio")
    pair = authority.sign("tabard", hosts=("tabard",))
    for said, file in zip(CERTIFICATES, (authority.ca, *pair.files), strict=True):
        text = text.replace(said, str(file))
    config = tmp_path / name
    config.write_text(text, encoding="utf-8")

    assert validate(config) == ""


def test_mistake_is_seen(tmp_path: Path) -> None:
    """What Envoy does not know is no configuration: the check above can fail."""
    config = tmp_path / "envoy.yaml"
    text = (CONFIGS / "envoy.yaml").read_text(encoding="utf-8")
    config.write_text(text.replace("hash_balance_factor", "hash_balance"), encoding="utf-8")

    assert "hash_balance" in validate(config)


def test_clusters_are_alike() -> None:
    """Of whichever base, and with TLS: servers are chosen and watched in the same way."""
    (plain,) = _clusters("envoy.yaml")
    (sealed,) = _clusters("tls.yaml")

    assert sealed.pop("transport_socket")["name"] == "envoy.transport_sockets.tls"
    assert [plain, plain] == _clusters("bases.yaml")
    assert plain == sealed


def test_routes_are_alike() -> None:
    """A base has the same routes as the first one, in front of them, and one header more."""
    plain, sealed = _routes("envoy.yaml"), _routes("tls.yaml")
    other, first = _routes("bases.yaml")[:3], _routes("bases.yaml")[3:]

    assert plain == sealed == first
    for route in other:
        (header,) = route["match"].pop("headers")
        assert header["name"] == "tabard-base"
        assert route["route"].pop("cluster") == "tabard-other-base"
    assert other == [_without_cluster(one) for one in plain]


@pytest.mark.parametrize("name", FILES)
def test_nobody_steers_envoy(name: str) -> None:
    """Its own headers are heeded from nobody, and its admin address is on loopback."""
    config = read_config(name)
    manager = _manager(config)

    assert manager["use_remote_address"] is True
    assert [one["address_prefix"] for one in manager["internal_address_config"]["cidr_ranges"]] == [
        "255.255.255.255"
    ]
    assert config["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"


def _clusters(name: str) -> list[dict[str, Any]]:
    found = read_config(name)["static_resources"]["clusters"]
    for one in found:
        del one["name"], one["load_assignment"]
    return list(found)


def _routes(name: str) -> list[dict[str, Any]]:
    (host,) = _manager(read_config(name))["route_config"]["virtual_hosts"]
    # Anchors make one object of what several routes say.
    routes: list[dict[str, Any]] = json.loads(json.dumps(host["routes"]))
    return routes


def _without_cluster(route: dict[str, Any]) -> dict[str, Any]:
    said = {key: value for key, value in route["route"].items() if key != "cluster"}
    return {**route, "route": said}


def _manager(config: Any) -> dict[str, Any]:
    (listener,) = config["static_resources"]["listeners"]
    (chain,) = listener["filter_chains"]
    found: dict[str, Any] = chain["filters"][0]["typed_config"]
    return found
