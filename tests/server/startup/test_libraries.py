# SPDX-License-Identifier: Apache-2.0
"""The model libraries: heard by the log, and imported as far as they are served."""

import importlib
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tabard_server.startup.libraries import import_libraries

ROOT = Path(__file__).parents[3]
UNSERVED = (
    *("peft", "accelerate", "sympy", "torch._dynamo.eval_frame", "torchvision"),
    *("transformers.models.bert.modeling_bert", "diffusers.pipelines.pipeline_utils"),
    *("scipy.stats._stats_py", "scipy.integrate._quadrature", "scipy.optimize"),
    "diffusers.models.transformers.transformer_flux",
    "diffusers.models.unets.unet_3d_condition",
)
"""What no base needs, by a module that each brings when it is imported."""


def run(script: str) -> list[str]:
    """Return the lines that a process of its own prints, after it has imported the libraries."""
    begun = "from tabard_server.startup.libraries import import_libraries\n"
    # Commands that ran in this process before may have asked the libraries to be silent.
    environ = {name: said for name, said in os.environ.items() if not name.endswith("_VERBOSITY")}
    ran = subprocess.run(
        [sys.executable, "-c", begun + script],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=environ,
    )
    return ran.stdout.splitlines()


@pytest.mark.parametrize("library", ["transformers", "diffusers"])
def test_model_libraries_are_heard(caplog: pytest.LogCaptureFixture, library: str) -> None:
    """What they say reaches the log as an event, and not standard error as it is."""
    import_libraries()

    logging.getLogger(f"{library}.models").warning("told")

    # Other tests may have left a handler more at the root; that it is heard is what counts.
    assert {one.message for one in caplog.records} == {"told"}
    own = importlib.import_module(f"{library}.utils.logging")._default_handler
    assert own not in logging.getLogger(library).handlers


def test_each_library_is_heard_once() -> None:
    """In a process of its own, as a server is one: one line, and nothing beside the log."""
    script = """
import logging
from tabard_server.startup.libraries import import_libraries
from tabard_server.telemetry.logs import set_up_logging
set_up_logging(log_format="json", level="info")
import_libraries()
import diffusers, torch, transformers
for name in ("diffusers", "torch", "transformers"):
    logging.getLogger(f"{name}.models").warning("told by %s", name)
"""
    # Commands that ran in this process before may have asked the libraries to be silent.
    environ = {name: said for name, said in os.environ.items() if not name.endswith("_VERBOSITY")}
    ran = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=environ,
    )

    told = [json.loads(line) for line in ran.stderr.splitlines()]
    assert [one["message"] for one in told if "told by" in one["message"]] == [
        f"told by {name}" for name in ("diffusers", "torch", "transformers")
    ]


def test_only_what_is_served_is_imported() -> None:
    """A base is drawn with, its memory is planned, and nothing of the rest is there."""
    script = f"""
import sys
import_libraries()
from tabard_server.engine.load_engine import EngineSettings, load_engine
engine = load_engine(EngineSettings(base="demo", torch_threads=1))
print(*engine.facts.samplers)
print(*({{*{UNSERVED!r}}} & {{*sys.modules}}))
"""
    samplers, unserved = run(script)

    assert unserved.split() == []
    assert {"ddim", "dpm2_karras", "dpmpp_sde"} <= {*samplers.split()}


def test_whatever_was_put_off_is_there_when_asked_for() -> None:
    """Schedules that need scipy, and models that no base has."""
    script = """
import_libraries()
import scipy.stats, torch, transformers
import torch._dynamo.source
from transformers import CLIPVisionModelWithProjection
assert transformers.CLIPVisionModelWithProjection is CLIPVisionModelWithProjection
assert torch._dynamo.source is torch._dynamo.eval_frame.torch._dynamo.source
assert torch.compile(lambda number: number + 1, backend="eager")(torch.ones(2)).sum() == 4
assert transformers.utils.direct_transformers_import.__module__ == "transformers.utils.import_utils"
from diffusers import FluxTransformer2DModel, LMSDiscreteScheduler, UNet3DConditionModel
print(scipy.stats.beta.ppf(0.5, 1.0, 1.0), LMSDiscreteScheduler().order)
"""
    assert run(script) == ["0.5 1"]


def test_compiler_hears_all_where_something_is_compiled() -> None:
    """Then it is imported as ever, and no mark of a library is lost."""
    script = """
import sys
import_libraries(compiles=True)
from diffusers.utils.torch_utils import maybe_allow_in_graph
print(maybe_allow_in_graph is sys.modules["torch._dynamo"].allow_in_graph)
"""
    assert run(script) == ["True"]
