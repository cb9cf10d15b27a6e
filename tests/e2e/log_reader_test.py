"""Who reads the log goes away, as where it is piped to a program that ends: that ends no daemon. Nor is it written over
the history where nobody was there to begin with."""
import os
import signal
import subprocess
import sys

import harness
from harness import Workplace, wait_for


def check_closed_streams(place, config):
    """What a process opens takes the lowest free number: the log goes to number 2."""
    for closed in ((2,), (0, 1, 2)):
        folder = place.path(f"closed-{len(closed)}")
        os.mkdir(folder)
        with open(f"{folder}.toml", "w") as file:
            file.write(config.replace(place.directory + '"', folder + '"'))
        daemon = subprocess.Popen([harness.ATCD, "run", "--config", f"{folder}.toml"], close_fds=False,
                                  preexec_fn=lambda: [os.close(number) for number in closed],
                                  env={**os.environ, "XDG_RUNTIME_DIR": folder})
        try:
            wait_for(lambda: os.path.exists(f"{folder}/history/names") and os.path.exists(f"{folder}/atcd/main.sock"), "it runs")
            for number in closed:
                assert os.readlink(f"/proc/{daemon.pid}/fd/{number}") == "/dev/null", number
        finally:
            daemon.terminate()
        assert daemon.wait(harness.DEADLINE_S) == 0


def main():
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", "BTCUSDT", "--speed", "240", "--seed", "3", "--weight-limit", "1000000")
        config = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, ["BTCUSDT"])
        with open(place.path("daemon.toml"), "w") as file:
            file.write(config)
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
        check_closed_streams(place, config)
        print("signals went on without a reader of the log")
    return 0


if __name__ == "__main__":
    sys.exit(main())
