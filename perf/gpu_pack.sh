#!/usr/bin/env bash
# What perf/gpu_check.sh needs on a machine that has a card and not the libraries of the one that builds:
#   perf/gpu_pack.sh BUILD FILE.tar.gz
# Programs of a build with CUDA (gpu_bench_4 and gpu_bench_5 where they were asked for), without their symbols, the
# shared libraries that they need beyond those of every system, and the golden vectors of real series from
# ATCD_SHARED_DIR, or ../shared, where they are.
set -eu
cd "$(dirname "$0")/.."
build=${1:?the folder of the build} file=${2:?where to}
shared=${ATCD_SHARED_DIR:-../shared}
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
mkdir "$folder/lib"
for program in gpu_tests gpu_bench gpu_bench_4 gpu_bench_5 atcd; do
  case $program in gpu_bench_?) [ -x "$build/$program" ] || continue ;; esac
  strip -o "$folder/$program" "$build/$program"
  # The compiler's own are everywhere, and mostly newer.
  ldd "$build/$program" | awk '$2 == "=>" && $3 ~ "^/" { print $3 }' |
    { grep -vE '/lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s)\.so' || true; } | xargs -r cp -L -t "$folder/lib"
done
for dialect in lts pine; do
  [ -d "$shared/golden/$dialect/real" ] || continue
  mkdir -p "$folder/shared/golden/$dialect"
  cp -r "$shared/golden/$dialect/real" "$folder/shared/golden/$dialect"
done
"$folder/gpu_bench" kernel 32 | head -n 1
tar -C "$folder" -czf "$file" .
du -h "$file"
