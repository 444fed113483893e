# SPDX-License-Identifier: Apache-2.0
"""What lies in host memory: leases of whole stacks, and who goes to make room."""

import threading
from typing import Any

from tabard_server.adapters.host_memory import HostMemory
from tabard_server.telemetry.metrics import Metrics
from tests.server.adapters.sized_adapters import SizedAdapter


def memory(*names: str, bytes_max: int = 100, **options: Any) -> HostMemory:
    """Return a memory that holds adapters of ten bytes."""
    made = HostMemory(bytes_max=bytes_max, metrics=Metrics(), **options)
    for name in names:
        assert put(made, name)
    return made


def put(into: HostMemory, name: str, *, size_bytes: int = 10, **options: Any) -> bool:
    """Put an adapter in."""
    adapter: Any = SizedAdapter(name=name, resident_bytes=size_bytes)
    return into.put(adapter, digest=name, **options)


def names_in(held: HostMemory) -> set[str]:
    """Return what lies there."""
    return {one.digest for one in held.residents()}


def test_stack_is_leased_whole_or_not() -> None:
    """One that is missing leaves nothing held of the others."""
    held = memory("a", "b")

    assert held.lease(["a", "b", "c"], rows=2) is None
    assert (held.held_bytes, held.waiting_rows) == (0, 0)
    assert held.lease(["a", "b"], rows=2) is not None
    assert (held.held_bytes, held.waiting_rows) == (20, 2)


def test_same_adapter_twice_is_held_twice() -> None:
    """A stack may name one adapter twice; it goes back as often as it was taken."""
    held = memory("a")

    lease = held.lease(["a", "a"])
    assert lease is not None
    assert (held.residents()[0].leases, held.held_bytes) == (2, 10)
    lease.release()

    assert (held.residents()[0].leases, held.held_bytes) == (0, 0)


def test_leased_adapters_never_go() -> None:
    """When everything is held there is no room, and nobody loses anything."""
    held = memory("a", "b", bytes_max=20)
    first, second = held.lease(["a"]), held.lease(["b"])
    assert first is not None
    assert second is not None

    assert not put(held, "c")
    assert names_in(held) == {"a", "b"}
    first.release()
    assert put(held, "c")
    assert names_in(held) == {"b", "c"}


def test_kept_never_go_and_spared_go_last() -> None:
    """What those ahead wait for stays; what others wait for goes when nothing else can."""
    held = memory("a", "b", "c", bytes_max=30)

    assert put(held, "d", kept={"a"}, spared={"b"})
    assert names_in(held) == {"a", "b", "d"}
    assert put(held, "e", size_bytes=20, kept={"a"}, spared={"b", "d"})
    assert names_in(held) == {"a", "e"}
    assert not put(held, "f", kept={"a", "e"})


def test_size_is_known_after_it_has_gone() -> None:
    """Of what was refused or evicted as well."""
    held = memory("a", bytes_max=10)

    assert put(held, "b")
    assert not put(held, "c", size_bytes=50)

    assert [held.size_of(name) for name in "abcd"] == [10, 10, 50, None]
    assert held.need_of(["a", "a", "c", "d"]) == 60


def test_begun_rows_wait_no_more() -> None:
    """Each image that begins counts off once, and the release counts off the rest."""
    freed: list[int] = []
    held = memory("a", on_freed=lambda: freed.append(held.waiting_rows))
    lease = held.lease(["a"], rows=3)
    assert lease is not None

    lease.begin_row()
    lease.release()
    lease.begin_row()
    lease.release()

    assert freed == [2, 0]
    assert held.waiting_rows == 0


def test_dropped_adapter_goes_when_idle() -> None:
    """Nobody's is gone at once, a held one with its last lease."""
    held = memory("idle", "held")
    lease = held.lease(["held"])
    assert lease is not None

    held.drop("idle")
    held.drop("held")
    held.drop("never seen")

    assert names_in(held) == {"held"}
    lease.release()
    assert (held.residents(), held.resident_bytes) == ((), 0)


def test_leased_again_is_kept() -> None:
    """After a lift somebody wears it again: it stays."""
    held = memory("a")
    first = held.lease(["a"])
    held.drop("a")
    second = held.lease(["a"])
    assert first is not None
    assert second is not None

    first.release()
    second.release()

    assert names_in(held) == {"a"}


def test_favoured_are_evicted_last() -> None:
    """What a rollback returns to outlives what was used later."""
    held = memory("a", "b", bytes_max=20)
    held.favour(frozenset({"a"}))

    assert put(held, "c")

    assert names_in(held) == {"a", "c"}


def test_threads_lease_and_release() -> None:
    """Whatever the interleaving, nothing is held at the end."""
    held = memory("a", "b", "c")
    barrier = threading.Barrier(8)

    def use() -> None:
        barrier.wait()
        for _ in range(200):
            lease = held.lease(["a", "c"], rows=2)
            assert lease is not None
            lease.begin_row()
            lease.release()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (held.held_bytes, held.waiting_rows) == (0, 0)
    assert all(one.leases == 0 for one in held.residents())
