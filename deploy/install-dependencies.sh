#!/usr/bin/env bash
# Installs what atcd is built and run with, from Debian 12's own packages. With --tests also what the tests and checks
# need. Does nothing where all is there. Works as root or through sudo.
set -euo pipefail

build=(ca-certificates cmake g++ ninja-build pkg-config libboost1.81-dev libsimdjson-dev libhiredis-dev libspdlog-dev
       libtomlplusplus-dev libcli11-dev libsystemd-dev libssl-dev libxxhash-dev zlib1g-dev prometheus-cpp-dev redis-server
       file dpkg-dev)  # these for cpack: without them a package has no dependencies
tests=(ccache clang clang-format clang-tidy clang-tools lld libclang-rt-14-dev libgtest-dev libgmock-dev librapidcheck-dev
       libbenchmark-dev libblosc-dev openssl python3 python3-redis python3-jsonschema git valgrind linux-perf
       googletest g++-aarch64-linux-gnu qemu-user man-db groff-base zsh
       systemd systemd-container procps mmdebstrap lintian prometheus)

wanted=("${build[@]}")
case "${1:-}" in
  "") ;;
  --tests) wanted+=("${tests[@]}") ;;
  *) echo "usage: $0 [--tests]" >&2; exit 2 ;;
esac

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "these packages are missing, and neither root nor sudo is here: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
for package in "${missing[@]}"; do
  if [ "$package" = libboost1.81-dev ] && dpkg-query -W libboost1.74-dev >/dev/null 2>&1; then
    echo "Boost 1.81 takes the place of Boost 1.74's headers: Debian has one of them at a time."
  fi
done
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
# A server of Debian's own must not start because we build with its package.
policy=/usr/sbin/policy-rc.d
made_policy=""
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod +x "$policy"
  made_policy=yes
fi
trap '[ -z "$made_policy" ] || "${as_root[@]}" rm -f "$policy"' EXIT
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
