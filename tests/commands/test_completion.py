"""Completion, by a real bash: what it offers for what somebody has typed."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from landcover import cli
from landcover.commands import COMMANDS
from landcover.commands.completion import SHELLS


def printed(shell: str, capsys) -> str:
    assert cli.main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.fixture
def offered(capsys, tmp_path):
    """A function from words, the last of them begun, to what bash offers."""
    script = tmp_path / "completion.bash"
    script.write_text(printed("bash", capsys), "utf-8")

    def ask(*words: str) -> list[str]:
        typed = " ".join(map(shlex.quote, ("landcover", *words)))
        asked = (
            f"source {script}; COMP_WORDS=({typed}); COMP_CWORD={len(words)}; "
            '_shtab_landcover; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(
            ["bash", "-c", asked], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout.split()

    return ask


def test_every_command_is_offered(offered):
    first = {name.split()[0] for name in COMMANDS}
    assert set(offered("")) >= first
    assert set(offered("train", "")) >= {n.split()[1] for n in COMMANDS if n.startswith("train ")}
    assert offered("bench", "") == ["tile"]


def test_options_and_their_values_are_offered(offered):
    assert offered("train", "random-forest", "--denoi") == ["--denoise"]
    assert "confident" in offered("train", "random-forest", "--denoise", "")
    assert offered("map", "--prec") == ["--precision"]
    assert offered("completion", "") == list(SHELLS)
    assert offered("map", "--epo") == []


def test_files_are_offered_where_files_are_read_and_folders_where_runs_are(offered, tmp_path):
    (tmp_path / "some_bands.tif").touch()
    (tmp_path / "some_run").mkdir()
    assert set(offered("inspect", "some")) == {"some_bands.tif", "some_run"}
    assert offered("compare", "some") == ["some_run"]
    assert set(offered("prep", "--labels", "some")) == {"some_bands.tif", "some_run"}


@pytest.mark.parametrize("shell", SHELLS)
def test_standard_output_is_the_script_alone(shell, capsys):
    text = printed(shell, capsys)
    assert not text.startswith("completion") and "random-forest" in text


def test_another_shell_is_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["completion", "csh"])
    assert ended.value.code == 2
    assert "choose from" in capsys.readouterr().err


def test_a_shell_that_starts_sees_no_line(capsys):
    """The script is asked for in .bashrc, and what stands on standard error would be shown."""
    printed("bash", capsys)
    assert cli.main(["completion", "bash"]) == 0
    assert capsys.readouterr().err == ""
