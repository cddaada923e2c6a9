"""temporald as a program. Goal: its command line takes what the official one takes, tells what is wrong with
what it does not take, and does what its flags say; its help, its manual page and docs/server.md list the same
flags. Method: the program itself, on free ports and files of its own.
"""
import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import unittest

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode, TLSConfig
from temporalio.testing import WorkflowEnvironment

import harness

WAIT_S = 20
SOURCE = os.environ["TEMPORAL_TEST_SOURCE_DIR"]


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def path(name):
    return os.path.join(harness.temp_dir(), harness.unique(name))


class Daemon(harness.Process):
    """temporald with these arguments, ready; its address."""

    def __init__(self, *args, env=None):
        super().__init__(harness.program("temporald"), *args, env=env)
        self.wait_output("listens on")
        self.address = re.search(r"listens on (\S+)", self.output()).group(1)


class DaemonTest(unittest.IsolatedAsyncioTestCase):
    def daemon(self, *args, **kw):
        process = Daemon(*args, **kw)
        self.addCleanup(process.kill)
        return process

    def refused(self, *args, status, says):
        """It leaves with the status, and one line that says why."""
        process = harness.Process(harness.program("temporald"), *args)
        self.addCleanup(process.kill)
        self.assertEqual(process.wait(WAIT_S), status, process.output())
        self.assertIn(says, process.output())
        self.assertEqual(process.output().count("\n"), 1, process.output())

    async def start(self, client, name, *args):
        return await client.start_workflow("T", args=list(args), id=name, task_queue="q")


class CommandLineTest(DaemonTest):
    async def test_forms_of_flags(self):
        for args in (["--port", "0"], ["--port=0"], ["-p", "0"], ["-p0"], ["-p=0", "--headless=true", "--ip=127.0.0.1"],
                     ["server", "start-dev", "--port", "0", "--namespace", "other", "--log-format", "pretty",
                      "--log-level", "warn", "--dynamic-config-value", "frontend.enableServerVersionCheck=false",
                      "--dynamic-config-value", "frontend.enableUpdateWorkflowExecution=true", "--headless",
                      "--search-attribute", "Colour=Keyword", "--http-port", "0", "--metrics-port", "0", "--ui-port",
                      "0", "--sqlite-pragma", "journal_mode=wal"]):
            with self.subTest(args=args):
                daemon = self.daemon(*args)
                self.assertRegex(daemon.output(), r"\Atemporald listens on 127\.0\.0\.1:\d+\n(Nexus HTTP API on 127\.0\.0\.1:\d+\nMetrics on 127\.0\.0\.1:\d+\n)?\Z")
                namespace = "other" if "other" in args else "default"
                await Client.connect(daemon.address, namespace=namespace)
                self.assertEqual(daemon.stop(), 0, daemon.output())

    async def test_wrong_command_lines(self):
        for args, says in ((["--prot", "1"], "is --port meant?"), (["--db-file", "x"], "is --db-filename meant?"),
                           (["--something-else"], "--help lists them"), (["-z"], "there is no flag -z"),
                           (["--port", "x"], '"x" is no port'), (["--port", "65536"], "expected 0 to 65535"),
                           (["--port"], "--port wants a value"), (["serve"], "is no command"),
                           (["server", "start"], "is no command"), (["check"], "which database?"),
                           (["backup", "--db-filename", "a"], "to which file?"),
                           (["--log-level", "loud"], "expected debug, info, warn, error or never"),
                           (["--headless=perhaps", "--allow-insecure=perhaps"], "expected false or true")):
            with self.subTest(args=args):
                self.refused(*args, status=2, says=says)

    async def test_help_manual_and_guide_agree(self):
        text = subprocess.run([harness.program("temporald"), "--help"], capture_output=True, text=True, check=True).stdout
        shown = set(re.findall(r"^ {2,6}(?:-\w, )?(--[\w-]+(?: [A-Z=]+)?) ", text, re.M))
        manual = re.sub(r"\\f[BRI]", "", read(f"{SOURCE}/temporald/temporald.1").replace("\\-", "-"))
        options = manual[manual.index(".SH OPTIONS"):manual.index(".SH EXIT STATUS")]
        listed = set(re.findall(r"^(?:\.B )?(?:-\w, )?(--[\w-]+(?: [A-Z=]+)?)[,.]?$", options, re.M))
        guide = read(f"{SOURCE}/docs/server.md")
        table = guide[guide.index("| flag |"):guide.index("`temporald backup")]
        cells = "".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))
        documented = set(re.findall(r"`(--[\w-]+(?: [A-Z=]+)?)`", cells))
        self.assertGreater(len(shown), 25)
        self.assertEqual(shown, listed)
        self.assertEqual(shown, documented)

    async def test_version(self):
        done = subprocess.run([harness.program("temporald"), "--version"], capture_output=True, text=True, check=True)
        self.assertRegex(done.stdout, r"\Atemporald \d+\.\d+\.\d+\n\Z")

    async def test_signals(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            daemon = self.daemon("--port", "0")
            daemon.signal(number)
            self.assertEqual(daemon.wait(WAIT_S), 0, daemon.output())

    async def test_service_manager_is_told(self):
        name = path("notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(name)
            manager.settimeout(WAIT_S)
            daemon = self.daemon("--port", "0", env={"NOTIFY_SOCKET": name})
            self.assertEqual(manager.recv(100), b"READY=1")
            daemon.signal(signal.SIGTERM)
            self.assertEqual(manager.recv(100), b"STOPPING=1")
            self.assertEqual(daemon.wait(WAIT_S), 0)

    async def test_log(self):
        daemon = self.daemon("--port", "0", "--log-level", "info", "--log-format", "json",
                             "--dynamic-config-value", 'no.such.key="x"')
        self.assertEqual(daemon.stop(), 0)
        lines = [json.loads(line) for line in daemon.output().splitlines() if line.startswith("{")]
        self.assertEqual([line["level"] for line in lines], ["warn", "info", "info"])
        self.assertIn('no.such.key="x" has no effect', lines[0]["msg"])
        quiet = self.daemon("--port", "0", "--log-level", "error", "--dynamic-config-value", "no.such.key=1")
        self.assertNotIn("no.such.key", quiet.output())

    async def test_the_sdk_starts_it_in_place_of_the_official_one(self):
        async with await WorkflowEnvironment.start_local(
                dev_server_existing_path=harness.program("temporald"), namespace="mine",
                dev_server_extra_args=["--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=50"]) as env:
            self.assertEqual(env.client.namespace, "mine")
            handle = await self.start(env.client, "one")
            self.assertEqual((await handle.describe()).id, "one")


class FileTest(DaemonTest):
    async def test_files_that_cannot_be_opened(self):
        text, folder = path("text"), path("folder")
        with open(text, "w") as f:
            f.write("no database\n" * 1000)
        os.mkdir(folder)
        for name in (text, folder, os.path.join(folder, "none", "there.db")):
            self.refused("--port", "0", "--db-filename", name, status=1, says=name)
            self.refused("check", name, status=1, says=name)
        self.assertEqual(read(text), "no database\n" * 1000)

    async def test_one_server_a_file(self):
        db = path("db")
        self.daemon("--port", "0", "--db-filename", db)
        self.refused("--port", "0", "--db-filename", db, status=1, says="is open in another server")
        self.refused("check", db, status=1, says="is open in another server")

    async def test_a_port_in_use(self):
        daemon = self.daemon("--port", "0")
        port = daemon.address.rpartition(":")[2]
        self.refused("--port", port, status=1, says=port)

    async def test_backup_of_a_server_that_runs(self):
        db, copy = path("db"), path("copy")
        daemon = self.daemon("--port", "0", "--db-filename", db)
        client = await Client.connect(daemon.address)
        await self.start(client, "kept", "x" * 10000)
        self.assertEqual(self.run_command("backup", "--db-filename", db, copy), f"{copy} is a copy of {db}\n")
        await self.start(client, "later")
        self.refused("backup", "--db-filename", db, copy, status=1, says="is there already")
        self.refused("backup", "--db-filename", path("none"), path("x"), status=1, says="No such file")
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(self.run_command("check", copy), f"{copy} is whole\n")
        again = self.daemon("--port", "0", "--db-filename", copy)
        client = await Client.connect(again.address)
        self.assertEqual((await client.get_workflow_handle("kept").describe()).id, "kept")
        with self.assertRaises(RPCError):
            await client.get_workflow_handle("later").describe()

    async def test_damage_is_found(self):
        db = path("db")
        daemon = self.daemon("--port", "0", "--db-filename", db)
        await self.start(await Client.connect(daemon.address), "kept", "find me" * 1000)
        self.assertEqual(daemon.stop(), 0)
        with open(db, "r+b") as f:
            place = f.read().index(b"find me")
            f.seek(place)
            f.write(b"F")
        self.refused("check", db, status=1, says="damaged")
        self.refused("--port", "0", "--db-filename", db, status=1, says="damaged")

    def run_command(self, *args):
        done = subprocess.run([harness.program("temporald"), *args], capture_output=True, text=True, timeout=WAIT_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout


class LimitTest(DaemonTest):
    async def test_dynamic_configuration(self):
        daemon = self.daemon("--port", "0", "--dynamic-config-value", "limit.blobSize.error=2000",
                             "--dynamic-config-value", "limit.maxIDLength=100")
        client = await Client.connect(daemon.address)
        await self.start(client, "i" * 100, "x" * 1900)
        for name, argument in (("i" * 101, ""), ("big", "x" * 2000)):
            with self.assertRaises(RPCError) as refused:
                await self.start(client, name, argument)
            self.assertEqual(refused.exception.status, RPCStatusCode.INVALID_ARGUMENT)

    async def test_what_cannot_be_read(self):
        self.refused("--port", "0", "--dynamic-config-value", "nope", status=1, says="expected KEY=VALUE")
        self.refused("--port", "0", "--dynamic-config-value", "limit.blobSize.error=x", status=1, says="not in JSON")
        self.refused("--port", "0", "--search-attribute", "Colour=Paint", status=1, says="Colour")


class AccessTest(DaemonTest):
    def certificate(self, *args):
        openssl = shutil.which("openssl")
        if not openssl:
            self.skipTest("there is no openssl tool to make a certificate with")
        cert, key = path("cert"), path("key")
        subprocess.run([openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout", key, "-out",
                        cert, *args], check=True, capture_output=True)
        return cert, key

    def authority(self):
        return self.certificate("-subj", "/CN=an authority")

    def signed_by(self, authority):
        return self.certificate("-subj", "/CN=localhost", "-CA", authority[0], "-CAkey", authority[1], "-addext",
                                "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext",
                                "basicConstraints=critical,CA:FALSE")

    async def denied(self, coroutine, status):
        with self.assertRaises(RPCError) as refused:
            await asyncio.wait_for(coroutine, WAIT_S)
        self.assertEqual(refused.exception.status, status)

    async def test_elsewhere_only_with_tls(self):
        self.refused("--port", "0", "--ip", "0.0.0.0", status=1, says="without TLS")
        daemon = self.daemon("--port", "0", "--ip", "0.0.0.0", "--allow-insecure")
        await Client.connect(daemon.address.replace("0.0.0.0", "127.0.0.1"))

    async def test_tls(self):
        authority = self.authority()
        cert, key = self.signed_by(authority)
        root = read(authority[0]).encode()
        daemon = self.daemon("--port", "0", "--ip", "0.0.0.0", "--tls-cert", cert, "--tls-key", key)
        address = daemon.address.replace("0.0.0.0", "127.0.0.1")
        client = await Client.connect(address, tls=TLSConfig(server_root_ca_cert=root, domain="localhost"))
        await self.start(client, "over-tls")
        with self.assertRaises(RuntimeError):
            await asyncio.wait_for(Client.connect(address), WAIT_S)
        self.refused("--port", "0", "--tls-cert", cert, status=1, says="the key is missing")
        self.refused("--port", "0", "--tls-cert", cert, "--tls-key", "none-there", status=1, says="none-there")
        self.refused("--port", "0", "--tls-cert", key, "--tls-key", key, status=1, says="certificate")

    async def test_client_certificates(self):
        authority = self.authority()
        cert, key = self.signed_by(authority)
        other, other_key = self.signed_by(self.authority())
        daemon = self.daemon("--port", "0", "--tls-cert", cert, "--tls-key", key, "--tls-client-ca", authority[0])
        root = read(authority[0]).encode()
        with_one = TLSConfig(server_root_ca_cert=root, domain="localhost", client_cert=read(cert).encode(),
                             client_private_key=read(key).encode())
        await self.start(await Client.connect(daemon.address, tls=with_one), "known")
        for tls in (TLSConfig(server_root_ca_cert=root, domain="localhost"),
                    TLSConfig(server_root_ca_cert=root, domain="localhost", client_cert=read(other).encode(),
                              client_private_key=read(other_key).encode())):
            with self.assertRaises(RuntimeError):
                await asyncio.wait_for(Client.connect(daemon.address, tls=tls), WAIT_S)

    async def test_api_keys(self):
        file = path("keys")
        with open(file, "w") as f:
            f.write("from-a-file\n\nanother\n")
        daemon = self.daemon("--port", "0", "--api-key", "given", "--api-key-file", file)
        for key in ("given", "from-a-file", "another"):
            client = await Client.connect(daemon.address, api_key=key, tls=False)
            await self.start(client, f"with-{key}")
        for key in ("wrong", None):
            client = await Client.connect(daemon.address, api_key=key, tls=False)
            await self.denied(self.start(client, "without"), RPCStatusCode.PERMISSION_DENIED)
        open(file, "w").close()
        self.refused("--port", "0", "--api-key-file", file, status=1, says="is empty")


if __name__ == "__main__":
    harness.main()
