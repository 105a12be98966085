"""A fresh virtual environment into which pip installs the sample plugins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

THIRD_PARTY = Path(__file__).parent.parent / "third_party"


@dataclass(frozen=True)
class Environment:
    """A virtual environment whose Python runs in processes of its own."""

    python: Path
    folder: Path

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run Python with arguments; whatever it answers, its output comes back."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("GLOSSATOR", "PYTHON"))}
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=self.folder,
            env={**inherited, **variables},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def call(self, code: str, **variables: str) -> Any:
        """Run code and return what it printed last, which is JSON."""
        done = self.run("-c", code, **variables)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="session")
def third_party(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Return an environment with every package of `tests/third_party` installed."""
    environment = _environment(tmp_path_factory.mktemp("third_party"))
    _install(environment, sorted(THIRD_PARTY.iterdir()))
    return environment


def _environment(folder: Path) -> Environment:
    home = folder / "venv"
    venv.create(home, with_pip=True)
    bin_folder, suffix = ("Scripts", ".exe") if sys.platform == "win32" else ("bin", "")
    python = home / bin_folder / f"python{suffix}"
    packages = {"base": str(home), "platbase": str(home)}
    site_packages = Path(sysconfig.get_path("purelib", scheme="venv", vars=packages))
    # What is installed here is seen there, so that no test needs a network. `addsitedir` and not
    # the bare folder, since an editable install of glossator is itself a .pth file.
    seen = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    lines = [f"import site; site.addsitedir({path!r})\n" for path in seen]
    (site_packages / "outer.pth").write_text("".join(lines), encoding="utf-8")
    return Environment(python=python, folder=folder)


def _install(environment: Environment, packages: Sequence[Path]) -> None:
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    done = environment.run("-m", "pip", "install", *options, *map(str, packages))
    assert done.returncode == 0, done.stderr
