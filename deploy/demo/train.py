# SPDX-License-Identifier: Apache-2.0
"""Make the demo base, its adapters and the report, from fixed seeds: `train.py --out DIR`.

Each stage reads what the earlier ones left in DIR, so one stage can be repeated alone.
"""

from __future__ import annotations

import argparse
import functools
import json
import pickle
import time
from pathlib import Path

import torch
from adapters import train_adapters
from base import Corpus, Leg, Models, draw_corpus, make_models, save_base, train_base
from classifier import train_classifier
from diffusers import AutoencoderKL, UNet2DConditionModel
from encoders import train_encoders
from report import write_figures
from transformers import CLIPTextModel
from vae import sharpen_decoder, train_vae
from words import teach_words
from workers import rank, run_workers

SEED = 11
STAGES = (
    "vae",
    "decoder",
    "corpus",
    "words",
    "base",
    "refine",
    "classifier",
    "adapters",
    "encoders",
    "report",
)


def main() -> None:
    """Run the stages asked for, in order, and note how long each took."""
    options = _parse()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    for stage in options.stages:
        started = time.monotonic()
        print(f"== {stage}", flush=True)
        RUN[stage](options)
        _note(options.out, f"{stage}_seconds", round(time.monotonic() - started, 1))


def run_vae(options: argparse.Namespace) -> None:
    """Train the autoencoder."""
    run_workers(functools.partial(train_vae_as_worker, options), count=options.threads)


def train_vae_as_worker(options: argparse.Namespace) -> None:
    """Be one of the processes that train the autoencoder together; the first one saves it."""
    vae = train_vae(samples=options.vae_samples, seed=SEED)
    if rank() == 0:
        vae.save_pretrained(options.out / "vae")


def run_decoder(options: argparse.Namespace) -> None:
    """Train the autoencoder's decoder on; what it encodes stays the same."""
    run_workers(functools.partial(sharpen_as_worker, options), count=options.threads)


def sharpen_as_worker(options: argparse.Namespace) -> None:
    """Be one of the processes that train the decoder together; the first one saves it."""
    vae = sharpen_decoder(_load_vae(options), samples=options.decoder_samples, seed=SEED + 6)
    if rank() == 0:
        vae.save_pretrained(options.out / "vae")


def run_corpus(options: argparse.Namespace) -> None:
    """Draw the training pictures and encode them once."""
    corpus = draw_corpus(_load_vae(options), count=options.pictures, seed=SEED + 1)
    torch.save(corpus.latents, options.out / "latents.pt")
    with (options.out / "scenes.pickle").open("wb") as file:
        pickle.dump(corpus.scenes, file)


def run_words(options: argparse.Namespace) -> None:
    """Teach the text encoder what captions say."""
    models = make_models(_load_vae(options), options.out / "tokenizer", seed=SEED)
    right = teach_words(models.text_encoder, models.tokenizer, steps=options.word_steps, seed=SEED)
    models.text_encoder.save_pretrained(options.out / "text_encoder")
    _note(options.out, "words_right", round(right, 3))


def run_base(options: argparse.Namespace) -> None:
    """Train UNet and text encoder; the averaged weights are saved along the way."""
    leg = Leg(
        samples=options.samples,
        rate=1e-3,
        ground_weight=30.0,
        small_batch_share=0.5,
        checkpoint_every=options.checkpoint_every,
        seed=SEED + 2,
    )
    _run_leg(options, leg, start=options.start, name="base")


def run_refine(options: argparse.Namespace) -> None:
    """Train the base on at a lower rate, now that the grounds are right: cleaner shapes."""
    leg = Leg(
        samples=options.refine_samples,
        rate=6e-4,
        ground_weight=5.0,
        small_batch_share=0.75,
        checkpoint_every=options.checkpoint_every,
        seed=SEED + 5,
    )
    _run_leg(options, leg, start=options.start or options.base, name="refine")


def train_as_worker(options: argparse.Namespace, leg: Leg, start: Path | None) -> None:
    """Be one of the processes that train the base together; the first one saves it."""
    with (options.out / "scenes.pickle").open("rb") as file:
        corpus = Corpus(scenes=pickle.load(file), latents=torch.load(options.out / "latents.pt"))
    models = make_models(_load_vae(options), options.out / f"tokenizer-{rank()}", seed=SEED)
    models.text_encoder = CLIPTextModel.from_pretrained(
        str((start or options.out) / "text_encoder"), dtype=torch.float32
    )
    if start is not None:
        models.unet = UNet2DConditionModel.from_pretrained(
            str(start), subfolder="unet", dtype=torch.float32
        )
    started = time.monotonic()

    def on_checkpoint(seen: int, averaged: Models) -> None:
        print(f"checkpoint at {seen}, {time.monotonic() - started:.0f} s", flush=True)
        save_base(averaged, options.base)

    averaged = train_base(models, corpus, leg=leg, on_checkpoint=on_checkpoint)
    if rank() == 0:
        save_base(averaged, options.base)


def run_classifier(options: argparse.Namespace) -> None:
    """Train the judge of shape and colour."""
    torch.save(train_classifier(seed=SEED + 3).state_dict(), options.out / "classifier.pt")


def run_adapters(options: argparse.Namespace) -> None:
    """Train every adapter on the finished base."""
    train_adapters(options.base, options.adapters, seed=SEED + 4, only=options.only)


def run_encoders(options: argparse.Namespace) -> None:
    """Train the encoders that score pictures of the finished base."""
    train_encoders(
        options.base,
        options.encoders,
        seed=SEED + 7,
        pictures=options.encoder_pictures,
        steps=options.encoder_steps,
    )


def run_report(options: argparse.Namespace) -> None:
    """Measure the base and the adapters and draw the sample sheets."""
    write_figures(options.out, base=options.base, adapters=options.adapters, sheets=options.out)


RUN = {
    "vae": run_vae,
    "decoder": run_decoder,
    "corpus": run_corpus,
    "words": run_words,
    "base": run_base,
    "refine": run_refine,
    "classifier": run_classifier,
    "adapters": run_adapters,
    "encoders": run_encoders,
    "report": run_report,
}


def _run_leg(options: argparse.Namespace, leg: Leg, *, start: Path | None, name: str) -> None:
    started = time.monotonic()
    run_workers(functools.partial(train_as_worker, options, leg, start), count=options.threads)
    rate = leg.samples / (time.monotonic() - started)
    _note(options.out, f"{name}_samples", leg.samples)
    _note(options.out, f"{name}_samples_per_second", round(rate, 1))


def _load_vae(options: argparse.Namespace) -> AutoencoderKL:
    return AutoencoderKL.from_pretrained(str(options.out / "vae")).requires_grad_(False)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="working folder")
    parser.add_argument("--base", type=Path, help="pipeline folder to write (OUT/base)")
    parser.add_argument("--adapters", type=Path, help="adapter folder to write (OUT/adapters)")
    parser.add_argument("--encoders", type=Path, help="encoder folder to write (OUT/encoders)")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--only", nargs="+", help="adapters to train (all)")
    parser.add_argument("--vae-samples", type=int, default=7_200)
    parser.add_argument("--decoder-samples", type=int, default=32_000)
    parser.add_argument("--word-steps", type=int, default=300)
    parser.add_argument("--start", type=Path, help="pipeline folder to go on from")
    parser.add_argument("--pictures", type=int, default=12_000)
    parser.add_argument("--samples", type=int, default=66_000, help="pictures shown to the UNet")
    parser.add_argument("--refine-samples", type=int, default=24_000)
    parser.add_argument("--checkpoint-every", type=int, default=12_000, help="in samples")
    parser.add_argument("--encoder-pictures", type=int, default=6_000)
    parser.add_argument("--encoder-steps", type=int, default=1_500)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    options.base = options.base or options.out / "base"
    options.adapters = options.adapters or options.out / "adapters"
    options.encoders = options.encoders or options.out / "encoders"
    return options


def _note(out: Path, name: str, value: float) -> None:
    """Keep one measured number in OUT/timings.json."""
    path = out / "timings.json"
    notes = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**notes, name: value}, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
