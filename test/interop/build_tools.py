"""Builds grpc-go's interop client and server, h2spec, and a worker with client of the official Go SDK (go_sdk/), from
the Go module proxy into a folder, once.

Exit code 77 (skipped) when there is no Go, or the modules cannot be had.
"""
import hashlib
import pathlib
import shutil
import subprocess
import sys

GRPC = "v1.84.0"
H2SPEC = "v2.2.1+incompatible"
SDK = "v1.48.0"
GO_MOD = f"module tools\n\ngo 1.24\n\nrequire (\n\tgoogle.golang.org/grpc {GRPC}\n\tgithub.com/summerwind/h2spec {H2SPEC}\n)\n"
TOOLS_GO = """package tools

import (
	_ "github.com/summerwind/h2spec"
	_ "google.golang.org/grpc/interop"
)
"""
PROGRAMS = {
    "go_client": "google.golang.org/grpc/interop/client",
    "go_server": "google.golang.org/grpc/interop/server",
    "h2spec": "github.com/summerwind/h2spec/cmd/h2spec",
}


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def build_sdk(go, out):
    """go_sdk/, in a module of its own: its dependencies are not grpc-go's business."""
    program = sorted((pathlib.Path(__file__).resolve().parent / "go_sdk").glob("*.go"))
    stamp = out / "go_sdk.stamp"
    wanted = hashlib.sha256(b"".join(file.read_bytes() for file in program) + SDK.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    source = out / "sdk"
    source.mkdir(parents=True, exist_ok=True)
    (source / "go.mod").write_text(f"module sdk\n\ngo 1.24\n\nrequire go.temporal.io/sdk {SDK}\n")
    for file in program:
        shutil.copy(file, source)
    done = subprocess.run([go, "build", "-mod=mod", "-o", str(out / "go_sdk"), "."], cwd=source, capture_output=True,
                          text=True)
    if done.returncode != 0:
        skip(f"the program of the Go SDK cannot be built: {done.stderr.strip()[-600:]}")
    stamp.write_text(wanted)


def main():
    out = pathlib.Path(sys.argv[1]).resolve()
    go = shutil.which("go")
    if not go and all((out / name).exists() for name in (*PROGRAMS, "go_sdk")):
        return
    if not go:
        skip("Go is not on this machine, so grpc-go, h2spec and the program of the Go SDK cannot be built")
    source = out / "src"
    source.mkdir(parents=True, exist_ok=True)
    (source / "go.mod").write_text(GO_MOD)
    (source / "tools.go").write_text(TOOLS_GO)
    for name, package in PROGRAMS.items():
        if (out / name).exists():
            continue
        done = subprocess.run([go, "build", "-mod=mod", "-o", str(out / name), package], cwd=source,
                              capture_output=True, text=True)
        if done.returncode != 0:
            skip(f"{package} cannot be built: {done.stderr.strip()[-600:]}")
    build_sdk(go, out)


main()
