"""The machine that a process runs on, as its operating system describes it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import TypedDict


def processor() -> str:
    """Name of the processor, such as "AMD EPYC 7B13"."""
    names = [line for line in processor_facts().splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else (
        platform.processor() or platform.machine()
    )  # fmt: skip


def processor_facts() -> str:
    """What Linux says of the processors, with their instruction sets; empty on other systems."""
    try:
        return Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return ""


class Machine(TypedDict):
    """Processor, cores and memory in GiB."""

    processor: str
    cores: int | None
    memory_gib: int | None


def machine() -> Machine:
    """Processor, cores and memory in GiB, which times depend on."""
    memory = None
    if hasattr(os, "sysconf"):
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3)
    return {"processor": processor(), "cores": os.cpu_count(), "memory_gib": memory}


def gpus() -> list[str]:
    """Names of NVIDIA's GPUs, as its driver lists them; none where there is no driver."""
    lines = _answer("nvidia-smi", "--query-gpu=name", "--format=csv,noheader").splitlines()
    return [line.strip() for line in lines if line.strip()]


def version_of(program: str) -> str | None:
    """What a program says of ``--version``; None where it is not there."""
    return next(iter(_answer(program, "--version").splitlines()), None)


def _answer(*command: str) -> str:
    """What a program prints; empty where it is not there, fails or takes long."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout
