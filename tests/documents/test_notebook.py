# SPDX-License-Identifier: Apache-2.0
"""The example notebook runs from its first cell to its last, on a server of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tabard_server.engine.base.loading import DEMO_BASE
from tests.e2e.conftest import run_server
from tests.root import ROOT

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
SECONDS_MAX = 300


def run(cells: Any, *, folder: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a notebook in a kernel of its own; its connections stay on this machine."""
    monkeypatch.setenv("TABARD_ADDRESS", address)
    monkeypatch.setenv("IPYTHONDIR", str(folder))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(folder))
    return NotebookClient(
        cells,
        timeout=SECONDS_MAX,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    ).execute()


@pytest.mark.documents
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # zmq's loops, of other libraries
def test_notebook_runs_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows pictures, a line and its history, and a failing cell would be told."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with run_server(tmp_path / "server", base=DEMO_BASE) as server:
        done = run(notebook, folder=tmp_path, address=server.address, monkeypatch=monkeypatch)
        broken = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
        with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
            run(broken, folder=tmp_path, address=server.address, monkeypatch=monkeypatch)

    shown = [
        set(output["data"])
        for cell in done.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "data" in output
    ]
    assert [("text/html" in kinds, "image/png" in kinds) for kinds in shown] == [
        (False, False),
        (True, True),
        (True, True),
        (False, True),
        (True, False),
        (True, False),
    ]


def test_notebook_is_kept_without_outputs() -> None:
    """Pictures of a run are no text of this repository."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)

    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code")
