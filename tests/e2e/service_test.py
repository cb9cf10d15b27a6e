"""The daemon as a service: readiness, reload, a Redis that dies and comes back, passwords, a clean end."""
import json
import os
import signal
import socket
import sys

import redis

import harness
from harness import Workplace, series_name, stream_key, wait_for

PASSWORD = "correct-horse-battery"


def configuration(simulator, url, directory, symbols, extra="", provisional="true"):
    text = harness.configuration(simulator.ws_url, simulator.rest_url, url, directory, symbols,
                                 feed=f"provisional = {provisional}",
                                 redis_keys=f'password_file = "{directory}/redis.password"')
    # Each of the three symbols has a thread of its own.
    return f'instance = "e2e"\nthreads = 7\n{text}{extra}\n'


def other_block(simulator, symbol, provisional):
    """A second block of the same series of bars, for another profile."""
    return f"""
[[profile]]
name = "other"
history_bars = 60
anchor_period = 60
[[feed]]
exchange = "binance"
market = "spot"
symbols = ["{symbol}"]
intervals = ["1m"]
profiles = ["other"]
rest_share = 1.0
provisional = {provisional}
websocket_url = "{simulator.ws_url}"
rest_url = "{simulator.rest_url}"
"""


def assert_contiguous(client, symbol):
    found = client.xrange(stream_key(symbol))
    times = [int(entry_id.split("-")[0]) for entry_id, _ in found]
    assert times == list(range(times[0], times[0] + 60_000 * len(times), 60_000)), f"{symbol}: {times}"
    return len(times)


def full_while_states_change(place, simulator, client, length):
    """Redis is full while states change: what it refused is written once there is room again, by every thread, on the
    connections that there are."""
    names = {series_name("ETHUSDT"), series_name("BNBUSDT")}

    def states():
        return {series: json.loads(text)["state"] for series, text in client.hgetall("atc:1:state:e2e").items()}

    def live_events():
        return sum(fields["event"] == "state" and fields["detail"].startswith("LIVE")
                   for _, fields in client.xrange("atc:1:events"))

    def went_live():
        return [line for line in place.log_lines("daemon", "event=state") if "LIVE" in line]

    assert set(states()) == names
    simulator.control("turn_away?ms=600000")
    simulator.control("cut?how=reset")
    wait_for(lambda: "LIVE" not in states().values(), "none is live")
    before, said, connects = live_events(), len(went_live()), len(place.log_lines("daemon", "event=redis_connected"))
    client.config_set("maxmemory", "1")
    simulator.control("turn_away?ms=1")
    wait_for(lambda: all(any(series in line for line in went_live()[said:]) for series in names), "both are live again")
    assert "LIVE" not in states().values(), "Redis has not taken it"
    client.config_set("maxmemory", "0")
    wait_for(lambda: states() == dict.fromkeys(names, "LIVE"), "Redis has the states that it refused")
    at = length("ETHUSDT")
    wait_for(lambda: length("ETHUSDT") > at + 8, "signals go on")
    wait_for(lambda: live_events() - before == len(went_live()) - said, "and the events, each once")
    assert len(place.log_lines("daemon", "event=redis_connected")) == connects


def main():
    with Workplace() as place:
        with open(place.path("redis.password"), "w") as file:
            file.write(PASSWORD + "\n")
        os.chmod(place.path("redis.password"), 0o600)
        socket_path = place.path("redis.sock")
        redis_arguments = ["redis-server", "--port", "0", "--unixsocket", socket_path, "--save", "", "--appendonly",
                           "yes", "--appendfsync", "always", "--dir", place.directory, "--requirepass", PASSWORD]
        server = place.spawn("redis", redis_arguments)
        client = redis.Redis(unix_socket_path=socket_path, decode_responses=True, password=PASSWORD)

        def redis_ready():
            try:
                return client.ping()
            except (redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError):
                return False

        wait_for(redis_ready, "redis-server answers")
        simulator = place.simulator("--update-ms", "20", "--symbols", "4", "--speed", "240", "--seed", "3", "--weight-limit", "1000000")
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(place.path("notify.sock"))
        notify.settimeout(harness.DEADLINE_S)

        url = f"unix://{socket_path}"
        path = place.path("daemon.toml")

        def write(symbols, extra="", provisional="true"):
            with open(path, "w") as file:
                file.write(configuration(simulator, url, place.directory, symbols, extra, provisional))

        write(["BTCUSDT", "ETHUSDT"])
        daemon = place.spawn("daemon", [harness.ATCD, "run", "--config", path],
                             env={**os.environ, "NOTIFY_SOCKET": place.path("notify.sock")})
        told = []
        while not any("READY=1" in message for message in told):
            told.append(notify.recv(4096).decode())
        # From here on nobody reads what the service manager is told, and no more fits: that holds nobody up.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            try:
                while True:
                    other.sendto(b"X=1", place.path("notify.sock"))
            except BlockingIOError:
                pass

        def length(symbol):
            return client.xlen(stream_key(symbol))

        wait_for(lambda: length("BTCUSDT") > 3 and length("ETHUSDT") > 3, "first signals")
        wait_for(lambda: client.hget("atc:1:daemon:e2e", "live") == "2", "the heartbeat counts two live series")
        assert 0 < client.ttl("atc:1:daemon:e2e") <= 10
        forming = client.pubsub(ignore_subscribe_messages=True)
        forming.subscribe(f"atc:1:forming:{series_name('BTCUSDT')}")
        heard = [wait_for(lambda: forming.get_message(timeout=1), "provisional signals") for _ in range(8)]
        previews = [json.loads(message["data"]) for message in heard]
        gaps = [after["published_us"] - before["published_us"] for before, after in zip(previews, previews[1:])]
        assert min(gaps) >= 150_000, f"frames come every 20 ms, but previews at most every 200: {gaps}"

        # Reload: one symbol more, one less, the third untouched.
        write(["ETHUSDT", "BNBUSDT"])
        daemon.send_signal(signal.SIGHUP)
        wait_for(lambda: length("BNBUSDT") > 3, "signals of the added symbol")
        wait_for(lambda: series_name("BTCUSDT") not in client.hkeys("atc:1:catalogue"), "the removed symbol leaves")
        removed_at = length("BTCUSDT")
        events = [(fields["event"], fields["series"]) for _, fields in client.xrange("atc:1:events")]
        assert ("added", series_name("BNBUSDT")) in events and ("removed", series_name("BTCUSDT")) in events, events
        assert events.count(("added", series_name("ETHUSDT"))) == 1 and ("removed", series_name("ETHUSDT")) not in events

        # Each block says whether its profiles have provisional signals, and a reload may say otherwise.
        forming.unsubscribe()
        channels = {f"atc:1:forming:{series_name('ETHUSDT', profile=profile)}": profile for profile in ("default", "other")}
        forming.subscribe(*channels)

        def next_forming():
            message = wait_for(lambda: forming.get_message(timeout=1), "provisional signals")
            return channels.get(message["channel"])

        for block, wanted, silent in (("false", "default", "other"), ("true", "other", "default")):
            write(["ETHUSDT", "BNBUSDT"], other_block(simulator, "ETHUSDT", block),
                  provisional="true" if wanted == "default" else "false")
            daemon.send_signal(signal.SIGHUP)
            wait_for(lambda: series_name("ETHUSDT", profile="other") in client.hkeys("atc:1:catalogue"), "the other profile begins")
            if wanted == "default":  # once the other one could have had some
                other_stream = stream_key("ETHUSDT", profile="other")
                wait_for(lambda: client.xlen(other_stream) > 3, "signals of the other profile")
            wait_for(lambda: next_forming() == wanted, f"provisional signals of {wanted}")
            heard = {next_forming() for _ in range(8)}
            assert heard == {wanted}, f"{silent} has provisional signals nobody asked for: {heard}"
        write(["ETHUSDT", "BNBUSDT"])
        daemon.send_signal(signal.SIGHUP)
        wait_for(lambda: series_name("ETHUSDT", profile="other") not in client.hkeys("atc:1:catalogue"), "the other profile leaves")

        # A configuration with an error changes nothing.
        write(["ETHUSDT", "BNBUSDT", "BTCUSDT"], "no_such_key = 1")
        daemon.send_signal(signal.SIGHUP)
        wait_for(lambda: place.log_lines("daemon", "event=reload_refused"), "the reload is refused")
        before = length("ETHUSDT")
        wait_for(lambda: length("ETHUSDT") > before + 3, "signals go on")
        assert length("BTCUSDT") == removed_at

        # Redis dies and comes back: nothing is lost, nothing doubled.
        server.kill()
        server.wait()
        place.spawn("redis-again", redis_arguments)
        wait_for(redis_ready, "redis-server answers again")
        before = length("ETHUSDT")
        wait_for(lambda: length("ETHUSDT") > before + 8, "signals go on after Redis came back")

        # Redis hangs for longer than the daemon's deadline per command, then goes on.
        again = place.processes[-1][1]
        disconnected = len(place.log_lines("daemon", "event=redis_disconnected"))
        again.send_signal(signal.SIGSTOP)
        wait_for(lambda: len(place.log_lines("daemon", "event=redis_disconnected")) > disconnected, "the hang is noticed")
        again.send_signal(signal.SIGCONT)
        before = wait_for(lambda: length("ETHUSDT"), "redis answers")
        wait_for(lambda: length("ETHUSDT") > before + 8, "signals go on after the hang")

        full_while_states_change(place, simulator, client, length)

        daemon.terminate()
        assert daemon.wait(30) == 0
        for symbol in ("ETHUSDT", "BNBUSDT", "BTCUSDT"):
            print(f"{symbol}: {assert_contiguous(client, symbol)} bars once and in order")
        log = open(place.path("daemon.log"), errors="replace").read()
        assert PASSWORD not in log, "a password is never logged"
        assert "event=drained" in log

        # A wrong password is said in clear words.
        with open(place.path("redis.password"), "w") as file:
            file.write("wrong\n")
        write(["ETHUSDT"])
        wrong = place.spawn("wrong", [harness.ATCD, "run", "--config", path])
        wait_for(lambda: place.log_lines("wrong", "WRONGPASS"), "the refusal is named")
        wrong.terminate()
        wrong.wait(30)
        assert "event=redis_refused" in open(place.path("wrong.log")).read()
        # One that is not there may be when the service manager tries again, which it does not after a 2.
        os.remove(place.path("redis.password"))
        missing = place.spawn("missing", [harness.ATCD, "run", "--config", path])
        assert missing.wait(30) == 1 and place.log_lines("missing", "redis.password can't be read: No such file"), "it is named"
    return 0


if __name__ == "__main__":
    sys.exit(main())
