# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

import pytest

from tabard_registry import Registry, sha256_bytes
from tabard_registry.errors import CorruptRegistry, UnusableRegistry
from tabard_registry.place import open_place, open_store, refuse_strangers
from tests.registry.fakes import MemoryStore, counted_ids, publish


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
    """A registry of a newer Tabard is left alone."""
    content = b'{"format":"tabard-registry","protocol":2,"registry":"x"}'
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
    store.held["format.json"] = content

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


def test_store_follows_the_scheme(s3_environment: None) -> None:
    """An address chooses the store; a bucket keeps its prefix."""
    assert open_store("/srv/tabard").url == "file:///srv/tabard"
    assert open_store("s3://bucket/team/styles/").url == "s3://bucket/team/styles"
    assert open_store("s3://bucket", single_writer=True).url == "s3://bucket"


def test_missing_boto3_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, a bucket's address says what to install."""
    for name in [name for name in sys.modules if name.startswith("tabard_registry.store.s3")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "boto3", None)

    with pytest.raises(UnusableRegistry, match="boto3") as caught:
        open_store("s3://bucket")

    assert caught.value.hint == "pip install 'tabard[registry]'"


@pytest.mark.parametrize("name", ["checkpoint/1", "hint.json", "log/1"])
def test_names_of_a_registry_are_no_strangers(name: str) -> None:
    """What a registry writes is never called strange, only incomplete."""
    store = MemoryStore()
    store.held[name] = b"x"

    refuse_strangers(store.top_level(), url=store.url)


def test_leftovers_do_not_occupy_a_place() -> None:
    """Advice, probes and unfinished writes alone do not keep a registry from being made."""
    store = MemoryStore()
    for name in ("hint.json", "doctor/x/1", "tmp/x", "blob/sha256/x"):
        store.held[name] = b"x"

    place = open_place(store, new_id=counted_ids(), create=True)

    assert place.registry_id == "id-1"


def test_registry_lives_in_a_bucket(s3_url: str, tmp_path: Path) -> None:
    """Publish through one opening, fetch through another."""
    published = publish(Registry.open(s3_url), "1.0.0", folder=tmp_path)

    reader = Registry.open(s3_url, create=False)
    blob = reader.manifest(published.release.digest).original[0]
    reader.fetch(blob, tmp_path / "fetched")

    assert reader.url == s3_url
    assert sha256_bytes((tmp_path / "fetched").read_bytes()) == blob.sha256


def test_registry_within_another_is_not_made(tmp_path: Path) -> None:
    """However deep."""
    Registry.open(str(tmp_path / "outer")).close()

    with pytest.raises(UnusableRegistry, match="lies within the registry") as caught:
        Registry.open(str(tmp_path / "outer" / "blob" / "x"))

    assert caught.value.reason == "PLACE_OCCUPIED"
    assert not (tmp_path / "outer" / "blob" / "x" / "format.json").exists()
