# SPDX-License-Identifier: Apache-2.0
from tabard_registry.store.probe import Versioning
from tabard_registry.store.s3 import S3Store
from tests.s3 import s3_client


def test_rules_of_a_real_bucket_are_read(s3_url: str) -> None:
    """Lifecycle and versioning come from the bucket; rules elsewhere or off do not matter."""
    bucket, _, prefix = s3_url.removeprefix("s3://").partition("/")
    client, probe = s3_client(), S3Store(s3_url).probe()
    assert (probe.versioning(), probe.expiry_rules()) == (Versioning.OFF, ())
    rules = [
        {"ID": name, "Status": status, "Filter": {"Prefix": place}, "Expiration": {"Days": 9}}
        for name, status, place in [
            ("elsewhere", "Enabled", "other/"),
            ("off", "Disabled", f"{prefix}/log/"),
            ("above", "Enabled", "team/"),
            ("below", "Enabled", f"{prefix}/log/0"),
        ]
    ]

    client.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": rules}
    )
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    assert {rule.name for rule in probe.expiry_rules()} == {"above", "below"}
    assert all(rule.deletes for rule in probe.expiry_rules())
    assert probe.versioning() is Versioning.ON
