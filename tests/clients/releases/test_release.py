# SPDX-License-Identifier: Apache-2.0
"""What a release is judged as, by its purpose, else by its kind."""

from dataclasses import replace

import pytest

from tabard import Release
from tabard.enums import KINDS, PURPOSES
from tabard.releases.release import judged_as
from tabard_registry.release.manifest import KINDS as REGISTRY_KINDS
from tests.server.releases import release as registry_release


@pytest.mark.parametrize("purpose", ["", *PURPOSES])
@pytest.mark.parametrize("kind", REGISTRY_KINDS)
def test_sdk_and_registry_judge_alike(kind: str, purpose: str) -> None:
    """The pictures that a command draws by itself are of the grid that the server would take."""
    kept = replace(registry_release(), kind=kind, purpose=purpose)

    assert judged_as(purpose=purpose, kind=kind) == kept.judged_as
    assert kept.judged_as in PURPOSES


def test_purpose_goes_before_kind(stable: Release) -> None:
    """An author may train a subject as a LoRA, and a style by DreamBooth."""
    said = {kind: replace(stable, kind=kind, purpose="").judged_as for kind in KINDS}

    assert said == {"lora": "style", "textual_inversion": "concept", "dreambooth": "subject"}
    assert replace(stable, kind="dreambooth", purpose="style").judged_as == "style"
