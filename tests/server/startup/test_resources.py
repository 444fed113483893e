# SPDX-License-Identifier: Apache-2.0
"""Opening a registry for a server: an unsafe place is refused, damage is told, files are cached."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tabard_registry import Registry, UnusableRegistry
from tabard_registry.store.store import Outcome
from tabard_server.adapters.loader import ReleaseLoader
from tabard_server.engine_port.loading_stage import Stage
from tabard_server.engine_port.memory import MEBIBYTE, MemoryPlan
from tabard_server.errors import BadSettings
from tabard_server.pickles import reader
from tabard_server.settings import Settings
from tabard_server.startup import resources
from tabard_server.telemetry.metrics import Metrics
from tests.bases import make_tiny_base
from tests.registry.fakes import MemoryStore
from tests.registry.upkeep.doctor.broken_stores import TwoWinners, Unconditional
from tests.server.adapters.published_lora import publish_lora
from tests.server.encoders.models import save_dinov2
from tests.server.engine_port.known_work import WORK
from tests.server.fakes import PROFILE, FakeEngine
from tests.server.followers.written_records import act
from tests.server.telemetry.logged import logged
from tests.single_file import write_single_file

Opening = Callable[[MemoryStore], None]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a server whose registry is elsewhere."""
    return Settings(registry="s3://bucket/team", cache=str(tmp_path / "cache"))


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> Opening:
    """Give what makes a store the one that the settings name."""

    def use(store: MemoryStore) -> None:
        def open_store(_url: str, *, single_writer: bool) -> MemoryStore:
            store.needs_doctor = not single_writer
            return store

        monkeypatch.setattr(resources, "open_store", open_store)

    return use


@pytest.mark.parametrize("kind", [TwoWinners, Unconditional])
def test_unsafe_store_is_refused(
    settings: Settings, opens: Opening, kind: type[MemoryStore]
) -> None:
    """A store where two writers can both win gets not a byte; the way out is named."""
    store = kind()
    opens(store)

    with pytest.raises(UnusableRegistry) as refusal:
        resources.open_registry(settings, metrics=Metrics())

    assert refusal.value.reason == "UNSAFE_STORE"
    assert "single-writer" in refusal.value.hint
    assert store.held == {}


def test_single_writer_is_taken_at_its_word(settings: Settings, opens: Opening) -> None:
    """Who says that nobody else writes may use such a store."""
    opens(Unconditional())

    registry = resources.open_registry(
        settings.model_copy(update={"single_writer": True}), metrics=Metrics()
    )

    assert registry.seq == 0
    registry.close()


class Untouchable(MemoryStore):
    """A place where nothing may be written."""

    def create(self, key: str, *, body: bytes) -> Outcome:
        raise AssertionError(f"{key} was written")


def test_stranger_is_not_probed(settings: Settings, opens: Opening) -> None:
    """In somebody else's bucket nothing is written, not even to try it out."""
    store = Untouchable()
    store.held["photos/cat.jpg"] = b"cat"
    opens(store)

    with pytest.raises(UnusableRegistry) as refusal:
        resources.open_registry(settings, metrics=Metrics())

    assert refusal.value.reason == "NOT_A_REGISTRY"
    assert store.held == {"photos/cat.jpg": b"cat"}


def test_stray_object_stops_no_registry(settings: Settings, opens: Opening) -> None:
    """A registry stays one when somebody leaves something beside it."""
    store = MemoryStore()
    Registry.open(store).close()
    store.held["README.txt"] = b"our styles"
    opens(store)

    registry = resources.open_registry(settings, metrics=Metrics())

    assert store.held["README.txt"] == b"our styles"
    registry.close()


def test_damaged_checkpoint_is_told(
    settings: Settings, opens: Opening, caplog: pytest.LogCaptureFixture
) -> None:
    """The server opens without it, names it with a remedy, and counts it."""
    store, metrics = MemoryStore(), Metrics()
    registry = Registry.open(store)
    act(registry, flag=True)
    key = registry.checkpoint()
    assert key is not None
    store.held[key] = b"damaged"
    opens(store)

    with caplog.at_level(logging.ERROR, logger="tabard"):
        opened = resources.open_registry(settings, metrics=metrics)

    assert opened.seq == 1
    (told,) = logged(caplog, "checkpoint.damaged")
    assert key in told["message"]
    assert told["hint"]
    value = metrics.registry.get_sample_value
    assert value("tabard_registry_checkpoints_total", {"outcome": "damaged"}) == 1.0
    opened.close()


@pytest.mark.parametrize("is_remote", [True, False])
def test_packed_adapters_lie_in_the_cache(
    settings: Settings, tmp_path: Path, is_remote: bool
) -> None:
    """A release is packed once; afterwards its bytes in the store are not needed."""
    registry = Registry.open(MemoryStore() if is_remote else str(tmp_path / "registry"))
    release = publish_lora(registry, folder=tmp_path)
    metrics = Metrics()
    disk = resources._disk_cache(registry, settings=settings, metrics=metrics)
    load = ReleaseLoader(registry, profile=PROFILE, dtype=torch.float32, disk=disk)

    first = load(str(release.digest))
    blob = registry.manifest(release.digest).canonical
    assert blob is not None
    registry.blobs.delete(blob.sha256)
    second = load(str(release.digest))

    [file] = (Path(settings.cache) / "adapters").iterdir()
    assert first.rank == second.rank == 4
    value = metrics.registry.get_sample_value
    assert value("tabard_adapter_cache_hits_total", {"tier": "disk"}) == 1.0
    assert value("tabard_adapter_resident_bytes", {"tier": "disk"}) == file.stat().st_size


def test_remarks_on_the_base_are_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the loader left over or overruled stands in the log of the start."""
    base = make_tiny_base(tmp_path / "base")
    file = write_single_file(base, tmp_path / "x.safetensors", marks=("junk.of.a.merge",))
    monkeypatch.setattr(logging.getLogger("tabard"), "propagate", True)
    settings = Settings(
        base=str(file),
        base_config=str(base),
        base_prediction="v_prediction",
        registry=str(tmp_path / "registry"),
        cache=str(tmp_path / "cache"),
        slot_rank_total=8,
        merged_copy=False,
    )

    with caplog.at_level(logging.INFO, logger="tabard"):
        loaded = resources.load_resources(settings, Metrics())

    loaded.registry.close()
    said = [one["message"] for one in logged(caplog, "base.remark")]
    assert ["junk.of.a.merge" in one for one in said] == [False, True]
    assert "as was asked" in said[0]
    assert loaded.engine.profile.prediction == "v_prediction"
    stages = [one["stage"] for one in logged(caplog, "base.loading")]
    assert stages[:2] == ["opening the registry", "importing the model libraries"]
    assert stages[-1] == "measuring its passes"
    assert {"loading unet", "moving it to cpu"} <= set(stages)


def test_stages_are_told_as_they_begin(caplog: pytest.LogCaptureFixture) -> None:
    """One line each: what is done, how much of it, and for how long the start has lasted."""
    now = iter([10.0, 12.0, 15.5])
    tell = resources.stages_told(clock=lambda: next(now))

    with caplog.at_level(logging.INFO, logger="tabard"):
        tell(Stage(name="reading the base's files"))
        tell(
            Stage(
                name="loading vae",
                size_bytes=MEBIBYTE,
                done_bytes=3 * MEBIBYTE,
                total_bytes=5 * MEBIBYTE,
            )
        )

    base = {"event": "base.loading", "level": "info"}
    assert logged(caplog, "base.loading") == [
        base | {"stage": "reading the base's files", "seconds": 2.0},
        base
        | {
            "stage": "loading vae",
            "mebibytes": 1,
            "mebibytes_done": 3,
            "mebibytes_total": 5,
            "seconds": 5.5,
        },
    ]


def test_plan_is_told_at_start(caplog: pytest.LogCaptureFixture) -> None:
    """Rows, copy, memory, the seconds of a step, and which of them the server chose."""
    plan = MemoryPlan(
        base=MEBIBYTE,
        slots=0,
        merged=0,
        gathered=0,
        activations=MEBIBYTE,
        rows_per_step=3,
        chosen=("limits.rows_per_step_max", "merged_copy"),
        free=5 * MEBIBYTE,
    )

    with caplog.at_level(logging.INFO, logger="tabard"):
        resources._log_plan(FakeEngine(plan=plan, work=WORK))

    assert logged(caplog, "engine.planned") == [
        {
            "event": "engine.planned",
            "level": "info",
            "rows_per_step": 3,
            "merged_copy": False,
            "texts_in_host_memory": False,
            "chosen": "limits.rows_per_step_max,merged_copy",
            "mebibytes": 2,
            "mebibytes_free": 5,
            "step_seconds": WORK.step.seconds((64, 64), samples=2),
        }
    ]


@pytest.mark.parametrize(
    ("script", "event"),
    [
        ("printf 'ready\\nok\\nseccomp'", {"event": "pickles.sealed", "layers": "seccomp"}),
        (
            "printf 'unsealed\\nx: no\\nDo.'",
            {"event": "pickles.refused", "reason": "PICKLE_SEAL_UNAVAILABLE"},
        ),
    ],
)
def test_start_says_whether_pickles_are_read(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    event: dict[str, str],
) -> None:
    """A warning with what helps, long before somebody sends one."""
    monkeypatch.setattr(reader, "_command", lambda _limits: ["/bin/sh", "-c", script])

    with caplog.at_level(logging.INFO, logger="tabard"):
        resources._log_seal()

    (told,) = logged(caplog, event["event"])
    assert told.items() >= event.items()
    assert (told["level"] == "warning") == ("hint" in told)


@pytest.fixture
def small(tmp_path: Path) -> dict[str, object]:
    """Settings of a server of toy width."""
    return {
        "registry": str(tmp_path / "registry"),
        "cache": str(tmp_path / "cache"),
        "base": str(make_tiny_base(tmp_path / "base")),
        "device": "cpu",
        "slot_rank_total": 8,
        "merged_copy": False,
    }


def test_encoders_are_loaded_and_named(
    small: dict[str, object], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With their digests, as reports name them; a server that is told of none has none."""
    monkeypatch.setattr(logging.getLogger("tabard"), "propagate", True)
    table = {"name": "own", "kind": "subject", "path": "demo"}

    with caplog.at_level(logging.INFO, logger="tabard"):
        loaded = resources.load_resources(Settings(**small, encoders=[table]), Metrics())

    loaded.registry.close()
    (encoder,) = loaded.encoders
    (told,) = logged(caplog, "encoder.loaded")
    assert (told["name"], told["kind"], told["device"]) == ("own", "subject", "cpu")
    assert told["digest"] == f"sha256:{encoder.digest}"
    stages = [one["stage"] for one in logged(caplog, "base.loading")]
    assert stages[2] == "loading the encoders"


def test_encoder_that_sees_nothing_ends_the_start(small: dict[str, object], tmp_path: Path) -> None:
    """Before the base is loaded, which may take minutes."""
    save_dinov2(tmp_path / "dino")
    file = tmp_path / "dino" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-64])
    table = {"name": "dino", "kind": "style", "path": str(tmp_path / "dino")}
    small["base"] = str(tmp_path / "nowhere")

    with pytest.raises(BadSettings, match="'dino'") as refusal:
        resources.load_resources(Settings(**small, encoders=[table]), Metrics())

    assert refusal.value.reason == "ENCODER_UNREADABLE"


def test_default_sampler_that_the_base_lacks_ends_the_start(tmp_path: Path) -> None:
    """Else every request that names none would be refused; which there are is told."""
    settings = Settings(
        registry=str(tmp_path / "registry"),
        cache=str(tmp_path / "cache"),
        base=str(make_tiny_base(tmp_path / "base")),
        base_zero_snr=True,
        base_prediction="v_prediction",
        device="cpu",
        defaults={"sampler": "lms"},
    )

    with pytest.raises(BadSettings, match=r"defaults\.sampler: lms cannot draw") as refusal:
        resources.load_resources(settings, Metrics())

    assert refusal.value.reason == "SAMPLER_NOT_SERVED"
    assert "ddim" in refusal.value.hint
