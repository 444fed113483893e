# SPDX-License-Identifier: Apache-2.0
"""What the image recipes promise, read from the recipes: no container engine is needed here."""

import re
from fnmatch import fnmatch

import pytest

from tabard_server.engine.compiled.builder import COMPILERS
from tabard_server.settings_sources import load_settings
from tests.root import ROOT

EXTRAS = {
    "deploy/Dockerfile": "telemetry web",
    "deploy/Dockerfile.cpu": "telemetry web openvino",
}
SERVER_IMAGES = tuple(EXTRAS)
ALL_IMAGES = (*SERVER_IMAGES, "deploy/s3/Dockerfile")


def instructions(recipe: str) -> list[tuple[str, str]]:
    """Return (instruction, arguments) with comments dropped and continued lines joined."""
    text = (ROOT / recipe).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    parts = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [(name.upper(), " ".join(rest.split())) for name, rest in parts]


def last_stage(recipe: str) -> list[tuple[str, str]]:
    """Return the instructions of the stage that is shipped."""
    found = instructions(recipe)
    start = max(i for i, (name, _) in enumerate(found) if name == "FROM")
    return found[start:]


def arguments(name: str, stage: list[tuple[str, str]]) -> list[str]:
    """Return the arguments of every instruction of one name."""
    return [rest for other, rest in stage if other == name]


@pytest.mark.parametrize("recipe", ALL_IMAGES)
def test_image_runs_without_root(recipe: str) -> None:
    """The last USER is a number above 0, which Kubernetes can verify, and stays the last."""
    stage = last_stage(recipe)

    users = arguments("USER", stage)

    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])
    assert [name for name, _ in stage].index("USER") < [n for n, _ in stage].index("ENTRYPOINT")


@pytest.mark.parametrize("recipe", ALL_IMAGES)
def test_process_gets_signals_itself(recipe: str) -> None:
    """Exec form: no shell stands between the engine's SIGTERM and the server."""
    for name in ("ENTRYPOINT", "CMD"):
        assert all(rest.startswith("[") for rest in arguments(name, last_stage(recipe)))


@pytest.mark.parametrize("recipe", ALL_IMAGES)
def test_image_has_health_check(recipe: str) -> None:
    """The engine can tell a server that serves from one that only runs."""
    (check,) = arguments("HEALTHCHECK", last_stage(recipe))

    assert "CMD [" in check


@pytest.mark.parametrize("recipe", ALL_IMAGES)
def test_base_image_is_pinned(recipe: str) -> None:
    """No `latest`: two builds a month apart start from the same release."""
    stages = instructions(recipe)
    bases = [rest.split()[0] for rest in arguments("FROM", stages)]
    bases += [rest.partition("=")[2] for rest in arguments("ARG", stages) if "IMAGE=" in rest]

    for base in bases:
        assert base == "${PYTHON_IMAGE}" or re.search(r":[\w.-]*[a-z0-9]", base), base
        assert not base.endswith(":latest")


@pytest.mark.parametrize("recipe", SERVER_IMAGES)
def test_settings_are_known_to_server(recipe: str) -> None:
    """Every TABARD_ variable of the image is one the server accepts, and they fit together."""
    pairs = re.findall(r"(TABARD_\w+)=(\S+)", " ".join(arguments("ENV", last_stage(recipe))))

    settings = load_settings(environment=dict(pairs))

    assert settings.insecure
    assert settings.registry.startswith("file:///var/lib/tabard/")
    exposed = arguments("EXPOSE", last_stage(recipe))[0].split()
    ports = [address.rpartition(":")[2] for address in (settings.listen, settings.metrics_listen)]
    assert ports == exposed


@pytest.mark.parametrize("recipe", SERVER_IMAGES)
def test_installs_are_constrained(recipe: str) -> None:
    """No package enters the image in a version that was not tested."""
    installs = [rest for rest in arguments("RUN", instructions(recipe)) if "pip install" in rest]

    assert len(installs) == 3
    assert all("-c constraints.txt" in command for command in installs)


@pytest.mark.parametrize("recipe", SERVER_IMAGES)
def test_dependencies_survive_a_change_of_source(recipe: str) -> None:
    """They are installed from layers that no file of ours is in; what follows installs nothing."""
    found = instructions(recipe)
    copied = [rest.split()[:-1] for name, rest in found if name == "COPY"]
    ours = {"clients/python", "clients/web", "registry", "server"}
    sources = [ours & {*files} for files in copied]
    first = [place for place, (name, _) in enumerate(found) if name == "COPY"][
        next(place for place, files in enumerate(sources) if files)
    ]
    installs = [(place, rest) for place, (name, rest) in enumerate(found) if "pip install" in rest]

    before = [rest for place, rest in installs if place < first]
    [after] = [rest for place, rest in installs if place > first]

    assert any("-r dependencies.txt" in rest for rest in before)
    extras = EXTRAS[recipe]
    assert any(f"dependencies.py {extras} > dependencies.txt" in rest for rest in before)
    assert after.endswith("--no-deps .")


@pytest.mark.parametrize("recipe", SERVER_IMAGES)
def test_image_can_compile(recipe: str) -> None:
    """The compiler that `compiled` asks for is shipped, and results are kept in the volume.

    Inductor's own lie in the cache of the server, which bounds them: the image does not say where.
    """
    stage = last_stage(recipe)
    installs = [rest for rest in arguments("RUN", stage) if "apt-get install" in rest]

    assert any({*rest.split()} & {*COMPILERS} for rest in installs)
    said = " ".join(arguments("ENV", stage))
    assert "TRITON_CACHE_DIR=/var/lib/tabard/" in said and "TORCHINDUCTOR_CACHE_DIR" not in said


@pytest.mark.parametrize("recipe", ALL_IMAGES)
def test_copied_files_reach_builder(recipe: str) -> None:
    """Every COPY source exists and .dockerignore lets it through."""
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    admitted = [line[1:] for line in ignore if line.startswith("!")]
    copies = [rest for rest in arguments("COPY", instructions(recipe)) if "--from" not in rest]

    sources = [source for rest in copies for source in rest.split()[:-1]]

    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(source == path or fnmatch(source, path + "/*") for path in admitted), source


@pytest.mark.parametrize("recipe", SERVER_IMAGES)
def test_image_can_read_pickles(recipe: str) -> None:
    """The library that seals the process is installed in the stage that is shipped."""
    installs = [rest for rest in arguments("RUN", last_stage(recipe)) if "apt-get install" in rest]

    assert any("libseccomp2" in rest.split() for rest in installs)


def test_images_differ_in_what_computes() -> None:
    """The CPU image is the CUDA image but for where torch comes from, and has OpenVINO."""
    cuda, cpu = (set(instructions(recipe)) for recipe in SERVER_IMAGES)

    assert {name for name, _ in cuda ^ cpu} == {"ARG", "RUN"}
    told = ("torch", "TORCH", "dependencies.py")
    assert all(any(word in rest for word in told) for _, rest in cuda ^ cpu)
