# SPDX-License-Identifier: Apache-2.0
"""What libraries say to PyTorch's compiler of their functions, where this process compiles nothing.

In: a function that a library marks while it is imported. Out: the same one. The names are those of
`torch._dynamo`, in whose place they stand until somebody asks it for anything else.
"""

from typing import Any


def _as_it_is(function: Any = None, *_said: object, **_more: object) -> Any:
    return _as_it_is if function is None else function


allow_in_graph = assume_constant_result = disable = _as_it_is
