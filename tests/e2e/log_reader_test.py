"""Who reads the log goes away, as where it is piped to a program that ends: that ends no daemon."""
import os
import signal
import subprocess
import sys

import harness
from harness import Workplace, wait_for


def main():
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", "BTCUSDT", "--speed", "240", "--seed", "3", "--weight-limit", "1000000")
        with open(place.path("daemon.toml"), "w") as file:
            file.write(harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, ["BTCUSDT"]))
        reading, writing = os.pipe()
        daemon = subprocess.Popen([harness.ATCD, "run", "--config", place.path("daemon.toml")], stderr=writing,
                                  env={**os.environ, "XDG_RUNTIME_DIR": place.directory})
        place.processes.append(("daemon", daemon))
        open(place.path("daemon.log"), "w").close()  # for who looks for one
        os.close(writing)
        length = lambda: client.xlen("atc:1:{binance:spot:1m:default}:stream:BTCUSDT")
        wait_for(lambda: length() > 2, "signals")
        os.close(reading)
        events = lambda: [fields["event"] for _, fields in client.xrange("atc:1:events")]
        daemon.send_signal(signal.SIGHUP)
        wait_for(lambda: "reload" in events() or daemon.poll() is not None, "it has something to log")
        before = length()
        wait_for(lambda: length() > before + 4 or daemon.poll() is not None, "signals go on")
        assert daemon.poll() is None, f"it ended: {daemon.returncode}"
        daemon.terminate()
        assert daemon.wait(30) == 0
        assert events()[-1] == "stop", "in order"
        print("signals went on without a reader of the log")
    return 0


if __name__ == "__main__":
    sys.exit(main())
