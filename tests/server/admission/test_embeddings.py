# SPDX-License-Identifier: Apache-2.0
"""Embeddings named in prompts as ComfyUI's users do, on a real server."""

import asyncio
from typing import Any

import pytest

from tabard.v1 import adapter_pb2
from tests.server.harness import (
    KIND_TEXTUAL_INVERSION,
    Request,
    Server,
    provenance_of,
    refs,
    refusal_of,
    serving,
    token_file,
)


async def digest_of(server: Server, adapter: str) -> str:
    """Return what the stable channel of a line points to."""
    told = await server.generate("x", negative_prompt=f"embedding:{adapter}")
    return str(provenance_of(told.images[0].content)["stack"][0]["digest"])


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one server says of prompts that name embeddings."""

    async def walk() -> dict[str, Any]:
        async with serving(tmp_path_factory.mktemp("embeddings")) as server:
            for name, word in (("acme/teal", "<teal>"), ("acme/bad", "badhands")):
                content = token_file(word)
                await server.publish(name, content=content, kind=KIND_TEXTUAL_INVERSION)
                await server.promote(f"{name}@1.0.0")
            declared = adapter_pb2.Sampling(prompt="negative")
            content = token_file("worse")
            kind = KIND_TEXTUAL_INVERSION
            await server.publish("acme/worse", content=content, kind=kind, sampling=declared)
            await server.promote("acme/worse@1.0.0")
            await server.publish("acme/ink")
            await server.promote("acme/ink@1.0.0")
            digest = await digest_of(server, "acme/bad")
            found = {
                "ref": await server.generate("a embedding:acme/teal cat", seed=1),
                "worn": await server.generate(
                    "a embedding:teal cat", adapters=["acme/teal@1.0.0"], seed=1
                ),
                "negative": await server.generate(
                    "a cat", negative_prompt="embedding:acme/bad, embedding:badhands", seed=1
                ),
                "pinned": await server.generate(
                    "a cat",
                    negative_prompt=f"(embedding:acme/bad@{digest}:1.2)",
                    prompt_syntax="PROMPT_SYNTAX_A1111",
                    seed=1,
                ),
                "asked": await server.generate(
                    "a embedding:acme/teal@1.0.0 cat", adapters=["acme/teal@1.0.0"], seed=1
                ),
                "unguided": await server.generate(
                    "a cat", negative_prompt="embedding:acme/bad", guidance_scale=1.0, seed=1
                ),
                "triggered": await server.generate(
                    "a cat", negative_prompt="embedding:acme/bad", auto_trigger=True, seed=1
                ),
                "declared": await server.generate(
                    "a cat",
                    adapters=["acme/worse"],
                    negative_prompt="blur",
                    auto_trigger=True,
                    seed=1,
                ),
                "plain": await server.generate("a <teal> cat", adapters=["acme/teal"], seed=1),
            }
            for name, request in {
                "lora": {"prompt": "embedding:acme/ink"},
                "absent": {"prompt": "embedding:nobody"},
                "inside": {"prompt": "mybadhands", "adapters": refs("acme/bad")},
            }.items():
                found[name] = await refusal_of(server.generation.Generate(Request(**request)))
            return found

    return asyncio.run(walk())


@pytest.mark.parametrize("way", ["ref", "worn", "asked"])
def test_name_stands_for_its_word(told: dict[str, Any], way: str) -> None:
    """Named by its ref it is worn as well; the picture is the one of the word itself."""
    document = provenance_of(told[way].images[0].content)

    assert document["prompt"] == "a <teal> cat"
    assert [one["adapter"] for one in document["stack"]] == ["acme/teal"]
    assert document["prompt"] == provenance_of(told["plain"].images[0].content)["prompt"]


def test_negative_prompt_may_name_them(told: dict[str, Any]) -> None:
    """There they are used most; the same release named twice is worn once."""
    document = provenance_of(told["negative"].images[0].content)

    assert document["negative_prompt"] == "badhands, badhands"
    assert [one["adapter"] for one in document["stack"]] == ["acme/bad"]


def test_any_selector_pins_it(told: dict[str, Any]) -> None:
    """A digest too, with a weight of A1111's behind it."""
    document = provenance_of(told["pinned"].images[0].content)

    (worn,) = document["stack"]
    assert document["negative_prompt"] == "(badhands:1.2)"
    assert (worn["adapter"], worn["version"]) == ("acme/bad", "1.0.0")


def test_word_that_nobody_reads_is_told(told: dict[str, Any]) -> None:
    """Without guidance nothing is kept away from: the answer and the image say so."""
    document = provenance_of(told["unguided"].images[0].content)

    (warning,) = document["warnings"]
    assert (warning["release"], warning["field"]) == ("acme/bad@1.0.0", "negative_prompt")
    assert "warnings" not in provenance_of(told["negative"].images[0].content)


def test_trigger_words_leave_it_in_the_negative_prompt(told: dict[str, Any]) -> None:
    """What is kept away from is not drawn as well."""
    document = provenance_of(told["triggered"].images[0].content)

    assert (document["prompt"], document["negative_prompt"]) == ("a cat", "badhands")


def test_negative_by_its_author_is_put_there(told: dict[str, Any]) -> None:
    """Its word goes into the negative prompt, and the image says so."""
    document = provenance_of(told["declared"].images[0].content)

    assert (document["prompt"], document["negative_prompt"]) == ("a cat", "worse, blur")
    assert document["trigger"] == {
        "prompt": "a cat",
        "auto": True,
        "words": [],
        "negative_prompt": "blur",
        "negative_words": ["worse"],
    }


@pytest.mark.parametrize("way", ["lora", "absent"])
def test_what_is_none_is_refused_with_its_place(told: dict[str, Any], way: str) -> None:
    """An adapter that teaches no word, and a name that nobody knows."""
    assert told[way].reason == "EMBEDDING_NOT_WORN"
    assert "at character 1 of prompt" in told[way].message


def test_word_within_a_longer_one_is_told(told: dict[str, Any]) -> None:
    """Whoever glues it to another learns why it does nothing."""
    assert told["inside"].reason == "TOKEN_NOT_USED"
    assert "token_match=anywhere" in told["inside"].hint
