# SPDX-License-Identifier: Apache-2.0
"""Settings that are tables, wherever they are said."""

from pathlib import Path

import pytest

from tabard_server.errors import BadSettings
from tabard_server.limits import TenantLimits
from tabard_server.settings_sources import load_settings


def test_tenants_are_an_array_of_tables(tmp_path: Path) -> None:
    """In a file as TOML has them, in a variable as JSON."""
    file = tmp_path / "tabard.toml"
    file.write_text('[[tenants]]\nname = "studio"\nweight = 2.0\n')
    [of_file] = load_settings(file=file).tenants
    [of_variable] = load_settings(
        environment={"TABARD_TENANTS": '[{"name": "studio", "weight": 2.0}]'}
    ).tenants

    assert of_file == of_variable == TenantLimits(name="studio", weight=2.0)


@pytest.mark.parametrize(
    "text",
    [
        '[{"name": "a"}, {"name": "a"}]',
        '[{"name": "a", "wait": 1}]',
        '[{"name": "a", "weight": 0}]',
    ],
)
def test_wrong_tenant_is_refused_by_setting(text: str) -> None:
    """Said twice, with a bound that there is not, or with one that is none."""
    with pytest.raises(BadSettings) as refusal:
        load_settings(environment={"TABARD_TENANTS": text})

    assert refusal.value.names == ("tenants",)
