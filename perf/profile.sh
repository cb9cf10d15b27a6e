#!/usr/bin/env bash
# Records the daemon under load with perf and draws where its time goes, as a flame graph: OUT.svg, the folded stacks beside it.
# By the clock, so that it works on virtual machines, which have no hardware counters. HACKING.md says how to read it.
#   perf/profile.sh [closing|forming [SERIES [SECONDS [OUT.svg]]]]
# ATCD_PROGRAM is the daemon: build/release/atcd where it is not set.
set -euo pipefail
case "${1:-closing}" in
  closing|forming) ;;
  *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
here=$(cd "$(dirname "$0")/.." && pwd)
kind=${1:-closing}
series=${2:-500}
seconds=${3:-20}
out=${4:-$here/build/profile-$kind.svg}
export ATCD_PROGRAM=${ATCD_PROGRAM:-$here/build/release/atcd}
command -v perf >/dev/null || { echo "perf is missing: deploy/install-dependencies.sh --tests installs it" >&2; exit 1; }
[ -x "$ATCD_PROGRAM" ] || { echo "$ATCD_PROGRAM is missing: cmake --preset release && cmake --build --preset release" >&2; exit 1; }

place=$(mktemp -d "${TMPDIR:-/tmp}/atcd-profile.XXXXXX")
trap 'rm -rf "$place"' EXIT
: >"$place/load.txt"
# Two seconds more than perf, so that the daemon is there when perf ends.
/usr/bin/python3 -B "$here/perf/load.py" "$kind" "$series" $((seconds + 2)) >"$place/load.txt" 2>&1 &
load=$!
until grep -q '^daemon=' "$place/load.txt"; do
  kill -0 "$load" 2>/dev/null || { cat "$place/load.txt" >&2; exit 1; }
  sleep 0.2
done
pid=$(sed -n 's/^daemon=//p' "$place/load.txt")
perf record --quiet -e cpu-clock -F 3997 --call-graph fp -p "$pid" -o "$place/perf.data" -- sleep "$seconds"
# The program's symbols are read while it is known to be the one that ran.
perf script -i "$place/perf.data" --no-inline -F comm,ip,sym 2>/dev/null |
  /usr/bin/python3 -B "$here/perf/flame_graph.py" --title "atcd, $kind, $series series" --folded "${out%.svg}.folded" >"$out"
wait "$load" || { cat "$place/load.txt" >&2; exit 1; }
tail -n 1 "$place/load.txt"
echo "$out"
