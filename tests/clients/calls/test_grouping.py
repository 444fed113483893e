# SPDX-License-Identifier: Apache-2.0
"""Names that trainers give decide which files of a folder are one adapter."""

import pytest

from tabard import InvalidArgument
from tabard.calls.grouping import LAYOUTS, Layout, choose_files, is_trainer_state

CHOSEN = {
    "peft": (
        ["adapter_model.safetensors", "adapter_config.json", "README.md"],
        ("adapter_model.safetensors", "adapter_config.json"),
    ),
    "peft in both forms": (
        ["adapter_model.bin", "adapter_model.safetensors", "adapter_config.json"],
        ("adapter_model.safetensors", "adapter_config.json"),
    ),
    "diffusers": (
        ["pytorch_lora_weights.safetensors", "image_0.png"],
        ("pytorch_lora_weights.safetensors",),
    ),
    "pickled": (["pytorch_lora_weights.bin"], ("pytorch_lora_weights.bin",)),
    "embedding": (["learned_embeds.bin", "token_identifier.txt"], ("learned_embeds.bin",)),
    "embedding for two": (
        ["learned_embeds.safetensors", "learned_embeds_2.safetensors", "learned_embeds.bin"],
        ("learned_embeds.safetensors", "learned_embeds_2.safetensors"),
    ),
    "the only one": (["style.safetensors", "style.png", "notes.txt"], ("style.safetensors",)),
    "the only pickle": (["style.PT", "x.yaml"], ("style.PT",)),
    "checkpoint of a trainer": (
        ["model.safetensors", "optimizer.bin", "scheduler.bin", "random_states_0.pkl"],
        ("model.safetensors",),
    ),
    "checkpoint of an older trainer": (
        ["pytorch_model.bin", "optimizer.bin", "scheduler.bin", "scaler.pt", "sampler_1.bin"],
        ("pytorch_model.bin",),
    ),
    "checkpoint of PEFT": (
        ["adapter_model.bin", "adapter_config.json", "optimizer.pt", "training_args.bin"],
        ("adapter_model.bin", "adapter_config.json"),
    ),
    "safe before pickled": (["a.safetensors", "b.pt"], ("a.safetensors",)),
}


@pytest.mark.parametrize("case", CHOSEN)
def test_files_that_belong_together(case: str) -> None:
    """Names that trainers give decide."""
    names, chosen = CHOSEN[case]

    assert choose_files(names, where="the folder") == chosen


@pytest.mark.parametrize(
    ("names", "reason", "says"),
    [
        (["a.safetensors", "b.safetensors"], "AMBIGUOUS_FOLDER", "a.safetensors, b.safetensors"),
        (["a.pt", "b.bin"], "AMBIGUOUS_FOLDER", "a.pt, b.bin"),
        (
            ["adapter_model.safetensors", "pytorch_lora_weights.safetensors"],
            "AMBIGUOUS_FOLDER",
            "pytorch_lora_weights.safetensors",
        ),
        (
            ["optimizer.bin", "scheduler.bin", "random_states_0.pkl", "rng_state_1.pth"],
            "NOT_AN_ADAPTER",
            "what a trainer goes on from .optimizer.bin, random_states_0.pkl",
        ),
        (["model_index.json", "x.safetensors"], "NOT_AN_ADAPTER", "pipeline"),
        (["readme.txt"], "NOT_AN_ADAPTER", "no adapter"),
        ([], "NOT_AN_ADAPTER", "no adapter"),
    ],
)
def test_ambiguous_folder_is_refused(names: list[str], reason: str, says: str) -> None:
    """Nothing is guessed; the candidates are named."""
    with pytest.raises(InvalidArgument, match=says) as refused:
        choose_files(names, where="the folder")

    assert (refused.value.reason, bool(refused.value.hint)) == (reason, True)


@pytest.mark.parametrize("name", ["my_optimizer.bin", "scheduler_style.pt", "Optimizer.bin.pt"])
def test_adapter_may_be_called_nearly_so(name: str) -> None:
    """Only the names that trainers give are a trainer's."""
    assert not is_trainer_state(name)
    assert choose_files([name, "optimizer.bin"], where="the folder") == (name,)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.first[0])
def test_layout_is_found_by_its_first_file(layout: Layout) -> None:
    """The others belong to it when they are there, and alone they are nothing."""
    everything = (*layout.first, *layout.others, "README.md")

    assert layout.found_in(everything) == (layout.first[0], *layout.others)
    assert layout.found_in(layout.others) == ()
