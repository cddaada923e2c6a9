"""Runs our programs against grpc-go's interoperability programs, and h2spec against our server.

    run_interop.py (go_client | go_client_tls | go_server | h2spec | h2spec_tls) TOOLS BIN

TOOLS holds what build_tools.py made, BIN our programs. Exit code 77: skipped, with the reason printed.
"""
import contextlib
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

CASES = ["empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
         "timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response",
         "status_code_and_message", "special_status_message", "custom_metadata", "unimplemented_method",
         "unimplemented_service"]


def tool(folder, name):
    path = folder / name
    if not path.exists():
        print(f"skipped: {name} could not be built (see the test interop_tools)")
        sys.exit(77)
    return str(path)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port):
    for _ in range(1200):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"nothing listens on port {port}")


@contextlib.contextmanager
def running(args):
    process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def our_server(bin_dir, cert=None):
    with running([str(bin_dir / "interop_server"), "0"] + list(cert or [])) as process:
        port = process.stdout.readline().strip()
        if not port.isdigit():
            sys.exit(f"interop_server: {port}")
        yield port
        if process.poll() is not None:
            sys.exit(f"interop_server ended: {process.returncode}")


def make_certificate(folder):
    openssl = shutil.which("openssl")
    if not openssl:
        print("skipped: there is no openssl tool to make a certificate with")
        sys.exit(77)
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run([openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)],
                   check=True, capture_output=True)
    return str(cert), str(key)


def run_case(name, args):
    done = subprocess.run(args, capture_output=True, text=True, timeout=250)
    print(("ok    " if done.returncode == 0 else "FAIL  ") + name)
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).splitlines()
        print("\n".join([line for line in lines if "failed" in line] + lines[-30:]))
    return done.returncode != 0


def go_client(tools, bin_dir, cert=None):
    client = tool(tools, "go_client")
    tls = ["-use_tls=true", "-use_test_ca=true", "-ca_file=" + cert[0], "-server_host_override=localhost"] if cert else []
    with our_server(bin_dir, cert) as port:
        failed = sum(run_case(case, [client, "-server_host=localhost", "-server_port=" + port, "-test_case=" + case] + tls)
                     for case in CASES)
        # grpc-go's own client at times takes five seconds to close a channel, with its own server too: fewer channels
        # than calls, and no bound on their time but the last one.
        for case, iterations in (("rpc_soak", 60), ("channel_soak", 30)):
            soak = [f"-soak_iterations={iterations}", "-soak_overall_timeout_seconds=240",
                    "-soak_per_iteration_max_acceptable_latency_ms=60000"]
            failed += run_case(case, [client, "-server_host=localhost", "-server_port=" + port, "-test_case=" + case] +
                               soak + tls)
    return failed


def go_server(tools, bin_dir):
    port = free_port()
    with running([tool(tools, "go_server"), f"-port={port}"]):
        wait_for(port)
        return sum(run_case(case, [str(bin_dir / "interop_client"), str(port), case]) for case in CASES + ["large_unary_gzip"])


def h2spec(tools, bin_dir, cert=None):
    program = tool(tools, "h2spec")
    with our_server(bin_dir, cert) as port:
        done = subprocess.run([program, "-h", "127.0.0.1", "-p", port, "--strict", "-o", "3"] +
                              (["-t", "-k"] if cert else []), capture_output=True, text=True, timeout=300)
    summary = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", done.stdout)
    print(summary.group(0) if summary else done.stdout[-2000:] + done.stderr[-2000:])
    if summary and summary.group(4) != "0":
        print("\n".join(line for line in done.stdout.splitlines() if "×" in line))
    return not summary or summary.group(1) != summary.group(2) or int(summary.group(1)) < 146


def main():
    what, tools, bin_dir = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    with tempfile.TemporaryDirectory() as folder:
        cert = make_certificate(pathlib.Path(folder)) if what.endswith("_tls") else None
        if what == "go_server":
            failed = go_server(tools, bin_dir)
        elif what.startswith("go_client"):
            failed = go_client(tools, bin_dir, cert)
        else:
            failed = h2spec(tools, bin_dir, cert)
    sys.exit(1 if failed else 0)


main()
