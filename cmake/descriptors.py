#!/usr/bin/env python3
"""Makes one FileDescriptorSet of Temporal's API out of the wheel `temporalio` (or of a checkout's set).

The wheel holds no .proto file, but each of its *_pb2.py modules holds the serialized descriptor of one
as a bytes literal.  This script reads the literals (it runs none of the modules), keeps what the named
services need, and adds to each file the options that make protoc-gen-c write structs and descriptors
alone, with a short package prefix.  Standard library only.
"""
import argparse
import ast
import hashlib
import pathlib
import re
import sys
import zipfile

ROOTS = [
    "temporal/api/workflowservice/v1/service.proto",
    "temporal/api/operatorservice/v1/service.proto",
    "temporal/api/testservice/v1/service.proto",
    "temporal/api/errordetails/v1/message.proto",
    "temporal/api/common/v1/grpc_status.proto",
    "temporal/api/sdk/v1/user_metadata.proto",
    "temporal/api/sdk/v1/workflow_metadata.proto",
    "temporal/api/sdk/v1/task_complete_metadata.proto",
    "temporal/api/sdk/v1/enhanced_stack_trace.proto",
    "temporal/api/sdk/v1/external_storage.proto",
    "temporal/api/protocol/v1/message.proto",
    "google/protobuf/struct.proto",
]
# Only options of the HTTP gateway and of documentation: nothing that the wire carries.
EMPTY_FILES = ["google/api/annotations.proto", "google/api/http.proto"]
C_PACKAGES = {"google.protobuf": "Google", "google.rpc": "Rpc"}


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def fields(data):
    """Yields (number, wire type, value) of one message; the value of LEN fields is bytes."""
    pos = 0

    def read():
        nonlocal pos
        shift = value = 0
        while True:
            byte = data[pos]
            pos += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while pos < len(data):
        tag = read()
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            yield number, wire, read()
        elif wire == 2:
            size = read()
            yield number, wire, data[pos:pos + size]
            pos += size
        else:
            size = {1: 8, 5: 4}[wire]
            yield number, wire, data[pos:pos + size]
            pos += size


def name_and_imports(descriptor):
    name, imports = None, []
    for number, _, value in fields(descriptor):
        if number == 1:
            name = value.decode()
        elif number == 3:
            imports.append(value.decode())
    return name, imports


def package_of(descriptor):
    return next((value.decode() for number, _, value in fields(descriptor) if number == 2), "")


def literals(source):
    """The bytes passed to AddSerializedFile() in one generated module."""
    for node in ast.walk(ast.parse(source)):
        if (isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "AddSerializedFile"
                and isinstance(node.args[0], ast.Constant)):
            yield node.args[0].value


def from_wheel(path):
    found = {}
    try:
        with zipfile.ZipFile(path) as wheel:
            for entry in wheel.namelist():
                if entry.endswith("_pb2.py"):
                    for descriptor in literals(wheel.read(entry)):
                        found[name_and_imports(descriptor)[0]] = descriptor
    except (OSError, zipfile.BadZipFile) as error:
        sys.exit(f"descriptors.py: {path}: {error}; expected a wheel of temporalio")
    return found


def from_set(path):
    return {name_and_imports(value)[0]: value
            for number, _, value in fields(pathlib.Path(path).read_bytes()) if number == 1}


def c_package(package):
    """temporal.api.history.v1 -> History: what stands before `__` in the C names."""
    if package in C_PACKAGES:
        return C_PACKAGES[package]
    word = re.sub(r"\.v\d+$", "", package).rsplit(".", 1)[-1]
    return word.capitalize()


def rewrite(data, number, change):
    """A copy of a message with `change` applied to each LEN field `number`."""
    out = bytearray()
    for n, wire, value in fields(data):
        if wire == 0:
            out += varint(n << 3) + varint(value)
        elif wire == 2:
            out += field(n, change(value) if n == number else value)
        else:
            out += varint(n << 3 | wire) + value
    return bytes(out)


def without_optional(message):
    """Drops `proto3_optional` (17): protoc-gen-c refuses it; the one-member oneof keeps the presence."""
    def strip(f):
        return b"".join(varint(n << 3) + varint(v) if w == 0 else field(n, v)
                        for n, w, v in fields(f) if n != 17)

    return rewrite(rewrite(message, 2, strip), 3, without_optional)


def for_c(descriptor):
    options = (varint(2 << 3) + b"\0" + varint(3 << 3) + b"\0" + varint(4 << 3) + b"\1"
               + field(6, c_package(package_of(descriptor)).encode()))
    return rewrite(descriptor, 4, without_optional) + field(8, field(1019, options))


def empty_file(name):
    return field(1, name.encode()) + field(2, b"google.api") + field(12, b"proto3")


def closure(found):
    ordered, seen = [], set()

    def visit(name):
        if name in seen:
            return
        seen.add(name)
        if name not in found:
            if name not in EMPTY_FILES:
                sys.exit(f"descriptors.py: {name} is needed, but is not in the source")
            found[name] = empty_file(name)
        for needed in name_and_imports(found[name])[1]:
            visit(needed)
        ordered.append(name)

    for root in ROOTS:
        if root in found:
            visit(root)
    return ordered


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--wheel", help="the wheel `temporalio`")
    source.add_argument("--set", help="a FileDescriptorSet with the API in it (protoc -o)")
    parser.add_argument("--sha256", help="what the wheel's checksum has to be")
    parser.add_argument("--well-known", required=True, help="a FileDescriptorSet of google/protobuf/*.proto")
    parser.add_argument("--out", required=True, help="the FileDescriptorSet to write")
    parser.add_argument("--list", required=True, help="a file to write the names of its files to")
    args = parser.parse_args()

    if args.wheel and args.sha256:
        digest = hashlib.sha256(pathlib.Path(args.wheel).read_bytes()).hexdigest()
        if digest != args.sha256:
            sys.exit(f"descriptors.py: {args.wheel}: SHA-256 is {digest}, expected {args.sha256}")
    found = from_set(args.well_known)
    found.update(from_wheel(args.wheel) if args.wheel else from_set(args.set))
    for name in EMPTY_FILES:
        found[name] = empty_file(name)
    names = closure(found)
    if not any(name.startswith("temporal/api/") for name in names):
        sys.exit(f"descriptors.py: {args.wheel or args.set} has no file of temporal/api")
    pathlib.Path(args.out).write_bytes(b"".join(field(1, for_c(found[name])) for name in names))
    pathlib.Path(args.list).write_text("".join(name + "\n" for name in names))


if __name__ == "__main__":
    main()
