"""The one server of a CTest run: one temporald, and one real server.

    shared_server.py start FILE     starts the one that TEMPORAL_TEST_SERVER names; FILE has its address
                                    when this returns
    shared_server.py stop FILE      stops it

A keeper process owns the server: it kills it on `stop`, and when the CTest that asked for it is
gone, so that an interrupted run leaves nothing behind.
"""
import glob
import os
import select
import signal
import sys

import harness


def remove_database(address_file):
    for leftover in glob.glob(glob.escape(address_file) + ".db*"):
        os.unlink(leftover)


def keep(address_file, owner, ready):
    """The keeper: never returns."""
    os.setsid()
    db = None if harness.is_real() else address_file + ".db"
    remove_database(address_file)
    server = harness.Server(log=address_file + ".log", db=db)
    signals_in, signals_out = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(signals_out)
    signal.signal(signal.SIGTERM, lambda *_: None)
    with open(address_file + ".pid", "w") as f:
        f.write(str(os.getpid()))
    with open(address_file + ".new", "w") as f:
        f.write(server.address + "\n")
    os.rename(address_file + ".new", address_file)
    os.write(ready, b"1")
    os.close(ready)
    select.select([signals_in, owner], [], [])
    server.kill()
    remove_database(address_file)
    for leftover in (address_file, address_file + ".pid"):
        if os.path.exists(leftover):
            os.unlink(leftover)
    sys.exit(0)


def start(address_file):
    if harness.is_real():
        harness.cli_path()
    stop(address_file)
    os.makedirs(os.path.dirname(os.path.abspath(address_file)), exist_ok=True)
    owner = os.pidfd_open(os.getppid())
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        log = os.open(address_file + ".keeper.log", os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        for fd in (1, 2):
            os.dup2(log, fd)
        keep(address_file, owner, writer)
    os.close(writer)
    if os.read(reader, 1) != b"1":
        with open(address_file + ".keeper.log") as f:
            sys.exit(f"the server does not start:\n{f.read()}")
    os._exit(0)


def stop(address_file):
    try:
        with open(address_file + ".pid") as f:
            pid = int(f.read())
        keeper = os.pidfd_open(pid)
        with open(f"/proc/{pid}/cmdline") as f:
            if "shared_server.py" not in f.read():
                raise ProcessLookupError
        signal.pidfd_send_signal(keeper, signal.SIGTERM)
        if not select.select([keeper], [], [], 20)[0]:
            sys.exit(f"the server's keeper {pid} does not end")
    except (FileNotFoundError, ProcessLookupError):
        pass
    for leftover in (address_file, address_file + ".pid"):
        if os.path.exists(leftover):
            os.unlink(leftover)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("start", "stop"):
        sys.exit(__doc__)
    {"start": start, "stop": stop}[sys.argv[1]](sys.argv[2])
