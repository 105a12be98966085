"""The contract, checked for a stranger's plugin that pip installed."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

CLI = "from glossator.cli import main; main()"


def test_an_installed_plugin_is_checked_by_its_name(third_party):
    done = third_party.run("-c", CLI, "plugins", "check", "shouting")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "embedder shouting/length" in done.stdout
    assert 'tagger shouting/shouting write="ents"' in done.stdout
    assert done.stdout.count("loads in a fresh process") == 3


def test_a_stage_that_cannot_be_imported_fails(third_party):
    done = third_party.run("-c", CLI, "plugins", "check", "heavy_import/heavy", "--set", "write=ents")
    assert done.returncode == 1
    assert "a_framework_nobody_has" in done.stdout
