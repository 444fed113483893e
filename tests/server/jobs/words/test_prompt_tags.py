# SPDX-License-Identifier: Apache-2.0
"""Tags in prompts mean what A1111 users expect."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabard_server.engine_port.weights.strength import Controls
from tabard_server.jobs.words.prompt_tags import read_tags, write_tag, write_words


@pytest.mark.parametrize(
    ("prompt", "text", "refs"),
    [
        ("a cat", "a cat", ()),
        ("a cat <lora:acme/ink:0.8>", "a cat", ("acme/ink:0.8",)),
        ("a <lora:acme/ink> cat", "a  cat", ("acme/ink",)),
        ("<lora:a/b:1><lora:c/d@1.2.0:-0.5>x", "x", ("a/b:1", "c/d@1.2.0:-0.5")),
        ("<lora:a/b@sha256:0123456789ab:0.5> x", "x", ("a/b@sha256:0123456789ab:0.5",)),
        ("a <teal> cat, 1 < 2 > 0", "a <teal> cat, 1 < 2 > 0", ()),
        ("a <LORA:acme/ink:0.8> cat", "a  cat", ("acme/ink:0.8",)),
        ("a < Lora : acme/ink> cat", "a  cat", ("acme/ink",)),
        ("a <lora> of <lora-style> cats", "a <lora> of <lora-style> cats", ()),
    ],
)
def test_tags_leave_the_prompt(prompt: str, text: str, refs: tuple[str, ...]) -> None:
    """Tags become refs; everything else stays as it was."""
    tagged = read_tags(prompt)

    assert (tagged.text, tagged.refs) == (text, refs)


@pytest.mark.parametrize(
    ("prompt", "text", "place", "is_whole"),
    [
        ("a <lora: cat", "<lora: cat", 3, False),
        ("a cat <lora:acme/ink:0.8", "<lora:acme/ink:0.8", 7, False),
        ("<lora:a/b> x <lora acme/ink>", "<lora acme/ink>", 14, False),
        ("x <lora=acme/ink:1>", "<lora=acme/ink:1>", 3, False),
        ("x <lora\uff1aacme/ink:1>", "<lora\uff1aacme/ink:1>", 3, False),
        ("x \uff1clora:acme/ink:1\uff1e y", "\uff1clora:acme/ink:1\uff1e", 3, False),
        ("x &lt;lora:acme/ink:1&gt;", "&lt;lora:acme/ink:1&gt;", 3, False),
        ("x <lora/acme/ink>", "<lora/acme/ink>", 3, False),
        ("<lora:a/<b>:1>", "<lora:a/", 1, False),
        ("x <lyco:a:1>", "<lyco:a:1>", 3, True),
        ("x <HyperNet:a:1>", "<HyperNet:a:1>", 3, True),
        ("x <dora:a:1>", "<dora:a:1>", 3, True),
        ("x <oft:a:1>", "<oft:a:1>", 3, True),
    ],
)
def test_what_looks_like_a_tag_is_told(prompt: str, text: str, place: int, is_whole: bool) -> None:
    """Never a word of the prompt in silence: it is named, with its place."""
    (odd,) = read_tags(prompt).odd

    assert (odd.text, odd.place, odd.is_whole) == (text, place, is_whole)


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        ("embedding:teal", ["teal"]),
        ("a (embedding:acme/teal@1.0.0:1.2) cat", ["acme/teal@1.0.0"]),
        ("embedding:<teal>, embedding:bad-hands-5.pt.", ["<teal>", "bad-hands-5"]),
        ("myembedding:teal, embedding: teal", []),
        (f"embedding:acme/bad@sha256:{'0a' * 8}, x", [f"acme/bad@sha256:{'0a' * 8}"]),
        ("(embedding:acme/bad@sha256:0123456789ab:1.2)", ["acme/bad@sha256:0123456789ab"]),
        (
            "embedding:a/b@^1.2 embedding:a/b@~1.2.3, embedding:a/b@",
            ["a/b@^1.2", "a/b@~1.2.3", "a/b@"],
        ),
        (r"embedding:sub\teal, (embedding:teal\)", [r"sub\teal", "teal"]),
    ],
)
def test_embeddings_are_found(prompt: str, names: list[str]) -> None:
    """As ComfyUI's users write them, whatever stands around."""
    assert [one.name for one in read_tags(prompt).embeddings] == names


@given(st.text(alphabet="embding: acme/t@sha256^~1.0a-+()<>,\\\u00e9", max_size=60))
def test_any_text_has_embeddings_or_none(text: str) -> None:
    """Each is found where it stands; with its own text in its place nothing is changed."""
    tagged = read_tags(text)

    written = [tagged.text[one.start : one.end] for one in tagged.embeddings]
    assert write_words(tagged, written) == tagged.text
    assert all(one.startswith("embedding:") for one in written)
    assert all(one.name and " " not in one.name for one in tagged.embeddings)


@given(
    st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,6}[a-z0-9])?", fullmatch=True),
    st.sampled_from(["", "@beta", "@1.2.0", "@^1", "@~2.1.0", f"@sha256:{'0a' * 32}"]),
    st.sampled_from(["", " ", ",", ".", ":1.2)", ")", "]"]),
)
def test_every_ref_is_read_back(name: str, selector: str, behind: str) -> None:
    """Whatever stands behind it; what ends like a file is a file's name."""
    ref = f"acme/{name}{selector}"

    (found,) = read_tags(f"a (embedding:{ref}{behind} b").embeddings

    assert found.name == (ref.removesuffix(".pt").removesuffix(".bin") if not selector else ref)


def test_words_take_the_place_of_names() -> None:
    """Everything around stays as it was, tags left out."""
    tagged = read_tags("<lora:a/b> a (embedding:teal:1.2), embedding:plum.")

    assert write_words(tagged, ["<t>", "p"]) == "a (<t>:1.2), p."


def test_places_of_refs_are_told() -> None:
    """Characters of the prompt before each, so that a refusal can say where."""
    prompt = "é <lora: acme/ink:1:te=x> and <LORA:acme/pen>"

    tagged = read_tags(prompt)

    assert tagged.refs == ("acme/ink:1:te=x", "acme/pen")
    pairs = zip(tagged.places, tagged.refs, strict=True)
    assert all(prompt[at:].startswith(ref) for at, ref in pairs)
    assert tagged.places == (9, 36)


def test_controls_stand_behind_the_weight() -> None:
    """As a prompt says them."""
    controls = Controls(text_encoder=0.5, end=0.6)

    assert write_tag("acme/ink", weight=0.8) == "<lora:acme/ink:0.8>"
    assert (
        write_tag("acme/ink", weight=0.8, controls=controls) == "<lora:acme/ink:0.8:te=0.5:end=0.6>"
    )
