# SPDX-License-Identifier: Apache-2.0
"""The filter is a short list, and where it cannot be had the reason is the true one."""

import ctypes
import sys
from types import SimpleNamespace

import pytest

from tabard_server.pickles import seccomp
from tabard_server.pickles.kernel import SealUnavailable
from tabard_server.pickles.seccomp import ALLOWED, SystemCallFilter

FORBIDDEN_WORDS = ("open", "exec", "clone", "socket", "connect", "ioctl", "prctl", "kill", "dup")


def test_list_is_short_and_bound_to_the_two_descriptors() -> None:
    """Nothing that names a file, a process or a peer; reading and writing on 0 and 1 alone."""
    assert len(ALLOWED) <= 15
    assert not [name for name in ALLOWED for word in FORBIDDEN_WORDS if word in name]
    assert ALLOWED["read"] == (((0, 7, 0xFFFFFFFF, 0),),)
    assert ALLOWED["write"] == (((0, 7, 0xFFFFFFFF, 1),),)


def test_filter_is_built_here() -> None:
    """Building it asks the library alone; nothing is enforced yet."""
    assert SystemCallFilter()._context


@pytest.mark.parametrize(
    ("patched", "value", "why", "remedy"),
    [
        ("sys", SimpleNamespace(platform="darwin"), "seccomp: darwin does not", "another machine"),
        ("_LIBRARY", "libnowhere.so.9", "libnowhere.so.9: it is not installed", "libseccomp2"),
        ("_ARCHITECTURES", (7,), "no filter for this architecture", "another machine"),
        ("ALLOWED", {"no_such_call": ((),)}, "seccomp_rule_add of no_such_call", "libseccomp2"),
    ],
)
def test_what_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, patched: str, value: object, why: str, remedy: str
) -> None:
    """Another system, no library, another architecture, an old library: each with its remedy."""
    monkeypatch.setattr(seccomp, patched, value)

    with pytest.raises(SealUnavailable, match=why) as caught:
        SystemCallFilter()

    assert remedy in caught.value.remedy


def test_refusal_of_the_kernel_is_another_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter that cannot be enforced says what the kernel said, and not to install anything."""
    built = SystemCallFilter()
    monkeypatch.setattr(built, "_library", SimpleNamespace(seccomp_load=lambda _context: -1))

    with pytest.raises(SealUnavailable, match="seccomp_load: Operation not permitted") as caught:
        built.enforce()

    assert "Docker's default profile" in caught.value.remedy
    assert "nstall" not in caught.value.remedy


def test_conditions_are_laid_out_as_the_library_reads_them() -> None:
    """Argument and operator are 32 bits, the values 64: a mistake here would allow other calls."""
    assert ctypes.sizeof(seccomp._Comparison) == 24
    assert seccomp._Comparison.first.offset == 8
    assert sys.byteorder == "little"
