"""`atcd sweep`: the same bytes from every path and number of threads; killed and started again it ends as if it had not been;
what is wrong with a file of sets is named with its line; the bars of a daemon's directory are swept beside it."""
import csv
import io
import json
import os
import random
import subprocess
import sys
import time

import harness
from harness import ATCD, Workplace, wait_for

GRID = """
[[set]]
lengths = [%s]
decay = [0.03, 0.1]
long_threshold = [0.1, 0.2]
""" % ", ".join(str(length) for length in range(14, 54))
SMALL = "[[set]]\nlengths = [14, 28]\ndecay = [0.03, 0.1]\nrobustness = \"narrow\"\n"


def run(*arguments, expect=0):
    done = subprocess.run([ATCD, "sweep", *arguments], capture_output=True, text=True, timeout=harness.DEADLINE_S)
    assert done.returncode == expect, done
    return done


def write(path, text):
    with open(path, "w") as file:
        file.write(text)
    return path


def history(folder, count, bars):
    os.makedirs(folder)
    walk = random.Random(5)
    for number in range(count):
        price, rows = 100.0, ["open_ms,open,close"]
        for i in range(bars):
            before, price = price, price * (1 + walk.gauss(0, 0.001))
            rows.append(f"{1_700_000_040_000 + 60_000 * i},{before:.6f},{price:.6f}")
        write(os.path.join(folder, f"binance:spot:S{number}USDT:1m.csv"), "\n".join(rows) + "\n")
    return folder


def check_formats(folder, sets, place):
    table = run(folder, "--sets", sets).stdout.splitlines()
    assert table[0].startswith("sets 4, series 12, bars "), table
    assert "fee 10 bp, slippage 0 bp" in table[1] and table[3].split()[:3] == ["set", "lengths", "decay"], table
    assert len(table) == 8, table
    lines = [json.loads(line) for line in run(folder, "--sets", sets, "--format", "json").stdout.splitlines()]
    assert [line["set"] for line in lines] == [int(row.split()[0]) for row in table[4:]], lines
    assert [line["sharpe"] for line in lines] == sorted((line["sharpe"] for line in lines), reverse=True), lines
    rows = list(csv.DictReader(io.StringIO(run(folder, "--sets", sets, "--format", "csv").stdout)))
    for line, row in zip(lines, rows, strict=True):
        for name in ("sharpe", "gain", "median_gain", "max_drawdown", "winners", "turnover", "exposure", "trades"):
            assert float(row[name]) == line[name], (line, row)
        assert int(row["lengths"]) == line["parameters"]["lengths"]["ema"] and row["config"] == line["config"], row
    # The details add up to the rows.
    details = list(csv.DictReader(io.StringIO(run(folder, "--sets", sets, "--format", "csv", "--details").stdout)))
    assert len(details) == 4 * 12, details
    for line in lines:
        mine = [detail for detail in details if int(detail["set"]) == line["set"]]
        assert abs(sum(float(detail["gain"]) for detail in mine) / 12 - line["gain"]) < 1e-12, line
        assert max(float(detail["max_drawdown"]) for detail in mine) == line["max_drawdown"], line
    by_json = [json.loads(line) for line in
               run(folder, "--sets", sets, "--format", "json", "--details").stdout.splitlines()]
    assert [(each["set"], each["series"]) for each in by_json] == [(int(each["set"]), each["series"]) for each in details]
    # Sorted otherwise, fewer, into a file.
    out = place.path("out.json")
    run(folder, "--sets", sets, "--format", "json", "--sort", "drawdown", "--top", "2", "-o", out)
    smallest = sorted(line["max_drawdown"] for line in lines)[:2]
    assert [json.loads(line)["max_drawdown"] for line in open(out)] == smallest
    # What is held out is other bars.
    half = "2023-11-17T02:00:00Z"
    learnt, held_out = (json.loads(run(folder, "--sets", sets, "--format", "json", "--details", *part).stdout.splitlines()[0])
                        for part in (("--to", half), ("--from", half)))
    assert learnt["last_open_ms"] + 60_000 == held_out["first_open_ms"] == 1_700_186_400_000, (learnt, held_out)
    # Costs cost.
    free = [json.loads(line) for line in
            run(folder, "--sets", sets, "--format", "json", "--fee", "0", "--sort", "set").stdout.splitlines()]
    for line in sorted(lines, key=lambda each: each["set"]):
        assert line["gain"] < free[line["set"] - 1]["gain"], (line, free)


def check_same_bytes(folder, sets):
    def bytes_of(*arguments):
        return run(folder, "--sets", sets, "--format", "csv", "--details", *arguments).stdout

    expected = bytes_of()
    paths = [path for path in ("baseline", "scalar", "avx2", "avx512", "neon")
             if subprocess.run([ATCD, "sweep", folder, "--sets", sets, "--path", path, "--top", "0"],
                               capture_output=True).returncode == 0]
    assert "scalar" in paths, paths
    by_device = subprocess.run([ATCD, "sweep", folder, "--sets", sets, "--path", "cuda", "--top", "0"],
                               capture_output=True, text=True)
    if by_device.returncode == 0:
        paths.append("cuda")
    else:
        assert by_device.returncode == 1 and "atcd sweep: --path cuda: " in by_device.stderr, by_device
    for arguments in [("--path", path) for path in paths] + [("--threads", "1"), ("--threads", "2"), ("--threads", "5")]:
        assert bytes_of(*arguments) == expected, arguments
    return paths


def check_kill(folder, place):
    sets = write(place.path("grid.toml"), GRID)
    common = [folder, "--sets", sets, "--format", "csv", "--details"]
    expected = run(*common).stdout
    pairs = 160 * 12
    results = place.path("results")

    def lines():
        if not os.path.exists(results):
            return 0
        with open(results, "rb") as file:
            return file.read().count(b"\n")

    kills = 0
    while kills < 4:
        process = subprocess.Popen([ATCD, "sweep", *common, "--results", results], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        before, end = max(1, lines()), time.monotonic() + harness.DEADLINE_S
        while process.poll() is None and lines() <= before and time.monotonic() < end:
            pass
        process.kill()
        process.wait()
        there = lines()
        assert there > 1, "nothing was kept"
        if there > pairs:  # it was done before it was killed: with what is there it is nothing to go on from
            os.remove(results)
            continue
        kills += 1
        with open(results, "ab") as file:
            file.write(b"7 3 0.12")  # as a disk may leave it
    assert run(*common, "--results", results).stdout == expected
    assert lines() == pairs + 1
    # All is there: only the report is made.
    assert run(*common, "--results", results).stdout == expected
    # Of anything else the file is not for.
    assert "holds results of another side, fill, fee or slippage" in run(*common, "--results", results, "--fee", "5",
                                                                          expect=1).stderr
    write(place.path("grid.toml"), GRID + "cutout = 1\n")
    assert "holds results of other sets" in run(*common, "--results", results, expect=1).stderr


def check_refusals(folder, sets, place):
    wrong = write(place.path("wrong.toml"), "[[set]]\nlengths = [28,\n 3000]\nrobustnes = \"wide\"\n")
    error = run(folder, "--sets", wrong, expect=2).stderr
    assert error == (f"{wrong}:3: set[0].lengths[1] is 3000: it must be a whole number from 1 to 512\n"
                     f"{wrong}:4: set[0].robustnes is no key that atcd knows; did you mean robustness?\n"), error
    assert "No such file" in run(folder, "--sets", place.path("none"), expect=2).stderr
    long = write(place.path("long.toml"), "[[set]]\nlengths = [28, 300]\n")
    error = run(folder, "--sets", long, "--history-bars", "200", expect=2).stderr
    assert "--history-bars is 200, but lengths and cutout of set 2 need at least 306" in error, error
    for arguments, sentence in (
            (("--side", "up"), '--side is "up"'), (("--fill", "now"), '--fill is "now"'), (("--fee", "-1"), "--fee is -1"),
            (("--fee", "x"), '--fee is "x"'), (("--from", "yesterday"), '--from is "yesterday"'),
            (("--from", "2024-01-02", "--to", "2024-01-01"), "must be before --to"), (("--sort", "luck"), '--sort is "luck"'),
            (("--details",), "--details needs --format"), (("--path", "incremental"), "--path is incremental"),
            (("--no-live-anchors", "--history-bars", "9"), "goes with live anchors only"), (("--threads", "0"), "--threads is 0")):
        assert sentence in run(folder, "--sets", sets, *arguments, expect=2).stderr, arguments
    # A series that can't be read is named, the others go on.
    bad = write(os.path.join(folder, "binance:spot:BAD:1m.csv"), "open_ms,open,close\n0,1,1\n60000,1,x\n")
    done = run(folder, "--sets", sets, expect=1)
    assert "BAD:1m:default: line 3: close is \"x\"" in done.stderr and len(done.stdout.splitlines()) == 8, done
    os.remove(bad)
    # Files of any name, of closes alone.
    plain = place.path("plain")
    os.makedirs(plain)
    write(os.path.join(plain, "a.csv"), "open_ms,close\n" + "".join(f"{i},{100 + i % 7}\n" for i in range(300)))
    assert "a:default" in run(plain, "--sets", sets, expect=1).stderr
    table = run(plain, "--sets", sets, "--no-live-anchors", "--fill", "next-close").stdout
    assert table.startswith("sets 4, series 1, bars 300 "), table


def check_beside_daemon(place, sets):
    client = place.redis()
    subprocess.run([ATCD, "redis-setup", "--url", client.url], check=True, capture_output=True)
    simulator = place.simulator("--symbols", "2", "--speed", "240", "--seed", "2", "--weight-limit", "1000000")
    place.daemon(harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, ["*USDT"]))
    anchors = ("--history-bars", "60", "--anchor-period", "60")

    def swept():
        done = subprocess.run([ATCD, "sweep", place.directory, "--sets", sets, "--format", "json", *anchors],
                              capture_output=True, text=True)
        return [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else None

    rows = wait_for(swept, "bars to sweep")
    assert len(rows) == 4 and all(row["series"] == 2 for row in rows), rows


def main():
    with Workplace() as place:
        folder = history(place.path("files"), 12, 3800)
        sets = write(place.path("sets.toml"), SMALL)
        check_formats(folder, sets, place)
        paths = check_same_bytes(folder, sets)
        check_kill(folder, place)
        check_refusals(folder, sets, place)
        check_beside_daemon(place, sets)
        print(f"the same bytes from {', '.join(paths)}; killed four times")
    return 0


if __name__ == "__main__":
    sys.exit(main())
