"""What tests in Python share: the twin of process.h and server.h.

A program that a test starts writes to a file, is waited for against a deadline, and is killed by
the kernel when the test ends. Server is temporald or the real Temporal server. Environment (set by CTest):

    TEMPORAL_TEST_SERVER       which of them this run of the test is about: "temporald" or "real"
    TEMPORAL_TEST_CLI          the `temporal` program
    TEMPORAL_TEST_ADDRESS      a server to use for all tests, or
    TEMPORAL_TEST_SERVER_FILE  the file with the address of the run's server
    TEMPORAL_TEST_BUILD_DIR    the build whose programs are tested
    TEMPORAL_TEST_SANITIZED  set: the programs carry a sanitizer
    TEST_KEEP                  set: temporary folders stay
"""
import atexit
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
import uuid

READY_TIMEOUT_S = 60
START_TRIES = 3
PAUSE_S = 0.005

# See server.c: without these, tests wait for the pace, the limits and the caches of a laptop.
TUNED = (
    "history.transferProcessorMaxPollRPS=1000000",
    "history.timerProcessorMaxPollRPS=1000000",
    "history.visibilityProcessorMaxPollRPS=1000000",
    'history.timerProcessorMaxTimeShift="1ms"',
    "frontend.rps=1000000",
    "frontend.namespaceRPS=1000000",
    "frontend.namespaceRPS.visibility=1000000",
    "frontend.namespaceCount=100000",
    "history.rps=1000000",
    "matching.rps=1000000",
    "frontend.persistenceMaxQPS=1000000",
    "history.persistenceMaxQPS=1000000",
    "matching.persistenceMaxQPS=1000000",
    "system.forceSearchAttributesCacheRefreshOnRead=true",
    'system.refreshNexusEndpointsMinWait="0s"',
)


def skip(reason):
    """Ends the program; CTest counts it as skipped."""
    print(f"skipped: {reason}", file=sys.stderr, flush=True)
    os._exit(77)


def main():
    """Runs the tests of the program that calls it, and leaves without the interpreter's own end: the threads of the
    official SDK's runtime outlive every client, and one that logs while Python takes itself apart crashes it.
    """
    passed = unittest.main(exit=False).result.wasSuccessful()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if passed else 1)


def free_port():
    """A port that nobody listens on, and none of those that the kernel gives to connections: it is still free when
    a server is started there again."""
    first, last = 10240, 32768
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
            last = int(f.read().split()[0])
    except OSError:
        pass
    for port in random.sample(range(first, last if last > first else 65535), 1000):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise RuntimeError("no free port on 127.0.0.1")


def unique(prefix):
    """A name that no other test of the shared server uses."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


_temp_dir = None


def temp_dir():
    """A folder for this program's files, removed when it ends."""
    global _temp_dir
    if not _temp_dir:
        _temp_dir = tempfile.mkdtemp(prefix="temporal-test-")
        if os.environ.get("TEST_KEEP"):
            print(f"kept: {_temp_dir}", file=sys.stderr)
        else:
            atexit.register(shutil.rmtree, _temp_dir, ignore_errors=True)
    return _temp_dir


def program(path):
    """A program of the build under test, by its path there: program("examples/order/order_worker")."""
    full = os.path.join(os.environ["TEMPORAL_TEST_BUILD_DIR"], path)
    if not os.access(full, os.X_OK):
        raise FileNotFoundError(f"{full}: the build has no such program")
    return full


# What we start dies with us. Not by code between fork and exec: in a program with threads (the SDK's) it may
# wait there for ever for a lock that a thread has held.
_DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL", "--"]


class Process:
    """A program that runs; its standard output and standard error go to the file `log`."""

    _count = 0

    def __init__(self, *argv, log=None, env=None):
        Process._count += 1
        self.log = log or os.path.join(temp_dir(), f"{Process._count}.log")
        with open(self.log, "wb") as f:
            self.popen = subprocess.Popen(
                _DIE_WITH_PARENT + [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=f, stderr=f,
                env={**os.environ, **(env or {})})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    @property
    def pid(self):
        return self.popen.pid

    def ended(self):
        return self.popen.poll() is not None

    def output(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def wait(self, timeout_s=30):
        """The exit status, -N for a signal; raises with the output if it still runs at the deadline."""
        try:
            return self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.popen.args} still runs after {timeout_s} s:\n{self.output()}") from None

    def wait_output(self, text, timeout_s=30):
        """Waits until `text` has been printed; raises if the program ends, or the time is up, without."""
        end = time.monotonic() + timeout_s
        while True:
            last = self.ended() or time.monotonic() > end
            if text in self.output():
                return
            if last:
                raise TimeoutError(f"{self.popen.args} did not print {text!r}, but:\n{self.output()}")
            time.sleep(PAUSE_S)

    def signal(self, number):
        if not self.ended():
            self.popen.send_signal(number)

    def kill(self):
        """kill -9; one that has ended is fine."""
        self.signal(signal.SIGKILL)
        self.popen.wait(10)

    def stop(self, timeout_s=20):
        """SIGTERM, and the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)


def cli_path():
    path = os.environ.get("TEMPORAL_TEST_CLI")
    if not path or not os.access(path, os.X_OK):
        skip(f"the real server is not here: TEMPORAL_TEST_CLI ({path or 'unset'}) is no program; "
             "scripts/test-python installs it")
    return path


def cli(address, *args, timeout_s=60, check=True):
    """Runs `temporal ARGS --address ADDRESS`; returns its standard output."""
    done = subprocess.run([cli_path(), *map(str, args), "--address", address], capture_output=True,
                          text=True, timeout=timeout_s, stdin=subprocess.DEVNULL)
    if check and done.returncode:
        raise RuntimeError(f"temporal {' '.join(map(str, args))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def cli_json(address, *args, **kw):
    return json.loads(cli(address, *args, "--output", "json", **kw))


def is_sanitized():
    """The programs of this run carry a sanitizer: their memory and their speed say nothing."""
    return "TEMPORAL_TEST_SANITIZED" in os.environ


def is_real():
    """Is it the real server that this run of the test is about?"""
    return os.environ.get("TEMPORAL_TEST_SERVER") != "temporald"


class Server:
    """A server on free ports; ready when the constructor returns, killed at the end of `with`.

    Temporald or the real one, as the run of the test says, unless `real` does.
    """

    def __init__(self, db=None, tuned=True, dynamic_config=(), search_attributes=(), log=None, real=None, args=()):
        self.real = is_real() if real is None else real
        self.args = [f"--db-filename={db}"] if db else []
        for value in (*(TUNED if tuned and self.real else ()), *dynamic_config):
            self.args += ["--dynamic-config-value", value]
        for value in search_attributes:
            self.args += ["--search-attribute", value]
        self.args += args
        self.log = log
        for _ in range(START_TRIES):
            self.port, self.http_port = free_port(), free_port()
            self.address = f"127.0.0.1:{self.port}"
            if self._start():
                return
        raise RuntimeError(f"the server does not start: {self.process.output()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()

    def _start(self):
        self.process = Process(
            cli_path() if self.real else program("temporald"), "server", "start-dev", "--headless",
            "--ip", "127.0.0.1", "--log-level", "error",
            "--port", self.port, "--http-port", self.http_port, *self.args, log=self.log)
        end = time.monotonic() + READY_TIMEOUT_S
        while not self._answers():
            if self.process.ended():
                return False
            if time.monotonic() > end:
                raise TimeoutError(f"the server on {self.address} is not ready:\n{self.process.output()}")
            time.sleep(PAUSE_S)
        return not self.process.ended()

    def _answers(self):
        if not self.real:
            return "listens on" in self.process.output()
        url = f"http://127.0.0.1:{self.http_port}/api/v1/namespaces/default"
        try:
            with urllib.request.urlopen(url, timeout=5) as reply:
                return reply.status == 200
        except OSError:
            return False

    def kill(self):
        self.process.kill()

    def stop(self):
        return self.process.stop()

    def restart(self):
        """On the same ports, with the same options, after kill -9."""
        self.process.kill()
        if not self._start():
            raise RuntimeError(f"the server does not start again: {self.process.output()}")


_own_server = None


def shared_address():
    """The address of the server that the tests of this run share (namespace "default")."""
    global _own_server
    given = os.environ.get("TEMPORAL_TEST_ADDRESS")
    if given:
        return given
    path = os.environ.get("TEMPORAL_TEST_SERVER_FILE")
    if path and os.path.exists(path):
        with open(path) as f:
            return f.read().strip()
    if not _own_server:
        _own_server = Server()
    return _own_server.address
