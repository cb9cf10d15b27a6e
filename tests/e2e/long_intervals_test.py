"""Weeks and months with the default profile: what their anchors want lies before 1970, where no exchange has bars and none
may be asked. A young listing has its signals all the same, after a restart too, from a history made by `atcd warm` too, and
`atcd verify` can follow them."""
import json
import subprocess
import sys

import harness
from harness import ATCD, Workplace, stream_key, wait_for

INTERVALS = ["1w", "1M"]


def main():
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbol", "BTCUSDT,listed=2024-01-01", "--start", "2026-11-27T10:00:00Z",
                                    "--weight-limit", "1000000")

        def configuration(directory):
            text = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, directory, ["BTCUSDT"])
            text = text.replace("history_bars = 60\nanchor_period = 60\n", "")
            return text.replace('intervals = ["1m"]', f"intervals = {json.dumps(INTERVALS)}")

        def atcd(*arguments):
            return subprocess.run([ATCD, *arguments], capture_output=True, text=True, timeout=300)

        def live():
            states = [state for name, state in client.hgetall("atc:1:state:main").items() if name.endswith(":default")]
            return len(states) == len(INTERVALS) and all('"LIVE"' in state for state in states)

        # The one from the exchange, the other from what was loaded ahead of time.
        for name in ("asked", "warmed"):
            client.flushall()
            path, directory = place.path(f"{name}.toml"), place.path(name)
            config = configuration(directory)
            with open(path, "w") as file:
                file.write(config)
            if name == "warmed":
                done = atcd("warm", "--config", path)
                assert done.returncode == 0 and "2 series" in done.stdout, done
            for restart in (False, True):
                daemon = place.daemon(config, name)
                wait_for(live, f"{name}: every series is live")
                wait_for(lambda: all(client.xlen(stream_key("BTCUSDT", each)) == 1 for each in INTERVALS), f"{name}: a signal of each")
                daemon.terminate()
                assert daemon.wait(60) == 0
                client.delete("atc:1:state:main")
            for interval, bars in (("1w", 151), ("1M", 34)):
                (_, fields), = harness.entries(client, stream_key("BTCUSDT", interval))
                assert fields["bar_index"] == str(bars - 1), fields
            assert not place.log_lines(name, "history_failed"), place.log_lines(name, "history_failed")
            for more in ([], ["--rest"]):
                verified = atcd("verify", "--config", path, *more)
                assert verified.returncode == 0, verified
                assert "2 signals of 2 series are equal to the last bit" in verified.stdout, (more, verified)
            checked = atcd("history", "check", "--directory", directory)
            assert checked.returncode == 0 and "0 problems" in checked.stdout, checked
            print(f"{name}: {verified.stdout.strip()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
