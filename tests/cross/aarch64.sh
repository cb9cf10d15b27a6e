#!/usr/bin/env bash
# Builds the engine and its tests for aarch64 and runs them under qemu-user. Exit status 77: what that needs is not installed
# (deploy/install-dependencies.sh --tests does).
set -euo pipefail
cd "$(dirname "$0")/../.."
for program in aarch64-linux-gnu-g++ qemu-aarch64; do
  command -v "$program" >/dev/null || { echo "skipped: $program is not installed"; exit 77; }
done
cmake --preset aarch64
nice cmake --build --preset aarch64
nice ctest --preset aarch64
