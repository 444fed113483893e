# SPDX-License-Identifier: Apache-2.0
"""What was served of late, by digest of the file and by job: what callers may complain about.

Bounded: the oldest go first. No picture is kept.
"""

from collections import OrderedDict
from dataclasses import dataclass

from tabard_registry.acts import CanaryName


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One picture that a caller was sent.

    Attributes:
        adapter: The release line that drew it.
        version: Its version.
        canary: The canary on whose channel it was asked for; None: there was none.
        is_candidate: Whether the candidate drew it.
        share: The candidate's share of the callers then.
        tenant: Whose it is; complaints count once for each.
    """

    adapter: str
    version: str
    canary: CanaryName | None = None
    is_candidate: bool = False
    share: float = 0.0
    tenant: str = ""


class ServedImages:
    """Remembers pictures. One thread."""

    def __init__(self, *, images_max: int) -> None:
        """Take how many are remembered."""
        self._max = images_max
        self._found: OrderedDict[str, Served] = OrderedDict()

    def note(self, served: Served, *, digest: str, job_id: str) -> None:
        """Remember a picture under the digest of its file, and the newest of its job."""
        for key in (digest, job_id):
            self._found[key] = served
            self._found.move_to_end(key)
        while len(self._found) > 2 * self._max:
            self._found.popitem(last=False)

    def find(self, key: str) -> Served | None:
        """Return what is known under a digest or a job's id."""
        return self._found.get(key)
