"""Whose run a folder is, and what one from elsewhere may name."""

import copy
import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from caudex.core import trust
from caudex.core.disk import digest, serialize_tensors
from caudex.core.errors import CaudexError
from caudex.core.hardware import Hardware
from caudex.core.run import Run
from caudex.core.system import load, open_run, system_at_scale, write_settings
from caudex.core.trust import UntrustedName, describe_openings, is_own


@pytest.fixture
def own_run() -> Run:
    return write_run("own")


SUPERVISED = replace(system_at_scale("supervised"), trunk="small")


def write_run(path, name="supervised", **settings) -> Run:
    run = Run(path, hardware=Hardware(threads=2))
    write_settings(replace(SUPERVISED if name == "supervised" else system_at_scale(name), **settings), run)
    return run


def read(run: Run, name: str) -> dict:
    return json.loads((run.path / f"{name}.json").read_text())


def test_a_run_stays_its_users_own_wherever_it_is_moved(own_run):
    assert is_own(own_run)
    moved = shutil.move(own_run.path, "elsewhere")
    assert is_own(Run(moved))
    assert type(open_run(moved)[0].data) is str


@pytest.mark.parametrize("name", ["settings", "hardware", "plan"])
def test_a_change_of_any_signed_file_is_noticed(own_run, name):
    file = own_run.path / f"{name}.json"
    file.write_text((file.read_text() if file.exists() else "") + "\n")
    assert not is_own(own_run)


def test_a_signature_is_good_for_its_own_settings_alone(own_run):
    other = write_run("other", data="/etc")
    shutil.copy(own_run.path / "signature.json", other.path)
    assert not is_own(other)


def test_the_runs_of_another_user_are_not_ones_own(own_run, monkeypatch):
    monkeypatch.setenv("CAUDEX_STATE", "another")
    write_run("mine")
    assert not is_own(own_run)
    system, _ = open_run(own_run.path)
    assert system == SUPERVISED
    assert (type(system.data), system.data.run) == (UntrustedName, "own")


@pytest.mark.parametrize(
    "content", ["7", "null", "[]", "{", "", '{"hmac_sha256": 1}', '{"hmac_sha256": "\\u00e9"}', "[" * 50_000]
)
def test_a_damaged_signature_is_none(own_run, content):
    (own_run.path / "signature.json").write_text(content)
    assert not is_own(own_run)


def test_the_secret_is_this_users_alone_and_made_once(monkeypatch):
    monkeypatch.setenv("CAUDEX_STATE", "state")
    first, secret = write_run("first"), Path("state/secret")
    assert (Path("state").stat().st_mode & 0o777, secret.stat().st_mode & 0o777) == (0o700, 0o600)
    content = secret.read_bytes()
    write_run("second")
    assert secret.read_bytes() == content and len(content) == 32
    secret.write_bytes(content[:5])  # of a process that was killed as it wrote
    write_run("third")
    assert len(secret.read_bytes()) == 32 and not is_own(first)


def test_where_no_secret_can_be_kept_runs_are_made_unsigned(monkeypatch):
    Path("file").touch()
    monkeypatch.setenv("CAUDEX_STATE", "file/state")
    assert not is_own(write_run("run"))
    assert not Path("run/signature.json").exists()


def test_where_the_state_folder_is(monkeypatch):
    monkeypatch.setenv("CAUDEX_STATE", "~/here")
    assert trust.state_folder() == Path.home() / "here"
    monkeypatch.delenv("CAUDEX_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert trust.state_folder() == Path("/state/caudex")
    monkeypatch.delenv("XDG_STATE_HOME")
    assert trust.state_folder() == Path.home() / ".local/state/caudex"


@pytest.mark.parametrize("writes", range(4))
def test_a_run_killed_between_two_writes_is_still_its_users_own(writes, monkeypatch):
    """There is no run yet, or it is signed."""
    left, write = [None] * writes, Run.write

    def killed(self, *content):
        if not left:
            raise KeyboardInterrupt
        left.pop()
        write(self, *content)

    monkeypatch.setattr(Run, "write", killed)
    try:
        write_run("run")
    except KeyboardInterrupt:
        assert writes < 3 and not Path("run/settings.json").exists()
    else:
        assert writes == 3 and is_own(Run("run"))


def test_a_name_stays_untrusted_in_copies_and_other_processes():
    name = UntrustedName("evil:Env-v0", "runs/a")
    for copied in (pickle.loads(pickle.dumps(name)), copy.deepcopy(name)):
        assert (type(copied), copied, copied.run) == (UntrustedName, "evil:Env-v0", "runs/a")
    assert trust.mark_trusted((name, 1)) == ("evil:Env-v0", 1)
    assert type(trust.mark_trusted((name,))[0]) is str


@pytest.mark.parametrize(
    "settings, openings",
    [
        ({}, []),
        ({"steps": 7, "lr": 0.1, "labels": None}, []),
        ({"data": "hf:someone/photos"}, ["--data hf:someone/photos"]),
        ({"data": "/home/me/my photos"}, ["--data '/home/me/my photos'"]),
        ({"labels": "few.csv", "start": "/net/run"}, ["--labels few.csv", "--start /net/run"]),
        ({"also": ("rotation:0.5", "contrast")}, ["--also rotation:0.5 contrast"]),
        ({"data": "a\x1b[2K\rb"}, ["--data 'a\\x1b[2K\\rb'"]),
    ],
)
def test_what_a_run_would_open(settings, openings):
    assert list(describe_openings(replace(system_at_scale("supervised"), **settings))) == openings


def test_what_other_settings_would_open():
    panel = replace(system_at_scale("labels-saved"), cluster="1.2.3.4:6379", processes=99)
    assert list(describe_openings(panel)) == ["--processes 99", "--cluster 1.2.3.4:6379"]
    ppo = replace(system_at_scale("ppo"), env="runs.a.evil:CartPole-v1")
    assert list(describe_openings(ppo)) == ["--env runs.a.evil:CartPole-v1, which would import the module runs.a.evil"]
    assert list(describe_openings(Hardware(threads=64, devices=8))) == ["--devices 8", "--threads 64"]
    sends = "--log wandb, which would send the metrics to where that package is set up to"
    assert list(describe_openings(Hardware(log="wandb"))) == [sends]
    assert list(describe_openings(Hardware(log="none"))) == ["--log none"]


def test_a_strangers_run_leads_to_no_other(monkeypatch):
    """Neither by the settings that it began with, nor by its spec."""
    own = write_run("own", start="/net/elsewhere")
    monkeypatch.setenv("CAUDEX_STATE", "stranger")
    with pytest.raises(
        CaudexError,
        match=r"own was not made by you .* begins with another run, '/net/elsewhere'; `caudex resume own --trust`",
    ):
        replace(system_at_scale("supervised"), start=str(own.path)).load_split()
    search = write_run("search", "semantic-search", start="/net/elsewhere")
    search.write_json("spec", {"start": "/net/elsewhere"})
    search.write("model.safetensors", serialize_tensors({}))
    search.write_json("finished", {"model": digest(serialize_tensors({}))})
    with pytest.raises(CaudexError, match=r"/net/elsewhere is not a run folder"):
        load("search")
    monkeypatch.delenv("CAUDEX_STATE")
    monkeypatch.setenv("XDG_STATE_HOME", "mine")
    with pytest.raises(CaudexError, match=r"search was not made by you .* begins with another run"):
        load("search")
