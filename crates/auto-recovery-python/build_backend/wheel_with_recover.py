"""Builds the wheel: the Python package by maturin, and in it the command `recover`, as the native
program that it is. A console script would start an interpreter first.

Maturin packs one crate. So this builds the other one and puts the program into the data folder of
the wheel, which maturin packs, and from which installers take what goes into `bin`.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import maturin

get_requires_for_build_wheel = maturin.get_requires_for_build_wheel
get_requires_for_build_editable = maturin.get_requires_for_build_editable

CRATE = Path(__file__).parent.parent
DATA = CRATE / "wheel-data"

# What of maturin's arguments is cargo's too; each has a value.
_SHARED = ("--profile", "--target", "--target-dir")

_Settings = Mapping[str, Any] | None


def prepare_metadata_for_build_wheel(metadata_directory: str, settings: _Settings = None) -> str:
    with _data_folder():
        return maturin.prepare_metadata_for_build_wheel(metadata_directory, settings)


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_wheel(
    wheel_directory: str, settings: _Settings = None, metadata_directory: str | None = None
) -> str:
    with _program_in_data_folder(settings):
        name: str = maturin.build_wheel(wheel_directory, settings, metadata_directory)
        return _checked(name, wheel_directory)


def build_editable(
    wheel_directory: str, settings: _Settings = None, metadata_directory: str | None = None
) -> str:
    with _program_in_data_folder(settings):
        name: str = maturin.build_editable(wheel_directory, settings, metadata_directory)
        return _checked(name, wheel_directory)


def _checked(name: str, directory: str) -> str:
    """The wheel `name`, which has the program in it unless another build took the folder away."""
    with zipfile.ZipFile(Path(directory, name)) as wheel:
        packed = [Path(one).stem for one in wheel.namelist() if ".data/scripts/" in one]
    if "recover" not in packed:
        sys.exit(f"{name} lacks the command recover: is it built twice at a time in {CRATE}?")
    return name


class UnsupportedOperation(Exception):
    """What PEP 517 asks for where a backend makes no source distribution."""


def build_sdist(sdist_directory: str, settings: _Settings = None) -> str:
    raise UnsupportedOperation(
        "a source distribution would lack the command `recover`: build a wheel in the repository, "
        "or `pip install git+URL#subdirectory=crates/auto-recovery-python`"
    )


@contextmanager
def _program_in_data_folder(settings: _Settings) -> Iterator[None]:
    program = _build_program(maturin.get_maturin_pep517_args(settings))
    with _data_folder() as scripts:
        shutil.copy2(program, scripts / program.name)
        yield


@contextmanager
def _data_folder() -> Iterator[Path]:
    scripts = DATA / "scripts"
    scripts.mkdir(parents=True, exist_ok=True)
    try:
        yield scripts
    finally:
        shutil.rmtree(scripts, ignore_errors=True)


def _build_program(arguments: list[str]) -> Path:
    """Builds `recover` as maturin was asked to build the package; where it is then."""
    shared = _values(arguments)
    shared.setdefault("--profile", maturin.get_config()["profile"])
    command = ["cargo", "build", "--locked", "--package=auto-recovery-cli", "--bin=recover"]
    command += ["--message-format=json-render-diagnostics"]
    command += [f"{name}={value}" for name, value in shared.items()]
    print("Running `{}`".format(" ".join(command)), flush=True)
    built = subprocess.run(command, cwd=CRATE, stdout=subprocess.PIPE, env=_environment())
    if built.returncode != 0:
        sys.exit(f"`cargo build` of the command recover failed with {built.returncode}")
    messages = map(json.loads, built.stdout.splitlines())
    programs = [one["executable"] for one in messages if one.get("executable")]
    return Path(programs[-1])


def _values(arguments: list[str]) -> dict[str, str]:
    values = {}
    rest = iter(arguments)
    for argument in rest:
        name, is_one_word, value = argument.partition("=")
        if name in _SHARED:
            values[name] = value if is_one_word else next(rest)
        elif argument in ("--release", "-r"):
            values["--profile"] = "release"
    return values


def _environment() -> dict[str, str]:
    """Where there is no Rust, maturin asks for `puccinialin`, which fetches one."""
    if shutil.which("cargo"):
        return dict(os.environ)
    from puccinialin import setup_rust

    return {**os.environ, **setup_rust()}
