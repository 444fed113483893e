# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from livery_registry import Registry
from livery_registry.errors import CorruptRegistry, UnusableRegistry
from tests.registry.fakes import MemoryStore, publish


def test_reopened_registry_is_the_same(tmp_path: Path) -> None:
    """A folder stays one registry, however its address is written."""
    first = Registry.open(tmp_path.as_uri())
    second = Registry.open(str(tmp_path), create=False)

    assert first.id == second.id
    assert second.url == tmp_path.as_uri()


def test_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    """A folder that holds something else stays as it is."""
    (tmp_path / "holiday.jpg").write_bytes(b"x")

    with pytest.raises(UnusableRegistry, match=r"holiday\.jpg") as caught:
        Registry.open(str(tmp_path))

    assert caught.value.reason == "NOT_A_REGISTRY"
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


def test_missing_registry_is_not_made(tmp_path: Path) -> None:
    """Without permission to create, an empty place is refused and stays empty."""
    with pytest.raises(UnusableRegistry, match="no registry"):
        Registry.open(str(tmp_path / "new"), create=False)

    assert not (tmp_path / "new").exists()


def test_newer_protocol_is_refused(tmp_path: Path) -> None:
    """A registry of a newer Livery is left alone."""
    content = b'{"format":"livery-registry","protocol":2,"registry":"x"}'
    (tmp_path / "format.json").write_bytes(content)

    with pytest.raises(UnusableRegistry) as caught:
        Registry.open(str(tmp_path))

    assert caught.value.reason == "NEWER_PROTOCOL"
    assert "Upgrade" in caught.value.hint
    assert (tmp_path / "format.json").read_bytes() == content


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff", b'{"format":"other"}', b"[" * 4000]
)
def test_broken_format_is_corrupt(content: bytes) -> None:
    """Whatever else format.json holds is named as damage."""
    store = MemoryStore()
    store.objects["format.json"] = content

    with pytest.raises(CorruptRegistry, match=r"format\.json"):
        Registry.open(store)


def test_log_without_format_is_corrupt(tmp_path: Path) -> None:
    """A lost format.json is not made anew beside a log."""
    publish(Registry.open(str(tmp_path / "r")), "1.0.0", folder=tmp_path)
    (tmp_path / "r" / "format.json").unlink()

    with pytest.raises(CorruptRegistry, match="log but no format"):
        Registry.open(str(tmp_path / "r"))


def test_unknown_scheme_is_refused() -> None:
    """A store that does not exist is named."""
    with pytest.raises(UnusableRegistry, match="ftp://x"):
        Registry.open("ftp://x/y")
