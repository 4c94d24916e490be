"""How long ``keytrust doctor`` takes: on two domain controllers, and in a forest of 200 of which 20 do not answer.

The forest's list is recorded. Its 180 domain controllers that answer are one real one under 180 spellings of its
address, so that every question goes over the wire; the 20 others accept connections and say nothing. How many answers
come within the limit of time depends on that one, which here has the load of 180, and so is shown without a target.
"""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from unittest import mock

from bench.result import BenchResult
from bench.site import bench_lab
from keytrust import config
from keytrust.config import Settings
from keytrust.deploy.checks import CHECKS, examine
from keytrust.deploy.checks.facts import Listing, Unread
from keytrust.deploy.checks.world import Facts
from keytrust.deploy.reading import gather as reading
from keytrust.deploy.reading.pace import Pace
from keytrust.deploy.reading.signed_in import DirectoryFacts, read_directory
from keytrust.directory.settings import DirectorySettings

ANSWERING, SILENT = 180, 20
_PORTS = (88, 389, 636)


def run() -> Iterator[BenchResult]:
    """Both."""
    with bench_lab() as lab:
        lab.up(lambda _: None, dcs=2)
        began = time.perf_counter()
        command = [sys.executable, "-m", "keytrust", "-c", str(lab.spec.config), "doctor", "--json"]
        done = subprocess.run(command, capture_output=True, check=False, timeout=120)
        seconds = time.perf_counter() - began
        if done.returncode not in (0, 2, 3, 4):
            raise RuntimeError(done.stderr.decode())
        yield BenchResult.at_most("doctor.two_controllers", seconds, "s", 5)
        facts, seconds = forest(config.load(lab.spec.config), lab.spec.address)
        yield BenchResult.at_most("doctor.forest_of_200", seconds, "s", 15)
        answered = sum(not isinstance(each.kdc_tcp, Unread) for each in facts.controllers)
        yield BenchResult("doctor.forest_answered", answered, "DCs")


def forest(settings: Settings, address: str) -> tuple[Facts, float]:
    """The facts of the forest, and the seconds from the sign-in to the last verdict."""
    with _silence() as silent:
        hosts = [*itertools.islice(spellings(address), ANSWERING), *silent]

        def listed(directory: DirectorySettings, pace: Pace) -> DirectoryFacts:
            listing = Listing("Paris", 7, "Samba-4.24.7", "", False)
            return replace(read_directory(directory, pace), listings=dict.fromkeys(hosts, listing))

        with mock.patch.object(reading, "read_directory", listed):
            began = time.perf_counter()
            facts = reading.gather(
                settings, settings.need_directory(), Pace(), lambda _: None, Unread("not a part of this bench")
            )
            examine(CHECKS, facts)
            return facts, time.perf_counter() - began


def spellings(address: str) -> Iterator[str]:
    """The same IPv4 address, each time written otherwise, as inet_aton reads it."""
    ways = [(octet, f"{int(octet):#x}", f"0x{int(octet):04x}", f"0{int(octet):o}") for octet in address.split(".")]
    return (".".join(octets) for octets in itertools.product(*ways))


@contextmanager
def _silence() -> Iterator[list[str]]:
    """Hosts that accept connections, and datagrams, and never answer."""
    with ExitStack() as stack:
        hosts = [f"127.41.0.{number}" for number in range(1, SILENT + 1)]
        for host in hosts:
            for port in _PORTS:
                stack.enter_context(socket.create_server((host, port)))
            datagrams = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            datagrams.bind((host, 88))
        yield hosts
