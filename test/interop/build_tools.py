"""Builds grpc-go's interop client and server and h2spec from the Go module proxy into a folder, once.

Exit code 77 (skipped) when there is no Go, or the modules cannot be had.
"""
import pathlib
import shutil
import subprocess
import sys

GRPC = "v1.84.0"
H2SPEC = "v2.2.1+incompatible"
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


def main():
    out = pathlib.Path(sys.argv[1]).resolve()
    if all((out / name).exists() for name in PROGRAMS):
        return
    go = shutil.which("go")
    if not go:
        skip("Go is not on this machine, so grpc-go and h2spec cannot be built")
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


main()
