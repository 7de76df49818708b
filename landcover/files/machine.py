"""The machine that a process runs on, as its operating system describes it."""

from __future__ import annotations

import platform
from pathlib import Path


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
