# SPDX-License-Identifier: Apache-2.0
"""The settings of signed pictures: nothing said is nothing signed, and a half is refused."""

import pytest

from tabard_server.errors import BadSettings
from tabard_server.settings_sources import load_settings


def test_nothing_said_signs_nothing() -> None:
    """It is off unless a certificate is named."""
    assert not load_settings().c2pa.is_on
    said = {"c2pa.certificate": "/c.pem", "c2pa.key": "/k.pem"}
    assert load_settings(overrides=said).c2pa.is_on


@pytest.mark.parametrize(("said", "lacking"), [("certificate", "key"), ("key", "certificate")])
def test_half_of_a_credential_is_refused(said: str, lacking: str) -> None:
    """By the name of the other half."""
    with pytest.raises(BadSettings) as refusal:
        load_settings(environment={f"TABARD_C2PA_{said.upper()}": "/x.pem"})

    assert refusal.value.names[0] == f"c2pa.{lacking}"
