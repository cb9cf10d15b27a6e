"""`atcd scan` of a daemon's state directory gives, beside the daemon and after it, what the daemon published; of files what
`atcd compute` gives. `atcd compute -o` leaves no half file."""
import json
import os
import random
import subprocess
import sys

import harness
from harness import ATCD, Workplace, wait_for

ANCHORS = ("--live-anchors", "default", "--history-bars", "60", "--anchor-period", "60")


def run(*arguments, expect=0):
    done = subprocess.run([ATCD, *arguments], capture_output=True, text=True, timeout=harness.DEADLINE_S)
    assert done.returncode == expect, done
    return done


def rows(*arguments):
    return [json.loads(line) for line in run("scan", *arguments, "--format", "json").stdout.splitlines()]


def check_files(place):
    folder = place.path("files")
    os.makedirs(os.path.join(folder, "below"))
    price = random.Random(3)
    for number in range(12):
        closes = [str(round(100 + price.random(), 4)) for _ in range(200 + number)]
        text = "open_ms,close\n" + "".join(f"{60_000 * i},{close}\n" for i, close in enumerate(closes))
        with open(os.path.join(folder, "below" if number % 2 else "", f"S{number}-1m.csv"), "w") as file:
            file.write(text)
    found = rows(folder)
    assert len(found) == 12 and found == rows(folder, "--threads", "1"), found
    assert [row["average"] for row in found] == sorted((row["average"] for row in found), reverse=True), found
    for row in found:
        computed = run("compute", os.path.join(folder, row["series"] + ".csv"), "--extra", "time,trend").stdout.splitlines()
        last = dict(zip(computed[0].split(","), computed[-1].split(",")))
        assert float(last["Average_Signal"]) == row["average"] and float(last["close"]) == row["close"], row
        assert int(last["time"]) + 60_000 == row["close_ms"] and int(last["trend"]) == row["trend"], row
        assert float(last["KAMA_Signal"]) == row["kama_signal"] and len(computed) - 1 == row["bars"], row
    assert rows(folder, "--top", "3") == found[:3]
    assert rows(folder, "--top", "12", "--approximate") == found
    table = run("scan", folder).stdout.splitlines()
    assert table[0].split()[0] == "series" and table[1].split()[0] == found[0]["series"] and len(table) == 13, table

    # A bad file is named, the others go on.
    with open(os.path.join(folder, "bad.csv"), "w") as file:
        file.write("close\n1\nx\n")
    done = run("scan", folder, expect=1)
    assert len(done.stdout.splitlines()) == 13 and "bad: line 3: close is \"x\"" in done.stderr, done
    os.makedirs(place.path("empty"))
    assert "no files *.csv" in run("scan", place.path("empty"), expect=1).stderr
    assert "is no directory" in run("scan", place.path("none"), expect=1).stderr
    for wrong in (("--format", "xml"), ("--threads", "0"), ("--live-anchors", "a:b"), ("--anchor-period", "5"), ("--approximate",),
                  ("--live-anchors", "default", "--history-bars", "33")):
        run("scan", folder, *wrong, expect=2)

    # What is refused leaves the file as it was.
    out = place.path("out.csv")
    run("compute", os.path.join(folder, "S0-1m.csv"), "-o", out)
    before = open(out).read()
    run("compute", os.path.join(folder, "bad.csv"), "-o", out, expect=1)
    assert open(out).read() == before and not [name for name in os.listdir(place.directory) if "unfinished" in name]


def main():
    with Workplace() as place:
        check_files(place)
        client = place.redis()
        run("redis-setup", "--url", client.url)
        simulator = place.simulator("--symbols", "4", "--speed", "240", "--seed", "2", "--weight-limit", "1000000")
        daemon = place.daemon(harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory,
                                                    ["*USDT"]))
        symbols = simulator.symbols()
        streams = [f"atc:1:{{binance:spot:1m:default}}:stream:{symbol}" for symbol in symbols]
        wait_for(lambda: all(client.xlen(stream) > 5 for stream in streams), "signals of every series")

        # Beside the daemon: each row is one that is published, then or soon.
        beside = wait_for(lambda: [row for row in rows(place.directory, *ANCHORS) if row["bars"] > 60], "stored bars")
        for row in beside:
            key = f"atc:1:{{binance:spot:1m:default}}:stream:{row['series'].split(':')[2]}"

            def published():
                return [fields for _, fields in client.xrange(key, row["close_ms"], row["close_ms"])]

            fields = harness.as_json(wait_for(published, f"{row} in Redis")[-1])
            assert all(fields[name] == row[name] for name in row if name != "bars"), f"{row}\n{fields}"

        daemon.terminate()
        assert daemon.wait(30) == 0
        after = rows(place.directory, *ANCHORS)
        assert {row["series"].split(":")[2] for row in after} == set(symbols), after
        for row in after:
            last = harness.as_json(client.hgetall(f"atc:1:{{binance:spot:1m:default}}:last:{row['series'].split(':')[2]}"))
            assert all(last[name] == row[name] for name in row if name != "bars"), f"{row}\n{last}"
            assert last["bar_index"] + 1 == row["bars"], f"{row}\n{last}"
        assert len(rows(place.directory)) == len(symbols)
        print(f"{len(after)} series scanned as they were published, {len(beside)} of them beside the daemon")
    return 0


if __name__ == "__main__":
    sys.exit(main())
