#!/usr/bin/python3
"""A small client for the Kubernetes container runtime interface (CRI v1), for tests and the demo.

usage: cri.py SOCKET COMMAND [ARGUMENT...]
  pod NAME NAMESPACE IMAGE SHELL-COMMAND LOG-DIR [KEY=VALUE annotation...]
                          runs a pod with one container; prints {"pod":..., "container":..., "ip":...}
  exec CONTAINER COMMAND...   runs a command in a container, with its output and exit status
  stop POD | remove POD | list | ready

Needs only the distribution's python3-grpcio. The few messages used are encoded here by hand from
the numbers in the published api.proto, so neither protoc nor generated code is needed.
"""
import json
import sys

import grpc

TIMEOUT = 60
SERVICE = "/runtime.v1.RuntimeService/"
POD_NETWORK, CONTAINER_PID = 0, 1


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def message(*fields):
    """Encodes (number, value) pairs; a value is an int, a str, bytes (an inner message) or a dict (a map)."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        elif isinstance(value, dict):
            for key, text in value.items():
                out += message((number, message((1, key), (2, text))))
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    """Decodes a message into {number: [value, ...]}; inner messages stay bytes."""
    found, at = {}, 0
    while at < len(data):
        key, at = read_varint(data, at)
        if key & 7 == 0:
            value, at = read_varint(data, at)
        elif key & 7 == 2:
            length, at = read_varint(data, at)
            value, at = data[at:at + length], at + length
        else:
            raise ValueError(f"wire type {key & 7} is not used by CRI")
        found.setdefault(key >> 3, []).append(value)
    return found


def one(data, *path):
    """The first value at a path of field numbers, b"" where there is none."""
    for number in path:
        data = fields(data).get(number, [b""])[0]
    return data


class Runtime:
    def __init__(self, socket):
        self.channel = grpc.insecure_channel("unix://" + socket)

    def call(self, method, request=b""):
        return self.channel.unary_unary(SERVICE + method)(request, timeout=TIMEOUT, wait_for_ready=True)

    def run_pod(self, name, namespace, image, command, log_dir, annotations):
        uid = f"uid-{name}"
        security = message((1, message((1, POD_NETWORK), (2, CONTAINER_PID))))
        sandbox = message(
            (1, message((1, name), (2, uid), (3, namespace))),
            (2, name),
            (3, f"{log_dir}/{name}"),
            (7, annotations),
            (8, message((1, "/weir-pods"), (2, security))),
        )
        pod = one(self.call("RunPodSandbox", message((1, sandbox))), 1).decode()
        words = [(3, word) for word in ("/bin/sh", "-c", command)]
        container_config = message((1, message((1, "main"))), (2, message((1, image))), *words,
                                   (11, "main.log"), (15, b""))
        request = message((1, pod), (2, container_config), (3, sandbox))
        container = one(self.call("CreateContainer", request), 1).decode()
        self.call("StartContainer", message((1, container)))
        status = self.call("PodSandboxStatus", message((1, pod)))
        return {"pod": pod, "container": container, "ip": one(status, 1, 5, 1).decode()}

    def pods(self):
        items = fields(self.call("ListPodSandbox")).get(1, [])
        return [one(item, 1).decode() for item in items]

    def remove(self, pod):
        self.call("StopPodSandbox", message((1, pod)))
        self.call("RemovePodSandbox", message((1, pod)))

    def execute(self, container, command):
        request = message((1, container), *[(2, word) for word in command], (3, TIMEOUT // 2))
        reply = fields(self.call("ExecSync", request))
        sys.stdout.buffer.write(reply.get(1, [b""])[0])
        sys.stderr.buffer.write(reply.get(2, [b""])[0])
        return reply.get(3, [0])[0]


def main():
    runtime, command, arguments = Runtime(sys.argv[1]), sys.argv[2], sys.argv[3:]
    if command == "pod":
        annotations = dict(pair.split("=", 1) for pair in arguments[5:])
        print(json.dumps(runtime.run_pod(*arguments[:5], annotations)))
    elif command == "exec":
        return runtime.execute(arguments[0], arguments[1:])
    elif command == "stop":
        runtime.call("StopPodSandbox", message((1, arguments[0])))
    elif command == "remove":
        runtime.remove(arguments[0])
    elif command == "list":
        print("\n".join(runtime.pods()))
    elif command == "ready":
        runtime.call("Version")
    else:
        raise SystemExit(__doc__)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except grpc.RpcError as error:
        sys.exit(f"{sys.argv[2]}: {error.details()}")
