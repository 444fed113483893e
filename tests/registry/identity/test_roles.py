# SPDX-License-Identifier: Apache-2.0
import pytest

from tabard_registry.errors import InvalidField, InvalidName
from tabard_registry.identity.roles import EVERYTHING, Grants, Role


def _grants(**roles: list[str]) -> Grants:
    return Grants.from_json(
        {space.replace("everywhere", "*"): said for space, said in roles.items()}
    )


@pytest.mark.parametrize("role", list(Role))
def test_any_role_lets_look_and_generate(role: Role) -> None:
    """Nobody can work on what they cannot see."""
    grants = _grants(acme=[role])

    assert grants.allow(Role.GENERATE, namespace="acme")
    assert not grants.allow(Role.GENERATE, namespace="other")
    assert not grants.allow(Role.GENERATE, namespace="*")


def test_admin_is_everything_in_its_namespace_only() -> None:
    """Roles end at the border of the namespace."""
    grants = _grants(acme=["admin"])

    assert grants.roles_in("acme") == frozenset(Role)
    assert grants.roles_in("other") == frozenset()


def test_roles_everywhere_count_beside_those_of_a_namespace() -> None:
    """`*` adds."""
    grants = _grants(everywhere=["operate"], acme=["publish"])

    assert grants.roles_in("acme") == {Role.GENERATE, Role.OPERATE, Role.PUBLISH}
    assert grants.roles_in("other") == grants.roles_in("*") == {Role.GENERATE, Role.OPERATE}
    assert grants.allow_somewhere(Role.PUBLISH)
    assert not grants.allow_somewhere(Role.ADMIN)


def test_cover_compares_what_can_be_done() -> None:
    """Nobody hands out more than they have."""
    admin, publisher = _grants(acme=["admin"]), _grants(acme=["publish"])

    assert admin.cover(publisher)
    assert admin.cover(_grants(acme=["generate", "promote"]))
    assert not publisher.cover(admin)
    assert not admin.cover(_grants(everywhere=["generate"]))
    assert EVERYTHING.cover(admin)
    assert publisher.cover(_grants(acme=["generate"]))


def test_json_comes_back() -> None:
    """What is written is read."""
    grants = _grants(acme=["promote", "generate"], everywhere=["operate"])

    assert grants.to_json() == {"*": ["operate"], "acme": ["generate", "promote"]}
    assert Grants.from_json(grants.to_json()) == grants


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"acme": ["owner"]}, InvalidField),
        ({"acme": []}, InvalidField),
        ({"Acme": ["admin"]}, InvalidName),
        ({f"n{n}": ["admin"] for n in range(65)}, InvalidField),
    ],
)
def test_grants_that_are_none_are_refused(value: dict[str, list[str]], error: type) -> None:
    """Each says which roles there are, or what a namespace is."""
    with pytest.raises(error):
        Grants.from_json(value)
