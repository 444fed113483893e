# SPDX-License-Identifier: Apache-2.0
"""Export and import: the same registry afterwards, resumable anywhere, nothing overwritten."""

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from livery_registry import Registry, sha256_file
from livery_registry.blobs import blob_key
from livery_registry.collection import collect
from livery_registry.errors import (
    CorruptRegistry,
    NotFound,
    StoreUnavailable,
    UnusableRegistry,
)
from livery_registry.fsck import check_registry, content_digest
from livery_registry.log import slot_key
from livery_registry.store import Outcome, Store
from livery_registry.store.folder import FolderStore
from livery_registry.transfer import Transferred, export_registry, import_registry
from tests.registry.fakes import (
    MemoryStore,
    counted_ids,
    fixed_clock,
    promote,
    publish,
    ref,
    small_lora,
)


class Mortal(MemoryStore):
    """A store that a process reaches until it dies: after so many writes, nothing works.

    Attributes:
        writes_left: Writes that still work; None: all.
        answers: What creates answer next, having done their work or not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.writes_left: int | None = None
        self.answers: list[tuple[bool, Outcome]] = []

    def create(self, key: str, *, body: bytes) -> Outcome:
        """Create, unless dead; answer as told."""
        self._live()
        if not self.answers:
            return super().create(key, body=body)
        does_it, answer = self.answers.pop(0)
        if does_it:
            super().create(key, body=body)
        return answer

    def put(self, key: str, *, chunks: Iterable[bytes]) -> None:
        """Put, unless dead."""
        self._live()
        super().put(key, chunks=chunks)

    def replace(self, key: str, *, body: bytes) -> None:
        """Replace, unless dead."""
        self._live()
        super().replace(key, body=body)

    def _live(self) -> None:
        if self.writes_left is not None:
            if self.writes_left == 0:
                raise StoreUnavailable("dead", reason="STORE_UNAVAILABLE")
            self.writes_left -= 1


@pytest.fixture
def source(tmp_path: Path) -> Registry:
    """A registry whose history has everything that makes keys move."""
    registry = Registry.open(MemoryStore(), clock=fixed_clock(), new_id=counted_ids())
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        publish(registry, version, folder=tmp_path)
    promote(registry, "1.0.0")
    registry.purge(ref("1.2.0"), actor="ann", reason="consent withdrawn")
    registry.blobs.put_bytes(b"garbage")
    collect(registry, min_age_seconds=0, dry_run=False, actor="cleaner", workers=1)
    registry.checkpoint()
    return registry


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the export goes."""
    return tmp_path / "export"


def exported(source: Registry, folder: Path) -> Transferred:
    """Export with one thread."""
    return export_registry(source, folder, workers=1, sleep=lambda _seconds: None)


def imported(folder: Path, target: Store) -> Transferred:
    """Import with one thread."""
    return import_registry(folder, target, workers=1, sleep=lambda _seconds: None)


def assert_same(source: Registry, target: Store) -> None:
    """The copy is the same registry, sound, with the same state and no more than it needs."""
    copy = Registry.open(target, create=False)
    assert (copy.id, copy.seq, copy.state.head) == (source.id, source.seq, source.state.head)
    assert content_digest(copy.state) == content_digest(source.state)
    assert copy.records_since_checkpoint == 0
    assert check_registry(copy, deep=True, workers=1).findings == ()


def contents(folder: Path) -> dict[str, bytes]:
    """Every object of a folder."""
    store = FolderStore(folder)
    return {one.key: (folder / one.key).read_bytes() for one in store.objects("")}


def test_export_is_the_same_registry(source: Registry, folder: Path) -> None:
    """Id, history, state, blobs; format.json to the byte."""
    done = exported(source, folder)

    assert (done.registry_id, done.seq, done.records, done.blobs) == (source.id, 7, 7, 6)
    assert_same(source, FolderStore(folder))
    assert (folder / "format.json").read_bytes() == source.store.read("format.json", bytes_max=4096)


def test_import_is_the_same_registry(source: Registry, folder: Path) -> None:
    """From the folder into an empty store: as it was."""
    exported(source, folder)
    target = MemoryStore()

    done = imported(folder, target)

    assert (done.registry_id, done.seq, done.records, done.blobs) == (source.id, 7, 7, 6)
    assert_same(source, target)


def test_copy_can_be_written_to(source: Registry, folder: Path, tmp_path: Path) -> None:
    """History goes on where it was."""
    exported(source, folder)

    copy = Registry.open(str(folder), create=False)
    published = publish(copy, "5.0.0", folder=tmp_path)

    assert (published.created, published.seq) == (True, source.seq + 1)


def test_returned_bytes_keep_their_key(source: Registry, folder: Path, tmp_path: Path) -> None:
    """Bytes of a later generation lie under its key in the copy too."""
    path = small_lora(tmp_path, seed=77)
    source.blobs.put_file(path, digest=sha256_file(path))
    collect(source, min_age_seconds=0, dry_run=False, actor="cleaner", workers=1)
    publish(source, "4.0.0", folder=tmp_path, seed=77)
    source.checkpoint()

    exported(source, folder)

    assert blob_key(sha256_file(path), generation=8) in contents(folder)
    assert_same(source, FolderStore(folder))


def test_empty_registry_is_copied(folder: Path) -> None:
    """Nothing but its id."""
    source = Registry.open(MemoryStore(), new_id=counted_ids())
    target = MemoryStore()

    exported(source, folder)
    imported(folder, target)

    assert target.held == {"format.json": contents(folder)["format.json"]}


def test_export_again_adds_what_is_new(source: Registry, folder: Path, tmp_path: Path) -> None:
    """An earlier export becomes the present one, and loses what was purged since."""
    exported(source, folder)
    publish(source, "5.0.0", folder=tmp_path)
    source.purge(ref("1.1.0"), actor="ann", reason="consent withdrawn")
    source.checkpoint()

    done = exported(source, folder)

    assert (done.records, done.blobs, done.present) == (2, 3, 7 + 3)
    assert_same(source, FolderStore(folder))


def test_repeating_changes_nothing(source: Registry, folder: Path) -> None:
    """Export and import again: everything is there."""
    exported(source, folder)
    target = MemoryStore()
    imported(folder, target)
    before = contents(folder), dict(target.held)

    again = exported(source, folder), imported(folder, target)

    assert (contents(folder), target.held) == before
    assert [(one.records, one.blobs) for one in again] == [(0, 0), (0, 0)]


def test_import_is_taken_up_anywhere(source: Registry, folder: Path) -> None:
    """Dead after any number of writes, it is no registry; repeated, it is the whole one."""
    exported(source, folder)
    for writes in itertools.count():
        target = Mortal()
        target.writes_left = writes
        try:
            imported(folder, target)
        except StoreUnavailable:
            assert "format.json" not in target.held
            assert writes == 0 or _refusal(lambda store=target: Registry.open(store))
        else:
            break
        target.writes_left = None

        done = imported(folder, target)

        assert done.records + done.blobs <= 13 - min(writes, 13)
        assert_same(source, target)
    assert writes > 13


def _refusal(open_it: Callable[[], object]) -> str:
    with pytest.raises(CorruptRegistry) as caught:
        open_it()
    return caught.value.reason


def test_export_is_taken_up(
    source: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that an export was making is not taken for a registry, until it is done."""

    def dies(_self: object, key: str, **_said: object) -> None:
        raise StoreUnavailable(f"dead at {key}", reason="STORE_UNAVAILABLE")

    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "put", dies)
        with pytest.raises(StoreUnavailable):
            exported(source, folder)
    assert _refusal(lambda: Registry.open(str(folder))) == "CORRUPT_FORMAT"

    done = exported(source, folder)

    assert (done.records, done.present, done.blobs) == (0, 7, 6)
    assert_same(source, FolderStore(folder))


@pytest.mark.parametrize(
    "answers",
    [
        [(True, Outcome.UNKNOWN)],
        [(False, Outcome.UNKNOWN), (True, Outcome.UNKNOWN)],
        [(True, Outcome.OCCUPIED)],
        [(False, Outcome.OCCUPIED)] * 3,
    ],
)
def test_lost_answers_are_settled(
    source: Registry, folder: Path, answers: list[tuple[bool, Outcome]]
) -> None:
    """Whatever a create answers, what the slot holds decides."""
    exported(source, folder)
    target = Mortal()
    target.answers = answers

    imported(folder, target)

    assert_same(source, target)


def test_endless_doubt_is_an_error(source: Registry, folder: Path) -> None:
    """A store that never tells is given up on."""
    exported(source, folder)
    target = Mortal()
    target.answers = [(False, Outcome.UNKNOWN)] * 50

    with pytest.raises(StoreUnavailable) as caught:
        imported(folder, target)

    assert caught.value.reason == "COMMIT_UNKNOWN"


def another() -> MemoryStore:
    """Another registry."""
    store = MemoryStore()
    Registry.open(store, new_id=counted_ids("other"))
    return store


def strange() -> MemoryStore:
    """Somebody's pictures."""
    store = MemoryStore()
    store.held["holidays.jpg"] = b"mine"
    return store


def half_of_another() -> MemoryStore:
    """What an interrupted import of another registry left."""
    store = MemoryStore()
    store.held[slot_key(1)] = b"{}"
    return store


@pytest.mark.parametrize("make", [another, strange, half_of_another])
def test_import_refuses_what_is_not_its_own(
    source: Registry, folder: Path, make: Callable[[], MemoryStore]
) -> None:
    """And touches nothing of it."""
    exported(source, folder)
    target = make()
    before = dict(target.held)

    with pytest.raises(UnusableRegistry):
        imported(folder, target)

    assert target.held == before


@pytest.mark.parametrize("make", [another, strange, half_of_another])
def test_export_refuses_what_is_not_its_own(
    source: Registry, folder: Path, make: Callable[[], MemoryStore]
) -> None:
    """Likewise."""
    for key, content in make().held.items():
        (folder / key).parent.mkdir(parents=True, exist_ok=True)
        (folder / key).write_bytes(content)
    before = contents(folder)

    with pytest.raises(UnusableRegistry):
        exported(source, folder)

    assert contents(folder) == before


def test_import_never_adds_to_a_registry(source: Registry, folder: Path, tmp_path: Path) -> None:
    """A complete copy that lacks new records is refused: it may be in use."""
    exported(source, folder)
    target = MemoryStore()
    imported(folder, target)
    publish(source, "5.0.0", folder=tmp_path)
    exported(source, folder)
    before = dict(target.held)

    with pytest.raises(UnusableRegistry, match="already"):
        imported(folder, target)

    assert target.held == before


def test_import_accepts_what_went_on(source: Registry, folder: Path, tmp_path: Path) -> None:
    """A copy that has all of it, and more since, is left as it is."""
    exported(source, folder)
    target = MemoryStore()
    imported(folder, target)
    publish(Registry.open(target), "6.0.0", folder=tmp_path)
    before = dict(target.held)

    done = imported(folder, target)

    assert (done.records, done.seq, target.held) == (0, 7, before)


def test_forked_histories_do_not_mix(source: Registry, folder: Path, tmp_path: Path) -> None:
    """An export that somebody published to is not exported into again."""
    exported(source, folder)
    publish(Registry.open(str(folder)), "5.0.0", folder=tmp_path)
    publish(source, "5.1.0", folder=tmp_path)

    with pytest.raises(UnusableRegistry, match=slot_key(8)):
        exported(source, folder)


def test_damage_is_not_copied(source: Registry, folder: Path) -> None:
    """A blob, a record: whatever is wrong is named, and the copy never becomes a registry."""
    store = source.store
    assert isinstance(store, MemoryStore)
    whole = dict(store.held)
    blob = next(key for key in whole if key.startswith("blob/"))
    for key in (blob, slot_key(3), slot_key(7)):
        store.held = {**whole, key: whole[key][:-3] + b"!!!"}
        with pytest.raises(CorruptRegistry, match=key):
            exported(source, folder / key)
        assert not (folder / key / "format.json").exists()

    store.held = {key: body for key, body in whole.items() if key != blob}
    with pytest.raises(NotFound):
        exported(source, folder / "missing")


def test_damaged_copy_is_not_passed_over(source: Registry, folder: Path) -> None:
    """Bytes of an earlier export that changed since are found, not trusted."""
    exported(source, folder)
    blob = next(key for key in contents(folder) if key.startswith("blob/"))
    content = bytearray((folder / blob).read_bytes())
    content[-1] ^= 1
    (folder / blob).write_bytes(content)

    with pytest.raises(CorruptRegistry, match=blob):
        exported(source, folder)


def test_import_needs_a_registry(tmp_path: Path) -> None:
    """An empty folder is none, and the target stays empty."""
    target = MemoryStore()

    with pytest.raises(UnusableRegistry):
        imported(tmp_path / "nothing", target)

    assert target.held == {}


def test_folder_to_folder_with_threads(registry: Registry, tmp_path: Path) -> None:
    """As the command line does it, with progress."""
    publish(registry, "1.0.0", folder=tmp_path)
    registry.checkpoint()
    told: list[str] = []
    export_registry(
        registry,
        tmp_path / "export",
        progress=lambda what, _done, _total: told.append(what),
    )

    import_registry(tmp_path / "export", str(tmp_path / "again"))

    assert {"copying the log", "copying blobs"} <= set(told)
    assert_same(registry, FolderStore(tmp_path / "again"))
