# SPDX-License-Identifier: Apache-2.0
"""How a job ends of whose images some may not be sent: one error that names each of them.

In: what came of each. Out: an error of the kind of the first, with a violation for each image.
"""

from collections.abc import Mapping, Sequence

from tabard_server.errors import ServerError, Violation


def error_of(lacking: Mapping[int, ServerError], *, seeds: Sequence[int]) -> ServerError:
    """Return what a job ends with.

    Args:
        lacking: Why an image is not sent, by its index; at least one.
        seeds: One for each image of the job.
    """
    first = lacking[min(lacking)]
    if len(seeds) == 1:
        return first
    violations = tuple(
        Violation(
            field=f"images[{index}]",
            description=f"image {index}, of seed {seeds[index]}: {error}",
            reason=error.reason,
            hint=error.hint,
        )
        for index, error in sorted(lacking.items())
    )
    told = f"{len(lacking)} of {len(seeds)} images are not sent: {first}"
    error = type(first)(told, reason=first.reason, hint=first.hint, violations=violations)
    error.__cause__ = first
    return error
