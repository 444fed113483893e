# SPDX-License-Identifier: Apache-2.0
import threading
from pathlib import Path

import pytest

import tabard_registry
import tabard_registry.errors
from tabard_registry import (
    AdapterName,
    AdapterRef,
    Author,
    Registry,
    ReleaseDraft,
    Version,
    check,
    read_canonical,
    sha256_file,
)
from tabard_registry.errors import (
    AlreadyExists,
    CorruptRegistry,
    IntakeRefused,
    InvalidField,
    NotFound,
    RegistryError,
)
from tests.registry.fakes import (
    NAME,
    promote,
    publish,
    ref,
    sd_profile,
    small_lora,
)


def test_published_release_is_found(registry: Registry, tmp_path: Path) -> None:
    """A release is found by version and by digest, in full or abbreviated."""
    published = publish(registry, "1.0.0", folder=tmp_path)

    release = published.release
    assert (published.created, published.seq, release.seq) == (True, 1, 1)
    assert registry.state.resolve(ref("1.0.0")) == release
    assert registry.state.resolve(ref(str(release.digest))) == release
    assert registry.state.resolve(ref(release.digest.short)) == release
    assert (release.published_by, release.published_at) == ("ann", "2026-01-01T00:00:00.000000Z")


def test_release_matches_its_manifest(registry: Registry, tmp_path: Path) -> None:
    """What list shows without reading a blob is what the manifest says."""
    release = publish(registry, "1.0.0", folder=tmp_path).release

    manifest = registry.manifest(release.digest)

    assert manifest.digest == release.digest
    assert (manifest.adapter, manifest.version) == (NAME, release.version)
    assert (release.kind, release.rank, release.target_count) == ("lora", 2, len(manifest.targets))
    assert release.original == tuple(blob.sha256 for blob in manifest.original)
    assert release.resident_bytes == manifest.canonical.bytes


def test_blobs_come_back_verified(registry: Registry, tmp_path: Path) -> None:
    """Original and canonical bytes come back; damaged ones do not."""
    manifest = registry.manifest(publish(registry, "1.0.0", folder=tmp_path).release.digest)
    target = tmp_path / "fetched"

    registry.fetch(manifest.original[0], target)
    registry.fetch(manifest.canonical, tmp_path / "canonical")

    assert sha256_file(target) == manifest.original[0].sha256
    assert len(read_canonical(tmp_path / "canonical", manifest).layers) == len(manifest.targets)
    path = registry.blob_path(manifest.canonical.sha256)
    assert path is not None
    path.write_bytes(b"damaged")
    with pytest.raises(CorruptRegistry):
        registry.fetch(manifest.canonical, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_equal_publish_is_idempotent(registry: Registry, tmp_path: Path) -> None:
    """Publishing the same bytes again gives the same release and writes nothing."""
    first = publish(registry, "1.0.0", folder=tmp_path, seed=1)

    second = publish(registry, "1.0.0", folder=tmp_path, seed=1)

    assert (second.created, second.release, registry.seq) == (False, first.release, 1)


def test_other_bytes_are_refused(registry: Registry, tmp_path: Path) -> None:
    """A version never changes, and the error says what differs."""
    first = publish(registry, "1.0.0", folder=tmp_path, seed=1)

    with pytest.raises(AlreadyExists, match="other files") as caught:
        publish(registry, "1.0.0", folder=tmp_path, seed=2)

    assert caught.value.reason == "VERSION_EXISTS"
    assert registry.state.resolve(ref("1.0.0")) == first.release


def test_other_notes_are_refused(registry: Registry, tmp_path: Path) -> None:
    """Words of the author are part of the release: other ones need another version."""
    path = small_lora(tmp_path)
    checked = check([path], profile=sd_profile())
    for notes in ("", "nicer"):
        draft = ReleaseDraft(adapter=NAME, version=Version.parse("1.0.0"), notes=notes)
        if not notes:
            registry.publish(draft, checked=checked, files=[path], author=Author(actor="ann"))

    with pytest.raises(AlreadyExists, match="other notes"):
        registry.publish(draft, checked=checked, files=[path], author=Author(actor="ann"))


def test_refused_files_are_not_published(registry: Registry, tmp_path: Path) -> None:
    """A report that is not accepted is the error."""
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"GIF89a, a picture")
    draft = ReleaseDraft(adapter=NAME, version=Version.parse("1.0.0"))

    with pytest.raises(IntakeRefused) as caught:
        registry.publish(
            draft,
            checked=check([path], profile=sd_profile()),
            files=[path],
            author=Author(actor="ann"),
        )

    assert caught.value.reason == "NOT_SAFETENSORS"
    assert registry.state.adapters_after() == ()


def test_file_changed_after_check(registry: Registry, tmp_path: Path) -> None:
    """What is published is what was checked."""
    path = small_lora(tmp_path, seed=1)
    checked = check([path], profile=sd_profile())
    path.unlink()
    small_lora(tmp_path, seed=2)
    draft = ReleaseDraft(adapter=NAME, version=Version.parse("1.0.0"))

    with pytest.raises(CorruptRegistry):
        registry.publish(draft, checked=checked, files=[path], author=Author(actor="ann"))

    assert registry.seq == 0


def test_unknown_names_list_near_ones(registry: Registry, tmp_path: Path) -> None:
    """Each unknown thing has its reason, and the hint names what is there."""
    publish(registry, "1.0.0", folder=tmp_path)
    promote(registry, "1.0.0")

    for text, reason, hint in (
        ("acme/inc", "ADAPTER_NOT_FOUND", "acme/ink"),
        ("acme/ink@1.0.1", "RELEASE_NOT_FOUND", "1.0.0"),
        ("acme/ink@sha256:" + "0" * 12, "RELEASE_NOT_FOUND", "1.0.0"),
        ("acme/ink@stabel", "CHANNEL_NOT_FOUND", "stable"),
    ):
        with pytest.raises(NotFound) as caught:
            registry.state.resolve(AdapterRef.parse(text))
        assert caught.value.reason == reason
        assert hint in caught.value.hint


def test_adapter_without_channels_says_promote(registry: Registry, tmp_path: Path) -> None:
    """Before the first promotion, the error says what is missing."""
    publish(registry, "1.0.0", folder=tmp_path)

    with pytest.raises(NotFound) as caught:
        registry.state.resolve(AdapterRef.parse("acme/ink"))

    assert "promote acme/ink@1.0.0 to stable" in caught.value.hint


def test_acts_need_actor_and_reason(registry: Registry, tmp_path: Path) -> None:
    """Who and why are never empty where history needs them."""
    publish(registry, "1.0.0", folder=tmp_path)

    with pytest.raises(InvalidField, match="actor"):
        registry.promote(ref("1.0.0"), channel="stable", author=Author(actor=" "))
    with pytest.raises(InvalidField, match="reason"):
        registry.roll_back(NAME, channel="stable", to=None, author=Author(actor="bob", reason=" "))
    with pytest.raises(InvalidField, match="reason"):
        registry.yank(ref("1.0.0"), author=Author(actor="bob"))


def test_request_id_acts_once(registry: Registry, tmp_path: Path) -> None:
    """A repeated request gives the first answer; another act under its id is refused."""
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        publish(registry, version, folder=tmp_path)
        promote(registry, version)

    moves = [
        registry.roll_back(
            NAME,
            channel="stable",
            to=None,
            author=Author(actor="bob", reason="bad", request_id="r"),
        )
        for _ in range(2)
    ]

    assert moves[0] == moves[1]
    assert str(registry.state.resolve(AdapterRef.parse("acme/ink")).version) == "1.1.0"
    with pytest.raises(AlreadyExists) as caught:
        publish(registry, "3.0.0", folder=tmp_path, request_id="r")
    assert caught.value.reason == "REQUEST_ID_REUSED"


def test_repeated_publish_request_created(registry: Registry, tmp_path: Path) -> None:
    """A publish repeated with its request id gives the first answer."""
    first = publish(registry, "1.0.0", folder=tmp_path, seed=1, request_id="r")

    second = publish(registry, "1.0.0", folder=tmp_path, seed=1, request_id="r")

    assert first == second


def test_history_is_one_query(registry: Registry, tmp_path: Path) -> None:
    """History is told by adapter, channel and number, oldest first."""
    publish(registry, "1.0.0", folder=tmp_path)
    promote(registry, "1.0.0")
    promote(registry, "1.0.0", channel="canary")
    publish(registry, "1.1.0", folder=tmp_path)
    promote(registry, "1.1.0")

    def seqs(**query: object) -> list[int]:
        return [applied.seq for applied in registry.queries.history(**query)]  # type: ignore[arg-type]

    assert seqs() == [1, 2, 3, 4, 5]
    assert seqs(adapter=NAME, channel="stable") == [2, 5]
    assert seqs(adapter=NAME, limit=2) == [4, 5]
    assert seqs(adapter=AdapterName("acme", "oil")) == []
    assert registry.queries.history(NAME, channel="stable")[-1].previous_digest


def test_refresh_returns_every_record_once(registry: Registry, tmp_path: Path) -> None:
    """A follower sees its own and others' records, each once."""
    other = Registry.open(str(tmp_path / "registry"))

    publish(registry, "1.0.0", folder=tmp_path)
    publish(other, "1.1.0", folder=tmp_path)

    assert [applied.seq for applied in registry.refresh()] == [1, 2]
    assert registry.refresh() == ()
    assert [applied.seq for applied in registry.since(1)] == [2]


def test_snapshot_does_not_change(registry: Registry, tmp_path: Path) -> None:
    """A state that was taken stays what it was."""
    publish(registry, "1.0.0", folder=tmp_path)
    before = registry.state

    promote(registry, "1.0.0")

    assert before.adapters[NAME].channels == {}
    assert (before.seq, registry.seq) == (1, 2)


def test_adapters_list_newest_first(registry: Registry, tmp_path: Path) -> None:
    """Releases are listed by descending version, whenever they were published."""
    for version in ("1.10.0", "1.2.0", "2.0.0-rc.1"):
        publish(registry, version, folder=tmp_path)

    (adapter,) = registry.state.adapters_after()

    assert [str(r.version) for r in adapter.releases] == ["2.0.0-rc.1", "1.10.0", "1.2.0"]


def test_reopened_registry_has_same_state(registry: Registry, tmp_path: Path) -> None:
    """The state is nothing but the fold of the log."""
    publish(registry, "1.0.0", folder=tmp_path)
    promote(registry, "1.0.0")

    assert Registry.open(str(tmp_path / "registry")).state == registry.state


def test_threads_share_one_registry(registry: Registry, tmp_path: Path) -> None:
    """Threads that act at once on one registry lose nothing."""
    publish(registry, "1.0.0", folder=tmp_path)

    def act(number: int) -> None:
        for i in range(10):
            promote(registry, "1.0.0", channel=f"c{number}-{i}")

    threads = [threading.Thread(target=act, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(registry.state.adapter(NAME).channels) == 40
    assert registry.seq <= 41
    reopened = Registry.open(registry.url)
    assert sum(len(a.record.actions) for a in reopened.since(0)) == 41
    assert len(registry.state.adapter(NAME).channels) == 40


def test_public_names_are_exported() -> None:
    """Every name that the package promises is there, and so is every error."""
    assert all(hasattr(tabard_registry, name) for name in tabard_registry.__all__)
    errors = {name for name, value in vars(tabard_registry.errors).items() if _is_error(value)}
    assert errors <= set(tabard_registry.__all__)


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, RegistryError)
