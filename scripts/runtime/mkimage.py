#!/usr/bin/env python3
"""Writes a container image of one layer from static files: no registry, no image builder.

usage: mkimage.py OUT.tar NAME:TAG COMMAND-JSON SOURCE=TARGET...

The archive is what `ctr images import` and `podman load` read (docker-archive). Where TARGET is
bin/busybox, links for the applets that tests and demo use are added.
"""
import hashlib
import io
import json
import platform
import sys
import tarfile

APPLETS = "sh sleep cat echo wget nc httpd ping ip ls mkdir timeout true".split()
DIRECTORIES = "bin etc proc sys dev tmp run www".split()
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def entry(archive, name, kind, mode=0o755, data=b"", link=""):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname = kind, mode, len(data), link
    archive.addfile(info, io.BytesIO(data))


def make_layer(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        for directory in DIRECTORIES:
            entry(layer, directory, tarfile.DIRTYPE)
        entry(layer, "etc/passwd", tarfile.REGTYPE, 0o644, b"root:x:0:0::/:/bin/sh\n")
        for pair in files:
            source, target = pair.split("=", 1)
            with open(source, "rb") as file:
                entry(layer, target, tarfile.REGTYPE, 0o755, file.read())
            if target == "bin/busybox":
                for applet in APPLETS:
                    entry(layer, f"bin/{applet}", tarfile.SYMTYPE, link="busybox")
    return buffer.getvalue()


def main():
    out, name, command, files = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sys.argv[4:]
    layer = make_layer(files)
    digest = hashlib.sha256(layer).hexdigest()
    machine = platform.machine()
    config = json.dumps({
        "architecture": ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": {"Cmd": command, "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [f"{digest}/layer.tar"]}]
    with tarfile.open(out, "w") as image:
        for path, data in ((config_name, config), (f"{digest}/layer.tar", layer),
                           ("manifest.json", json.dumps(manifest).encode())):
            entry(image, path, tarfile.REGTYPE, 0o644, data)


if __name__ == "__main__":
    main()
