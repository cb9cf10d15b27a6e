"""A reload while a symbol is halted: who leaves the exchange's list runs one more period, who leaves the configuration goes
at once, also where what is left of it names nothing that the exchange lists. And a profile that comes to what runs has its
engine before the next bar closes. A feed that could not be made is refused and ends nothing; and a daemon that ends begins
nothing any more."""
import os
import signal
import subprocess
import sys

import harness
from harness import Workplace, series_name, wait_for


def a_profile_comes_to_what_runs():
    with Workplace() as place:
        client = place.redis()
        # No bar closes: what the engine of a new profile lacks then is computed while all bars close at once.
        simulator = place.simulator("--symbols", "BTCUSDT", "--speed", "0", "--seed", "3", "--weight-limit", "1000000")
        config = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, ["BTCUSDT"])
        daemon = place.daemon(config)
        wait_for(lambda: '"LIVE"' in (client.hget("atc:1:state:main", series_name("BTCUSDT")) or ""), "it is live")
        second = config.replace("[[feed]]", '[[profile]]\nname = "second"\nhistory_bars = 50\nanchor_period = 50\n[[feed]]')
        with open(place.path("daemon.toml"), "w") as file:
            file.write(second.replace("rest_share", 'profiles = ["default", "second"]\nrest_share'))
        daemon.send_signal(signal.SIGHUP)
        wait_for(lambda: client.xlen("atc:1:{binance:spot:1m:second}:stream:BTCUSDT") == 1, "its stream begins")
        explained = subprocess.run([harness.ATCD, "explain", "binance:spot:BTCUSDT:1m:second"], capture_output=True, text=True,
                                   env={**os.environ, "XDG_RUNTIME_DIR": place.directory})
        assert explained.returncode == 0, explained
        daemon.terminate()
        assert daemon.wait(30) == 0


def second_feed(*lines):
    return "\n".join(['[[feed]]', 'exchange = "bybit"', 'market = "spot"', 'symbols = ["ETHUSDT"]', 'intervals = ["1m"]', *lines, ""])


def what_no_feed_can_be_made_of_is_refused():
    """The daemon goes on with the configuration before, whatever a reload finds."""
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", "BTCUSDT", "--speed", "240", "--seed", "3", "--weight-limit", "1000000")
        config = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, ["BTCUSDT"])
        daemon = place.daemon(config)
        key = "atc:1:{binance:spot:1m:default}:stream:BTCUSDT"

        def reload(text, event):
            before = len(place.log_lines("daemon", event))
            with open(place.path("daemon.toml"), "w") as file:
                file.write(text)
            daemon.send_signal(signal.SIGHUP)
            wait_for(lambda: daemon.poll() is not None or len(place.log_lines("daemon", event)) > before, f"{event} is logged")
            assert daemon.poll() is None, "it goes on"
            published = client.xlen(key)
            wait_for(lambda: client.xlen(key) > published + 2, "its bars are published")

        wait_for(lambda: client.xlen(key) > 2, "the first signals")
        for feed in (config.replace(simulator.ws_url, "wss://"), config.replace(simulator.rest_url, "https://127.0.0.1:99999"),
                     config.replace("rest_share", 'ca_file = "/no/ca.pem"\nrest_share').replace("ws://", "wss://")):
            reload(feed, "event=reload_refused")
            checked = subprocess.run([harness.ATCD, "check", "--config", place.path("daemon.toml")], capture_output=True, text=True)
            assert checked.returncode == 2 and ": feed[0]." in checked.stderr, checked
            started = subprocess.run([harness.ATCD, "run", "--config", place.path("daemon.toml")], capture_output=True, text=True)
            assert started.returncode == (1 if "ca_file" in feed else 2), "a file may be there the next time"
        reload(config + '[log]\nlevel = "debug"\n', "what only a restart changes stays as it was: log")
        daemon.terminate()
        assert daemon.wait(30) == 0


def a_reload_that_comes_too_early():
    """Before the daemon can take it up it waits. The configuration is a pipe, so that its start stands still meanwhile."""
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", "BTCUSDT", "--speed", "240", "--seed", "3", "--weight-limit", "1000000")
        config = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, ["BTCUSDT"])
        pipe = place.path("pipe.toml")
        os.mkfifo(pipe)
        daemon = place.spawn("daemon", [harness.ATCD, "run", "--config", pipe])
        with open(pipe, "w") as file:  # returns once it is being read
            daemon.send_signal(signal.SIGHUP)
            daemon.send_signal(signal.SIGUSR1)
            file.write(config)
        wait_for(lambda: place.log_lines("daemon", "event=start "), "it is read in full")
        with open(pipe, "w") as file:
            file.write(config)
        wait_for(lambda: place.log_lines("daemon", "event=reload "), "it is read again")
        daemon.terminate()
        assert daemon.wait(30) == 0


def a_reload_at_the_end():
    with Workplace() as place:
        client = place.redis()
        server = place.processes[-1][1]
        options = ("--symbols", "2", "--speed", "240", "--weight-limit", "1000000")
        simulator = place.simulator("--seed", "3", *options)
        other = place.simulator("--exchange", "bybit", "--seed", "4", *options, name="other")
        config = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, ["BTCUSDT"])
        daemon = place.daemon(config)
        wait_for(lambda: client.xlen("atc:1:{binance:spot:1m:default}:stream:BTCUSDT") > 3, "the first signals")
        server.send_signal(signal.SIGSTOP)  # what is ready is waited for
        daemon.terminate()
        wait_for(lambda: place.log_lines("daemon", "event=stopping"), "it begins to end")
        with open(place.path("daemon.toml"), "w") as file:
            file.write(config + second_feed(f'websocket_url = "{other.ws_url}"', f'rest_url = "{other.rest_url}"'))
        daemon.send_signal(signal.SIGHUP)
        assert daemon.wait(60) == 0
        connected = place.log_lines("daemon", "event=connected")
        assert len(connected) == 1, f"a feed was begun at the end: {connected}"
        assert place.log_lines("daemon", "the daemon is ending"), "and that is told"


def main():
    a_profile_comes_to_what_runs()
    what_no_feed_can_be_made_of_is_refused()
    a_reload_that_comes_too_early()
    a_reload_at_the_end()
    with Workplace() as place:
        client = place.redis()
        simulator = place.simulator("--symbols", "4", "--speed", "240", "--seed", "3", "--weight-limit", "1000000")
        symbols = simulator.symbols()
        halted, others = "ETHUSDT", [symbol for symbol in symbols if symbol != "ETHUSDT"]

        def configuration(wanted):
            return harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, wanted)

        def reload(wanted):
            before = len(place.log_lines("daemon", "event=reload "))
            with open(place.path("daemon.toml"), "w") as file:
                file.write(configuration(wanted))
            daemon.send_signal(signal.SIGHUP)
            wait_for(lambda: len(place.log_lines("daemon", "event=reload ")) > before, "the configuration is read again")

        def length(symbol):
            return client.xlen(f"atc:1:{{binance:spot:1m:default}}:stream:{symbol}")

        def events(event):
            return {fields["series"] for _, fields in client.xrange("atc:1:events") if fields["event"] == event}

        daemon = place.daemon(configuration(["*USDT"]))
        wait_for(lambda: all(length(symbol) > 3 for symbol in symbols), "the first signals")

        simulator.control(f"halt?symbol={halted}")
        reload(["*USDT"])
        wait_for(lambda: series_name(halted) in events("leaving"), "the halted symbol is not in the list any more")
        reached = {symbol: length(symbol) for symbol in others}
        wait_for(lambda: all(length(symbol) > reached[symbol] + 4 for symbol in others), "the others go on")
        assert not events("removed"), events("removed")
        assert series_name(halted) in client.hkeys("atc:1:catalogue")
        reached = length(halted)
        simulator.control(f"resume?symbol={halted}")
        wait_for(lambda: length(halted) > reached + 4, "it goes on after the halt")

        # Who is excluded, and who is not named any more.
        simulator.control(f"halt?symbol={halted}")
        reload(others[:1])
        gone = {series_name(symbol) for symbol in symbols} - {series_name(others[0])}
        wait_for(lambda: events("removed") == gone, "who left the configuration goes, halted or not")
        wait_for(lambda: set(client.hkeys("atc:1:catalogue")) == {series_name(others[0])}, "the catalogue has who is left")

        # A name that the exchange does not list.
        reload(["NOUSDT"])
        wait_for(lambda: series_name(others[0]) in events("removed"), "the last one goes although nothing comes in its place")
        wait_for(lambda: not client.hkeys("atc:1:catalogue"), "the catalogue is empty")

        daemon.terminate()
        assert daemon.wait(30) == 0
        print(f"{halted} went on after a reload during its halt; who left the configuration went at once")
    return 0


if __name__ == "__main__":
    sys.exit(main())
