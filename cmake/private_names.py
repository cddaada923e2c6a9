"""What libtemporal-server uses of libtemporal beyond its API, as a list of new names for objcopy.

    private_names.py NM SERVER_ARCHIVE ARCHIVE > FILE

Each line is `name temporal_private_name`: so renamed, the names can be exported to libtemporal-server without a
collision with a name of a user's program.
"""
import subprocess
import sys

API = ("temporal_", "wf_", "act_", "nexus_")


def names(nm, archive, *options):
    lines = subprocess.run([nm, *options, archive], check=True, capture_output=True, text=True).stdout.splitlines()
    return {line.split()[-1] for line in lines if line and not line.endswith(":")}


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    nm, server, library = sys.argv[1:]
    wanted = names(nm, server, "--undefined-only")
    for name in sorted(wanted & names(nm, library, "--defined-only", "--extern-only")):
        if not name.startswith(API) or "__" in name:  # nexus__..._descriptor are messages of the protocol
            print(f"{name} temporal_private_{name}")


if __name__ == "__main__":
    main()
