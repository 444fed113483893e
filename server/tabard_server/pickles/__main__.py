# SPDX-License-Identifier: Apache-2.0
"""The program in the sandbox: a pickle on stdin becomes safetensors, or a reason, on stdout.

Says `ready` once it is sealed, before it reads a byte; then `ok` and the file, or `large` or
`refused` and one line. Where it cannot be sealed it says `unsealed`, which call failed and what
helps, and reads nothing. Nobody must believe what it says after `ready`.
"""

import os
import re
import sys
import warnings
from io import BytesIO

from tabard_server.pickles.kernel import SealUnavailable
from tabard_server.pickles.sandbox import Seal

READY, UNSEALED = b"ready\n", b"unsealed\n"
OK, LARGE, REFUSED = b"ok\n", b"large\n", b"refused\n"
_CODECS = ("ascii", "latin-1", "utf-8")
_CALLED = re.compile(r"(?:GLOBAL|[Uu]nsupported class|function) ([\w.]{1,100})")
_REASON_CHARS_MAX = 300


def main(arguments: list[str]) -> int:
    """Seal this process, then convert; the arguments are bytes in, bytes of memory, seconds.

    With no bytes in it reads nothing, and only says what the seal is made of.
    """
    input_bytes_max, memory_bytes_max, seconds_max = map(int, arguments)
    warnings.simplefilter("ignore")
    try:
        seal = Seal()
        if input_bytes_max:
            _warm_up()
        layers = seal.close(memory_bytes_max=memory_bytes_max, seconds_max=seconds_max)
    except SealUnavailable as error:
        _say(UNSEALED, f"{error}\n{error.remedy}".encode())
        return 0
    _say(READY)
    if input_bytes_max:
        _convert(input_bytes_max=input_bytes_max, memory_bytes_max=memory_bytes_max)
    else:
        _say(OK, ", ".join(layers))
    return 0


def _convert(*, input_bytes_max: int, memory_bytes_max: int) -> None:
    try:
        content = sys.stdin.buffer.read(input_bytes_max + 1)
        if len(content) > input_bytes_max:
            _say(LARGE, f"it has more than {input_bytes_max} bytes")
        else:
            _say(OK, _converted(content, bytes_max=input_bytes_max))
    except MemoryError:
        _say(LARGE, f"it wants more than {memory_bytes_max} bytes of memory")
    # What hostile bytes can make torch raise is anything; all of it is one answer.
    except Exception as error:
        _say(*_answer_to(error))


def _answer_to(error: Exception) -> tuple[bytes, str]:
    """Say what was wrong in own words: torch's advice is to read the file without care."""
    kind, says = type(error).__name__, str(error)
    if kind == "TooLarge" or "allocate memory" in says:
        return LARGE, says
    if kind == "Unknown":
        return REFUSED, says
    called = _CALLED.search(says)
    if called is not None:
        return REFUSED, f"it wants to call {called[1]}, which is code and no data"
    return REFUSED, f"it cannot be read as data only: {kind}"


def _say(word: bytes, more: str | bytes = b"") -> None:
    if isinstance(more, str):
        more = " ".join(more.split())[:_REASON_CHARS_MAX].encode("utf-8", "replace")
    sys.stdout.buffer.write(word)
    sys.stdout.buffer.write(more)
    sys.stdout.buffer.flush()


def _converted(content: bytes, *, bytes_max: int) -> bytes:
    import safetensors.torch  # noqa: PLC0415 - before the seal only `_warm_up` imports it
    import torch  # noqa: PLC0415

    from tabard_server.pickles.contents import ParameterDict, named_tensors  # noqa: PLC0415

    stand_in = (ParameterDict, "torch.nn.modules.container.ParameterDict")
    with torch.serialization.safe_globals([stand_in]):
        document = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
    tensors, words = named_tensors(document, bytes_max=bytes_max)
    return bytes(safetensors.torch.save(tensors, metadata=words or None))


def _warm_up() -> None:
    """Import what converting needs, and convert both layouts once: later no file can be opened."""
    import torch  # noqa: PLC0415 - heavy, and after the network is gone

    torch.set_num_threads(1)
    for codec in _CODECS:
        "warm".encode(codec)
    for is_zip in (True, False):
        sink = BytesIO()
        document = {"warm": torch.zeros(2)}
        torch.save(document, sink, _use_new_zipfile_serialization=is_zip)
        _converted(sink.getvalue(), bytes_max=1024)


if __name__ == "__main__":
    # No clean-up: nothing that a hostile file left in memory gets to run.
    code = main(sys.argv[1:])
    os._exit(code)
