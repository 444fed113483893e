# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from tabard_server.extraction.errors import ImageErrorTooLarge
from tests.bases import make_tiny_base
from tests.single_file import write_single_file
from tests.tuned_models import QUICK, add_everywhere, extracted, make_tuned_model


@pytest.fixture(scope="module")
def tuned(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a tuned model that differs everywhere."""
    return make_tuned_model(base, tmp_path_factory.mktemp("tuned") / "tuned", add_everywhere(0.07))


@pytest.mark.oracle
@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_exact_adapter_draws_the_tuned_model(tmp_path: Path, family: str) -> None:
    """With every difference kept, the engine draws what diffusers draws of the tuned model."""
    base = make_tiny_base(tmp_path / "base", family=family)
    tuned = make_tuned_model(base, tmp_path / "tuned", add_everywhere(0.07))

    outcome = extracted(base, tuned, tmp_path / "out", is_exact=True, comparison=QUICK)

    [picture] = outcome.pictures
    assert picture.pixel_max <= 1
    assert picture.latent_error < 1e-4
    assert picture.base_latent_error > 1e-2
    assert outcome.kept_energy == 1.0


def test_full_rank_adapter_draws_the_tuned_model(tmp_path: Path, base: Path, tuned: Path) -> None:
    """Pairs of full rank and whole norms and biases are the tuned model, up to float32."""
    outcome = extracted(base, tuned, tmp_path / "out", rank=512, comparison=QUICK)

    assert outcome.kept_energy == pytest.approx(1.0, abs=1e-9)
    assert outcome.pictures[0].pixel_max <= 1
    assert outcome.pictures[0].latent_error < 1e-4


@pytest.mark.oracle
def test_error_falls_with_rank(tmp_path: Path, base: Path, tuned: Path) -> None:
    """A rank that keeps more draws nearer pictures; the base is the known of both."""
    small, large = (
        extracted(base, tuned, tmp_path / "out", rank=rank, comparison=QUICK, image_error_max=9.0)
        for rank in (1, 24)
    )

    assert large.kept_energy > small.kept_energy
    assert large.pictures[0].latent_error < small.pictures[0].latent_error
    assert large.pictures[0].base_latent_error == small.pictures[0].base_latent_error
    assert large.image_error is not None
    assert 0 < large.image_error < 1


def test_unlike_pictures_are_refused(tmp_path: Path, base: Path, tuned: Path) -> None:
    """Above the threshold nothing is written, what stood there stays, and the outcome is told."""
    out = tmp_path / "out"
    out.write_text("mine")

    with pytest.raises(ImageErrorTooLarge) as refused:
        extracted(base, tuned, out, rank=1, comparison=QUICK, image_error_max=0.0)

    outcome = refused.value.outcome
    assert not outcome.accepted
    assert outcome.image_error is not None
    assert outcome.image_error > 0
    assert "--exact" in refused.value.hint
    assert out.read_text() == "mine"
    assert [one.name for one in tmp_path.iterdir()] == ["out"]


def test_single_file_is_drawn_with_configs_of_base(tmp_path: Path, base: Path, tuned: Path) -> None:
    """A single file brings no configs and no tokenizer; the base's are at hand."""
    file = write_single_file(tuned, tmp_path / "tuned.safetensors")

    outcome = extracted(base, file, tmp_path / "out", is_exact=True, comparison=QUICK)

    assert outcome.pictures[0].pixel_max <= 1
