# SPDX-License-Identifier: Apache-2.0
"""Tests mirror the tree: the tests of a module are found by its name. Pure functions of paths.

`registry/tabard_registry/log/chain.py` is tested in `tests/registry/log/test_chain.py`; a part of
that may stand beside it, in `test_chain_of_others.py`. What spans modules is named here.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

PACKAGES: Mapping[str, str] = {
    "clients": "clients/python/tabard",
    "registry": "registry/tabard_registry",
    "server": "server/tabard_server",
    "web": "clients/web/tabard_web",
}
"""Where the modules are that the tests in a folder of `tests/` mirror."""

ACROSS: Mapping[str, str] = {
    "registry/intake/files/test_pickled_embeddings.py": "from a file through the sandbox",
    "registry/intake/dialects/test_full_size_transformers.py": "every layer of the published sizes",
    "registry/intake/dialects/test_transformer_files.py": "every layout of SD3.5 and Flux",
    "registry/export/test_transformers.py": "every layout of SD3.5 and Flux, written and read",
    "registry/journal/test_processes.py": "processes that race and are killed, on one folder",
    "server/engine/merged/test_compiled.py": "copies of merged weights under torch.compile",
    "server/engine/merged/test_images_oracle.py": "whole pipelines against diffusers",
    "server/engine/merged/test_lycoris_files.py": "files of others, from intake to merging",
    "server/engine/merged/test_peft_files.py": "files of others, from intake to merging",
    "server/engine/slots/test_trainers_files.py": "files of others, from intake to merging",
    "server/engine/merged/test_pipeline.py": "a whole pipeline against slots and diffusers",
    "server/engine/slots/test_lycoris_files.py": "files of others, from intake to slots",
    "server/engine/slots/test_peft_files.py": "files of others, from intake to slots",
    "server/engine/slots/test_extracted_files.py": "files of ours, from extraction to slots",
    "server/engine/controls/test_controls_oracle.py": "parts, blocks, steps against diffusers",
    "server/engine/rehearsal/test_steps_on_meta.py": "steps on a device without memory",
    "server/engine/rehearsal/test_transformers_on_meta.py": "steps of transformers on one",
    "server/engine/rehearsal/test_launches_of_steps.py": "launches of a whole step",
    "server/engine/regions/test_regions_oracle.py": "pictures in regions against diffusers",
    "server/engine/sampling/flows/test_flow_walks.py": "walks of flows against diffusers",
    "server/engine/transformers/test_transformers_oracle.py": "SD3.5 and Flux against diffusers",
    "server/engine/transformers/test_kinds_oracle.py": "every kind of adapter on them",
    "server/engine/transformers/test_regions_oracle.py": "pictures in regions on them",
    "server/engine/transformers/test_eight_bits_oracle.py": "weights in eight bits, adapters not",
    "server/engine/oracles/test_families_oracle.py": "every family and stack against diffusers",
    "server/engine/test_numerics.py": "deterministic pictures against kept ones",
    "server/engine/test_mixed_batches.py": "rows beside each other against rows alone",
    "server/engine/oracles/test_whole_models.py": "whole pipelines against diffusers and peft",
    "server/followers/test_news.py": "from one server of a registry to the next",
    "server/followers/test_replicas.py": "several servers on one registry",
    "registry/upkeep/test_upkeep_on_s3.py": "collecting, examining and copying, in a bucket",
    "server/test_import_weight.py": "what every module imports",
    "server/rpc/generation/test_asked_again.py": "the same request id from the message to the job",
    "server/rpc/generation/test_bad_input.py": "wrong requests from the message to the status",
    "server/rpc/generation/test_drawn_elsewhere.py": "a job that another server was told of",
    "server/rpc/generation/test_hot_swap.py": "moves while jobs run",
    "server/rpc/generation/test_job_lines.py": "the job log of a server under way",
    "server/rpc/generation/test_lost_connection.py": "both clients over a network that breaks",
    "server/rpc/generation/test_worn_controls.py": "controls from the message to row and file",
    "server/rpc/generation/test_worn_regions.py": "regions from the message to row and file",
    "server/rpc/generation/test_request_fields.py": "fields from the message to the engine's row",
}
"""Tests of no single module, below `tests/`, and what they are about."""

UNTESTED: Mapping[str, str] = {
    "server/tabard_server/engine/base/schedules/flow_schedule.py": "in test_schedule",
    "server/tabard_server/engine/slots/worn_rows.py": "values, used in test_binding",
    "server/tabard_server/engine/networks/network.py": "a protocol; its values in test_unet",
    "server/tabard_server/engine/networks/parts.py": "words, in test_sd3 and test_flux",
    "server/tabard_server/engine/base/text_layout.py": "values, in text/test_conditioning",
    "clients/python/tabard/access/identity.py": "values, read in calls/test_identity",
    "clients/python/tabard/releases/comparison.py": "values, read in calls/test_findings",
    "clients/python/tabard/health/review.py": "values, read in calls/health/test_review",
    "clients/python/tabard/history.py": "values, read in test_convert",
    "clients/python/tabard/releases/acts.py": "values, read in calls/test_acts",
    "clients/python/tabard/releases/pulled.py": "values, read in calls/test_downloads",
    "clients/python/tabard/releases/report.py": "values, read in calls/test_uploads",
    "clients/python/tabard/__main__.py": "calls the command line; processes of the tests start it",
    "registry/tabard_registry/intake/dialect.py": "a protocol and values, used in test_check",
    "registry/tabard_registry/release/history.py": "values, read in test_queries",
    "registry/tabard_registry/store/probe.py": "a protocol and values; s3/test_probe has one",
    "server/tabard_server/adapters/served_base.py": "whom a base fits; tested in test_loader",
    "server/tabard_server/canary/assembly.py": "puts rooms together; used in test_conductor",
    "server/tabard_server/canary/calibrating.py": "draws for test_conductor's canaries",
    "server/tabard_server/health.py": "puts rooms together; every test of the harness builds it",
    "server/tabard_server/app.py": "puts rooms together; test_serving and the harness build it",
    "server/tabard_server/__main__.py": "calls the server; processes of the tests start it",
    "server/tabard_server/engine_port/base_facts.py": "values without code",
    "server/tabard_server/engine_port/port.py": "protocols without code",
    "server/tabard_server/engine/base/facts.py": "values of a loaded base, read in test_engine",
    "server/tabard_server/engine/base/schedules/old_configs.py": "in test_pipeline",
    "server/tabard_server/evaluation/events.py": "values without code; written in test_messages",
    "server/tabard_server/extraction/errors.py": "classes without code; raised elsewhere",
    "server/tabard_server/extraction/tuned_model.py": "values, read in test_tuned_file",
    "server/tabard_server/judgement/pictures/encoder.py": "a protocol; test_fallback has three",
    "server/tabard_server/judgement/scores/result.py": "values, read in test_likeness",
    "server/tabard_server/pickles/__main__.py": "the program in the sandbox; test_reader starts it",
    "server/tabard_server/rpc/assembly.py": "puts rooms together; the harness runs it",
    "server/tabard_server/rpc/evidence/assembly.py": "puts rooms together; test_service runs it",
    "server/tabard_server/rpc/review/assembly.py": "puts rooms together; test_service runs it",
    "server/tabard_server/scheduler/snapshot.py": "values without code; read in test_policy",
    "clients/web/tabard_web/page/assembly.py": "puts rooms together; every test of a door runs it",
    "server/tabard_server/version.py": "one number",
}
"""Modules that need no tests of their name, and why."""

Paths = Sequence[PurePosixPath]


def tests_without_module(paths: Paths) -> Iterator[str]:
    """Say which tests are named after no module that stands where they do."""
    modules = set(_modules(paths))
    for path in paths:
        if not _is_mirror(path) or _below_tests(path) in ACROSS:
            continue
        top, *folders = path.parts[1:-1]
        home = PurePosixPath(PACKAGES[top], *folders)
        words = path.stem.split("_")[1:]
        names = ["_".join(words[:count]) for count in range(1, len(words) + 1)]
        if not any(home / f"{name}{end}.py" in modules for name in names for end in ("", "_")):
            yield f"{path}: no module of {home} has its name; or say in tests/tidy/mirror.py why"


def modules_without_tests(paths: Paths) -> Iterator[PurePosixPath]:
    """Give the modules that have no `test_*.py` of their own name."""
    tests = {path for path in paths if _is_mirror(path)}
    for path in _modules(paths):
        top = next(top for top, package in PACKAGES.items() if path.is_relative_to(package))
        folder = PurePosixPath("tests", top, path.relative_to(PACKAGES[top]).parent)
        is_tested = folder / f"test_{path.stem.rstrip('_')}.py" in tests
        if path.name != "__init__.py" and not is_tested and str(path) not in UNTESTED:
            yield path


def every_module_has_tests(paths: Paths) -> Iterator[str]:
    """Say which modules have no tests file of their own name."""
    for path in modules_without_tests(paths):
        yield f"{path} has no tests of its name; or say in tests/tidy/mirror.py why it needs none"


def exceptions_without_use(paths: Paths) -> Iterator[str]:
    """Say which exceptions name files that are not there."""
    known = {str(path) for path in paths}
    stale = [f"tests/{name}" for name in ACROSS if f"tests/{name}" not in known]
    stale += [name for name in UNTESTED if name not in known]
    if stale:
        yield f"tests/tidy/mirror.py excuses what is not there: {', '.join(stale)}"


def _modules(paths: Paths) -> Iterator[PurePosixPath]:
    for path in paths:
        is_generated = path.is_relative_to("clients/python/tabard/v1")
        is_ours = any(path.is_relative_to(package) for package in PACKAGES.values())
        if path.suffix == ".py" and is_ours and not is_generated:
            yield path


def _is_mirror(path: PurePosixPath) -> bool:
    is_below = path.parts[0] == "tests" and len(path.parts) > 2 and path.parts[1] in PACKAGES
    return is_below and path.name.startswith("test_") and path.suffix == ".py"


def _below_tests(path: PurePosixPath) -> str:
    return str(path.relative_to("tests"))
