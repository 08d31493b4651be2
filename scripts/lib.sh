# Shared by the scripts: what they need, where things are, how they say what went wrong.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
# Oldest compiler the workspace builds with.
RUST_VERSION=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
CNI_PLUGINS=/usr/lib/cni
export PATH="$PATH:/usr/sbin:/sbin:$HOME/.cargo/bin"

note() { printf '%s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

need_root() {
  [ "$(id -u)" = 0 ] || die "run $0 as root: it makes network namespaces, which needs root"
  local probe=weirprobe-$$
  ip netns add "$probe" 2>/dev/null || die "cannot make a network namespace: this machine or container lacks CAP_SYS_ADMIN"
  ip netns del "$probe"
}

# Installs the Debian/Ubuntu packages that are not there yet. No daemon of theirs is started.
install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  [ "$(id -u)" = 0 ] || die "run $0 as root, or install these packages first: ${missing[*]}"
  command -v apt-get >/dev/null || die "these Debian/Ubuntu packages (or your system's counterparts) are needed: ${missing[*]}"
  note "installing ${missing[*]}"
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod 755 "$policy"; made=1; fi
  local status=0
  # On a fresh machine there are no package lists yet, or old ones.
  { apt_get install "${missing[@]}" 2>/dev/null || { apt_get update && apt_get install "${missing[@]}"; }; } || status=$?
  [ -z "$made" ] || rm -f "$policy"
  [ "$status" = 0 ] || die "apt-get could not install: ${missing[*]}"
}

# Quiet unless it fails.
apt_get() {
  local verb=$1 said; shift
  local options=(-qq)
  [ "$verb" = install ] && options+=(-y --no-install-recommends)
  said=$(DEBIAN_FRONTEND=noninteractive apt-get "$verb" "${options[@]}" "$@" 2>&1 </dev/null) || { note "$said"; return 1; }
}

# A Rust toolchain of at least $RUST_VERSION: the one that is there, or the distribution's rustup.
need_rust() {
  command -v cc >/dev/null || install_packages gcc libc6-dev
  if ! command -v cargo >/dev/null && [ -n "$(apt-cache search --names-only '^rustup$' 2>/dev/null)" ]; then
    install_packages rustup ca-certificates
    rustup default stable >&2 || die "rustup could not install a toolchain: check the network"
  fi
  command -v cargo >/dev/null || die "Rust $RUST_VERSION or newer is needed and cargo is not there: install it with rustup (https://rustup.rs)"
  local have
  have=$(rustc --version | cut -d' ' -f2)
  [ "$(printf '%s\n%s\n' "$RUST_VERSION" "$have" | sort -V | head -n1)" = "$RUST_VERSION" ] ||
    die "Rust $RUST_VERSION or newer is needed, this is $have: run rustup update stable"
}

# Builds both binaries; BIN is where they are.
build_binaries() {
  local profile=$1
  note "building weir ($profile)"
  local flags=()
  [ "$profile" = release ] && flags=(--release)
  (cd "$ROOT" && cargo build --quiet "${flags[@]}" -p weir-cni-plugin -p weir-enforcer) || die "the build failed"
  BIN=$TARGET/$profile
}

# Waits until a command succeeds: wait_for SECONDS "what for" command...
wait_for() {
  local seconds=$1 what=$2; shift 2
  local end=$((SECONDS + seconds))
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || die "waited $seconds s for $what"
    sleep 0.05
  done
}

# Runs a command in a network namespace. Not `ip netns exec`: that remounts /sys and hides cgroups from runtimes.
in_netns() { local ns=$1; shift; nsenter --net=/run/netns/"$ns" "$@"; }
