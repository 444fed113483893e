# SPDX-License-Identifier: Apache-2.0
"""Every block of every document runs, in order, on a fresh registry, exactly as it is printed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import pytest

from tabard_server.engine.base.loading import DEMO_BASE
from tests.documents.markdown import Fence, fences
from tests.documents.reader import RUN, SHOWN, documents, read
from tests.root import ROOT
from tests.s3 import empty_bucket, s3_client

ADAPTERS = DEMO_BASE.parent / "adapters"

FILES: Mapping[str, Mapping[str, Path]] = {
    "README.md": {
        "watercolor.safetensors": ADAPTERS / "watercolor-1.0.0.safetensors",
        "watercolor-2.safetensors": ADAPTERS / "watercolor-1.1.0.safetensors",
        "ink.safetensors": ADAPTERS / "neon-1.0.0.safetensors",
        "ink-2.safetensors": ADAPTERS / "watercolor-1.1.0.safetensors",
    },
    "docs/registry.md": {"ink.safetensors": ADAPTERS / "watercolor-1.0.0.safetensors"},
}
"""What lies in the reader's folder, by document."""


@contextmanager
def bucket(name: str = "styles") -> Iterator[None]:
    """Hold the bucket that a document names, empty before and gone after."""
    client = s3_client()
    with suppress(client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket=name)
    empty_bucket(client, name)
    yield
    empty_bucket(client, name)
    client.delete_bucket(Bucket=name)


def runnable() -> list[str]:
    """Return the documents that have something to run."""
    return [
        str(path.relative_to(ROOT))
        for path in documents()
        if any(block.language in RUN for block in fences(path.read_text(encoding="utf-8")))
    ]


@pytest.mark.documents
@pytest.mark.parametrize("document", runnable())
def test_document_runs_as_printed(document: str, tmp_path: Path, s3_environment: None) -> None:
    """A reader who types what is printed comes to the end of it."""
    for name, source in FILES.get(document, {}).items():
        shutil.copy(source, tmp_path / name)
    blocks = fences((ROOT / document).read_text(encoding="utf-8"))

    with bucket() if any("s3://" in block.text for block in blocks) else nullcontext():
        reading = read(blocks, name=Path(document).name, folder=tmp_path)

    assert reading.status == 0, reading.output


def test_every_block_says_its_language() -> None:
    """A block without a language, or of an unknown one, would be passed over in silence."""
    unknown = [
        f"{path.name}:{block.line} {block.language!r}"
        for path in documents()
        for block in fences(path.read_text(encoding="utf-8"))
        if block.language not in RUN | SHOWN
    ]

    assert unknown == []


@pytest.mark.parametrize("text", ["tabard publish\n", "false | true\n", "exit 3\n"])
def test_failing_line_is_told(text: str, tmp_path: Path) -> None:
    """A command that fails ends the reading, with its line."""
    blocks = [Fence(language="sh", text=text, line=7), Fence(language="sh", text=":\n", line=9)]

    reading = read(blocks, name="x.md", folder=tmp_path)

    assert reading.status != 0
    assert "x.md-7.sh, line 7" in reading.output or text.startswith("exit")


def test_python_block_is_run(tmp_path: Path) -> None:
    """An error of a snippet ends the reading with its line."""
    blocks = [Fence(language="python", text="value = 1\nvalue.append(2)\n", line=20)]

    reading = read(blocks, name="x.md", folder=tmp_path)

    assert reading.status != 0
    assert 'x.md-20.python", line 21' in reading.output
