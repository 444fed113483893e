# SPDX-License-Identifier: Apache-2.0
"""No failure of a call into the kernel goes unseen."""

import ctypes
import errno

import pytest

from tabard_server.pickles.kernel import SealUnavailable, call, required


def test_result_comes_back() -> None:
    """A call that succeeds gives what it returned."""
    assert call("getpid") > 0


def test_failed_call_is_an_error() -> None:
    """One that returns -1 raises, with the kernel's own number."""
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        call("close", ctypes.c_int(-1))

    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize(
    ("error", "why"),
    [(OSError(errno.EPERM, "Operation not permitted"), "Operation not permitted"),
     (ValueError("above the limit"), "above the limit")],
)  # fmt: skip
def test_required_step_names_itself(error: Exception, why: str) -> None:
    """What fails in a step says which step, why, and what helps."""
    with pytest.raises(SealUnavailable) as caught, required("setresuid", remedy="Be a user."):
        raise error

    assert (caught.value.call, caught.value.why) == ("setresuid", why)
    assert (str(caught.value), caught.value.remedy) == (f"setresuid: {why}", "Be a user.")
