# SPDX-License-Identifier: Apache-2.0
"""Values that make no sense are refused by helm, with the reason, before anything is made."""

import pytest

from tests.deploy.chart.rendering import refusal

pytestmark = pytest.mark.deploy

KEDA = {"kind": "keda", "prometheusAddress": ""}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"registry__bucket": ""}, "no registry: say registry.bucket"),
        ({"registry__existingClaim": "styles"}, "two registries"),
        ({"settings": {"registry": "s3://other/one"}}, "which the chart says already"),
        ({"settings": {"drain_seconds_max": 5}}, "use drain.jobSeconds"),
        (
            {"secretSettings": [{"setting": "registry", "secret": "a", "key": "b"}]},
            "said elsewhere too",
        ),
        ({"security__insecure": False}, "in the clear"),
        ({"security__insecure": False, "security__trustedProxy": "mesh"}, "who they are"),
        ({"security__frontTlsSecret": "tls"}, "say only one"),
        ({"cache__kind": "existingClaim"}, "cache.existingClaim names none"),
        ({"cache__existingClaim": "cache"}, "say cache.kind existingClaim"),
        ({"envoy__otherBase__host": "other-servers"}, "envoy.otherBase needs both"),
        ({"autoscaling__minReplicas": 5}, "above autoscaling.maxReplicas"),
        ({"autoscaling": KEDA}, "does not say whom KEDA asks"),
        ({"gateway__ingress__enabled": True}, "gateway.ingress needs"),
        (
            {"monitoring__serviceMonitor": True, "security__tokens": True},
            "say monitoring.tokenSecret",
        ),
    ],
)
def test_contradictions_are_named(changes: dict[str, object], why: str) -> None:
    """Each by the values that do not go together."""
    assert why in refusal("trial", **changes)


def test_volume_with_a_store_is_refused() -> None:
    """An endpoint is of a bucket: which of both was meant?"""
    assert "say only one" in refusal("volume", registry__endpoint="https://store.example")


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"registry__buckets": "s3://a"}, "/registry"),
        ({"registry__bucket": "gs://styles"}, "/registry/bucket"),
        ({"replica": 2}, "additional properties 'replica'"),
        ({"replicas": -1}, "/replicas"),
        ({"replicas": "two"}, "/replicas"),
        ({"gpu__count": 2}, "/gpu"),
        ({"cache__kind": "hostPath"}, "/cache/kind"),
        ({"cache__size": "much"}, "/cache/size"),
        ({"operators__port": 50051}, "/operators/port"),
        ({"settings": {"Steps-Max": 1}}, "invalid propertyName 'Steps-Max'"),
        ({"autoscaling__kind": "magic"}, "/autoscaling/kind"),
        ({"envoy__balanceFactor": 50}, "/envoy/balanceFactor"),
        ({"security__frontTlsSecret": "No Such_Name"}, "/security/frontTlsSecret"),
    ],
)
def test_misspelt_values_are_named(changes: dict[str, object], where: str) -> None:
    """Unknown names, and values of the wrong kind, by where they stand."""
    assert where in refusal("trial", **changes)
