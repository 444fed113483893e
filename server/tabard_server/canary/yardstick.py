# SPDX-License-Identifier: Apache-2.0
"""What the pictures of a canary are scored by: from the base (0) to what it shall look like (1).

In: a canary and its pictures. Out: a pair as it is counted, or why nobody can tell. References are
those that were published beside a release of the line; else what the baseline draws on its grid.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tabard_registry import AdapterRef, ByDigest, Registry, Release
from tabard_registry.errors import RegistryError
from tabard_registry.evidence.documents import REFERENCES_MIN, References
from tabard_registry.evidence.grid import Grid
from tabard_registry.refs.names import AdapterName
from tabard_registry.release.canary import PAIR, Canary, Observation
from tabard_server.callers.caller import NOBODY
from tabard_server.evaluation.cells import Cell, Side, Worn, cells_of
from tabard_server.evaluation.drawer import Asker, Drawer, Picture
from tabard_server.evaluation.looks import Encoders, pixels_of
from tabard_server.evaluation.plan import Pinned
from tabard_server.evaluation.shipped_grids import grid_name_for
from tabard_server.identity_of_server import SERVER
from tabard_server.judgement.pictures.encoder import Encoder
from tabard_server.judgement.pictures.sanity import Soundness, fault_of
from tabard_server.judgement.scores.likeness import Likeness, likeness_to
from tabard_server.judgement.scores.result import NotChecked
