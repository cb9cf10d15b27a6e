"""Control of a running daemon over its socket: status, changes, top, explain, bundle, drain."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import tarfile
import termios
import time

import harness
from harness import ATCD, Workplace, series_name, stream_key, wait_for

PASSWORD = "correct-horse-battery"
OTHER_PASSWORD = "another-p/ss%word"
CHINESE, IN_KEYS = "币安人生USDT", "%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT"  # of Binance's list


class Operator:
    """Runs commands as somebody who has a terminal beside the daemon."""

    def __init__(self, place):
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": place.directory}

    def run(self, *arguments, ok=0):
        done = subprocess.run([ATCD, *arguments], capture_output=True, text=True, timeout=harness.DEADLINE_S,
                              env=self.environment)
        assert done.returncode == ok, f"{arguments}: {done}"
        return done

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "--json").stdout)


class Screen:
    """A program on a pseudo terminal; what it has drawn so far."""

    def __init__(self, arguments, environment, rows=20, columns=110):
        self.pid, self.end = pty.fork()
        if self.pid == 0:
            os.execve(arguments[0], arguments, environment)
        self.resize(rows, columns)
        self.seen = ""

    def resize(self, rows, columns):
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def keys(self, text):
        os.write(self.end, text.encode())

    def lines(self):
        """Of the newest whole screen, without escape codes."""
        while select.select([self.end], [], [], 0)[0]:
            try:
                more = os.read(self.end, 65536).decode(errors="replace")
            except OSError:  # the program has ended
                break
            if not more:
                break
            self.seen += more
        whole = self.seen.split("\x1b[H")[1:]
        whole = [each for each in whole if each.endswith("\x1b[J") or "\x1b[J" in each]
        if not whole:
            return []
        text = whole[-1].split("\x1b[J")[0]
        return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text).split("\r\n")

    def wait(self, condition, what):
        return wait_for(lambda: condition(self.lines()), f"{what}: {self.lines()}")

    def exit_status(self):
        def ended():
            self.lines()  # what it still writes must find room
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            return pid and (os.waitstatus_to_exitcode(status),)
        status = wait_for(ended, "the program ends")[0]
        self.lines()
        return status


def raw(path, *lines):
    """The answers to lines that no command would send."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.settimeout(harness.DEADLINE_S)
        peer.connect(path)
        file = peer.makefile("rb")
        answers = []
        for line in lines:
            try:
                peer.sendall(line + b"\n")
            except OSError:
                pass
            answers.append(json.loads(file.readline()))
        return answers


def check_status(place, operator, path):
    mode = stat.S_IMODE(os.stat(path).st_mode), stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode)
    assert mode == (0o600, 0o700), mode
    status = operator.json("status")
    assert status["ok"] and status["instance"] == "main" and status["series"] == 2, status
    assert status["config"] == place.path("daemon.toml") and status["socket"] == path, status
    text = operator.run("status").stdout
    assert "instance main" in text and "series: 2 (2 LIVE)" in text and "Redis: connected" in text, text
    nobody = operator.run("status", "--instance", "nobody", ok=1)
    assert "no daemon of instance \"nobody\" listens" in nobody.stderr, nobody
    answers = raw(path, b"status", b"{}", b'{"command":"no"}', b"\xff\x00\x01", b'{"command":"status"}', b"x" * 200_000)
    assert [answer["ok"] for answer in answers] == [False, False, False, False, True, False], answers
    idle = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(40)]
    for each in idle:
        each.connect(path)
    refused = operator.run("status", ok=1)
    assert "16 connections already" in refused.stderr, refused
    for each in idle:
        each.close()
    wait_for(lambda: subprocess.run([ATCD, "status"], capture_output=True, env=operator.environment).returncode == 0,
             "the daemon takes connections again")


def check_second_daemon(place, operator, simulator, client):
    """Another daemon of the same instance goes on without the socket."""
    os.mkdir(place.path("second"))
    with open(place.path("second.toml"), "w") as file:
        file.write(harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.path("second"),
                                         ["BTCUSDT"], redis_keys=f'prefix = "second"\npassword_file = "{place.path("password")}"'))
    second = place.spawn("second", [ATCD, "run", "--config", place.path("second.toml")], env=operator.environment)
    wait_for(lambda: place.log_lines("second", "another daemon has the control socket already"), "it is told")
    wait_for(lambda: client.xlen("second:1:{binance:spot:1m:default}:stream:BTCUSDT") > 0, "it works all the same")
    second.terminate()
    assert second.wait(30) == 0
    assert operator.json("status")["config"] == place.path("daemon.toml")


def check_changes(operator, client, write):
    done = operator.run("add", "binance:spot", "BNBUSDT")
    assert f"added {series_name('BNBUSDT')}" in done.stdout and "1 series added, 0 removed, 0 problems" in done.stdout, done
    assert "until the next reload or restart" in done.stdout, done
    wait_for(lambda: client.xlen(stream_key("BNBUSDT")) > 2, "signals of the added symbol")
    done = operator.json("add", "binance:spot", CHINESE)
    assert done["added"] == [series_name(IN_KEYS)] and not done["problems"], done
    wait_for(lambda: client.xlen(stream_key(IN_KEYS)) > 2, "signals of a symbol beyond ASCII")
    catalogue = json.loads(client.hget("atc:1:catalogue", series_name(IN_KEYS)))
    assert catalogue["symbol"] == CHINESE and catalogue["common_symbol"] == "币安人生/USDT", catalogue
    assert operator.json("remove", "binance:spot", CHINESE)["removed"] == [series_name(IN_KEYS)]
    done = operator.json("add", "binance:spot:1m", "ADA/USDT", "NOUSDT")
    assert done["added"] == [series_name("ADAUSDT")], done
    assert len(done["problems"]) == 1 and "does not list NOUSDT" in done["problems"][0], done
    for arguments, status, words in ((("add", "binance:spot", "NO2USDT"), 1, "does not list NO2USDT"),
                                     (("add", "binance:spot", "BTCUSDT"), 2, "BTCUSDT is among the symbols"),
                                     (("add", "okx:spot", "BTC-USDT"), 2, "names no feed"),
                                     (("remove", "binance:spot", "NO3USDT"), 1, "nothing was removed"),
                                     (("log-level", "loud"), 2, "loud")):
        done = operator.run(*arguments, ok=status)
        assert words in done.stderr, done
    wait_for(lambda: operator.json("status")["series"] == 4, "the status counts what was added")
    done = operator.json("remove", "binance:spot", "ETHUSDT")
    assert done["removed"] == [series_name("ETHUSDT")] and not done["problems"], done
    wait_for(lambda: series_name("ETHUSDT") not in client.hkeys("atc:1:catalogue"), "the removed symbol leaves")

    # A reload goes back to the file, and says what that came to.
    done = operator.json("reload")
    assert done["added"] == [series_name("ETHUSDT")], done
    assert done["removed"] == [series_name("ADAUSDT"), series_name("BNBUSDT")], done
    write(["BTCUSDT", "ETHUSDT"], "no_such_key = 1\n")
    refused = operator.run("reload", ok=2)
    assert "nothing was changed" in refused.stderr and "no_such_key" in refused.stderr, refused
    # A change by command does not mend the file.
    operator.run("add", "binance:spot", "BNBUSDT")
    assert operator.json("status")["reload_failed"], "a restart would fail"
    operator.run("remove", "binance:spot", "BNBUSDT")
    write(["BTCUSDT", "ETHUSDT", "NOUSDT"])
    done = operator.run("reload")
    assert "0 series added, 0 removed, 1 problems" in done.stdout and "does not list NOUSDT" in done.stderr, done
    assert not operator.json("status")["reload_failed"]
    # What a reload does not take up is told, not only logged.
    write(["BTCUSDT", "ETHUSDT"], 'log.level = "debug"\ninstance = "other"\n')
    for _ in range(2):
        done = operator.json("reload")
        assert done["problems"] == ["what only a restart changes stays as it was: instance, log"], done
    write(["BTCUSDT", "ETHUSDT"])
    assert not operator.json("reload")["problems"]
    # A profile that gets other parameters: what Redis holds is of those before.
    write(["BTCUSDT", "ETHUSDT"], parameters="cutout = 1")
    done = operator.run("reload")
    assert "2 series added, 0 removed, 1 problems" in done.stdout, done
    assert "2 of 2 series that were added are stopped: Redis holds signals of another configuration" in done.stderr, done
    write(["BTCUSDT", "ETHUSDT"])
    assert not operator.json("reload")["problems"], "they go on"


def check_explain_without_bars(operator, client, simulator, write):
    simulator.control("rest?how=500&count=5")  # of the list once, then of its bars with longer and longer pauses
    write(["BTCUSDT", "ETHUSDT", "XRPUSDT"])
    assert operator.json("reload")["added"] == [series_name("XRPUSDT")]
    early = operator.run("explain", series_name("XRPUSDT"), ok=1)
    assert "has no signal yet: it is CATCHING_UP" in early.stderr, early
    wait_for(lambda: client.xlen(stream_key("XRPUSDT")) > 0, "its first signal")
    write(["BTCUSDT", "ETHUSDT"])
    operator.run("reload")


def check_snapshot_and_level(place, operator):
    path = place.path("history/snapshot")
    before = os.stat(path).st_mtime_ns if os.path.exists(path) else 0
    assert "the snapshot is written" in operator.run("snapshot").stdout
    assert os.stat(path).st_mtime_ns > before
    assert not place.log_lines("daemon", "level=debug")
    assert operator.json("log-level", "debug")["before"] == "info"
    wait_for(lambda: place.log_lines("daemon", "level=debug"), "debug lines")
    operator.run("log-level", "info")
    assert operator.json("status")["log_level"] == "info"


def published(client, symbol, close_ms):
    found = client.xrange(stream_key(symbol), f"{close_ms}-0", f"{close_ms}-99")
    return found[-1][1] if found else None


def check_explanation(client, symbol, text):
    """To the last bit: both write the shortest text that reads back as the same number."""
    numbers = json.loads(text, parse_float=str, parse_int=str)
    fields = wait_for(lambda: published(client, symbol, numbers["close_ms"]), "the explained signal is in Redis")
    for field in ("average", "close", "trend", "previous_trend", "trend_since_ms", "bar_index", "anchor_ms", "config"):
        assert numbers[field] == fields[field], (field, numbers[field], fields[field])
    assert len(numbers["families"]) == 6
    for family in numbers["families"]:
        for ours, theirs in (("signal", "_signal"), ("equity", "_equity")):
            assert family[ours] == fields[family["family"] + theirs], (family, fields)
        assert len(family["averages"]) == 9
    return numbers


def check_explain(operator, client):
    for symbol in ("BTCUSDT", "ETHUSDT"):
        for _ in range(5):
            check_explanation(client, symbol, operator.run("explain", series_name(symbol), "--json").stdout)
    table = operator.run("explain", series_name("BTCUSDT")).stdout
    assert table.startswith(series_name("BTCUSDT")) and table.count("\nkama ") == 10, table
    missing = operator.run("explain", series_name("NOUSDT"), ok=1)
    assert "no such series" in missing.stderr, missing


def check_top(operator):
    once = operator.run("top").stdout
    assert "\x1b" not in once and "2 series, 2 live; Redis connected" in once and series_name("BTCUSDT") in once, once
    screen = Screen([ATCD, "top", "--delay", "0.2"], operator.environment)
    rows = lambda lines: [line.split()[0].split(":")[2] for line in lines if line.startswith("binance:spot:") and ":default" in line]
    screen.wait(lambda lines: rows(lines) == ["BTCUSDT", "ETHUSDT"], "both series")
    screen.wait(lambda lines: len(lines) == 20, "as many lines as the terminal has")
    screen.keys("s")
    screen.wait(lambda lines: rows(lines) == ["ETHUSDT", "BTCUSDT"], "sorted the other way")
    screen.keys("/eth\r")
    screen.wait(lambda lines: rows(lines) == ["ETHUSDT"] and 'with "eth"' in lines[-1], "the filter")
    screen.resize(8, 60)
    screen.wait(lambda lines: len(lines) == 8 and max(len(line) for line in lines) <= 60, "the new size")
    screen.keys("\x1b")
    screen.wait(lambda lines: len(rows(lines)) == 2, "the filter is gone")
    screen.keys("q")
    assert screen.exit_status() == 0
    assert "\x1b[?1049h" in screen.seen and screen.seen.endswith("\x1b[?25h\x1b[?1049l"), "the terminal is left as it was"
    # SIGTERM leaves it so too.
    screen = Screen([ATCD, "top"], operator.environment)
    screen.wait(lambda lines: rows(lines), "a screen")
    os.kill(screen.pid, signal.SIGTERM)
    assert screen.exit_status() == 0
    assert screen.seen.endswith("\x1b[?1049l")


def check_bundle(place, operator):
    # What somebody might have written in the wrong place, and what a log might hold.
    with open(place.path("daemon.log"), "a") as file:
        file.write(f"url=redis://bot:{OTHER_PASSWORD}@host:6379 AUTH {PASSWORD}\n")
    report = place.path("report.tar.gz")
    done = operator.run("bundle", "-o", report, "--log", place.path("daemon.log"), "--lines", "300")
    assert "passwords left out" in done.stdout, done
    assert stat.S_IMODE(os.stat(report).st_mode) == 0o600
    with tarfile.open(report) as archive:
        texts = {each.name.split("/", 1)[1]: archive.extractfile(each).read().decode() for each in archive}
    assert set(texts) == {"about.txt", "status.json", "feeds.json", "series.jsonl", "config.toml", "check.txt", "log.txt"}, texts
    whole = "\n".join(texts.values())
    assert PASSWORD not in whole and OTHER_PASSWORD not in whole, "a secret is in the archive"
    assert "url=redis://***@host:6379 AUTH ***" in texts["log.txt"], texts["log.txt"][-500:]
    assert json.loads(texts["status.json"])["ok"] and series_name("BTCUSDT") in texts["series.jsonl"], texts
    assert "symbols = " in texts["config.toml"] and "no errors" in texts["check.txt"] and "OpenSSL" in texts["about.txt"], texts
    assert 0 < texts["log.txt"].count("\n") <= 300


STRANGER = """import socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
listening.listen()
print("listening", flush=True)
while True:
    peer = listening.accept()[0]
    lines = peer.makefile("rb")
    while lines.readline():
        peer.sendall(sys.argv[2].encode() + b"\\n")
"""


def check_stranger(place):
    """Another user's process may listen where that user can make a socket: root neither believes it nor reads for it."""
    if os.geteuid() != 0:
        return print("not root: that it does not believe strangers is not tried")
    os.chmod(place.directory, 0o755)
    folder = place.path("strange/atcd")
    os.makedirs(folder)
    for each in (os.path.dirname(folder), folder):
        os.chmod(each, 0o755)
    os.chown(folder, 65534, 65534)
    os.mkfifo(place.path("pipe"))
    secret = place.path("secret.toml")
    with open(secret, "w") as file:
        file.write("of_root = 'alone'\n")
    os.chmod(secret, 0o600)
    answer = json.dumps({"ok": True, "instance": "main\x1b]0;title\x07\x9b", "config": secret, "series": []})
    stranger = subprocess.Popen([sys.executable, "-c", STRANGER, f"{folder}/main.sock", answer], stdout=subprocess.PIPE,
                                user=65534, group=65534, extra_groups=[])
    try:
        assert stranger.stdout.readline() == b"listening\n"
        asked = Operator(place)
        asked.environment["XDG_RUNTIME_DIR"] = place.path("strange")
        assert "another user's process listens there" in asked.run("status", ok=1).stderr
        # Named outright it is asked, by bundle with its own rights.
        shown = asked.run("status", "--socket", f"{folder}/main.sock").stdout
        assert "\x1b" not in shown and "instance main?]0;title??," in shown, shown
        shown = asked.run("top", "--once", "--socket", f"{folder}/main.sock").stdout
        assert "\x1b" not in shown and "main?]0;title??" in shown, shown
        report = place.path("strange.tar.gz")
        done = asked.run("bundle", "-o", report, "--socket", f"{folder}/main.sock", "--log", place.path("daemon.toml"))
        assert f"{secret} can't be read: Permission denied (with the rights of the daemon's user" in done.stderr, done
        with tarfile.open(report) as archive:
            assert not any(b"of_root" in archive.extractfile(each).read() for each in archive)
        for endless in ("/dev/zero", place.path("pipe")):
            done = asked.run("bundle", "-o", report, "--socket", f"{folder}/main.sock", "--config", endless)
            assert f"{endless} can't be read: it is no ordinary file" in done.stderr, done
        asked.run("bundle", "-o", report, "--socket", f"{folder}/main.sock", "--config", secret)
    finally:
        stranger.kill()
        stranger.wait()


def check_many_series(place, operator, client):
    """More than fit a page: each is told once."""
    simulator = place.simulator("--symbols", "8", "--speed", "20", "--weight-limit", "1000000", name="slow")
    os.mkdir(place.path("many"))
    text = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.path("many"), ["*USDT"],
                                 redis_keys=f'prefix = "many"\npassword_file = "{place.path("password")}"')
    profile, feeds = text.split("[[feed]]")
    names = [f"p{number}" for number in range(70)]
    profiles = "".join(profile.replace('"default"', json.dumps(each)) for each in names)
    with open(place.path("many.toml"), "w") as file:
        file.write('instance = "many"\nthreads = 1\n' + profiles +
                   "[[feed]]" + feeds.replace('intervals = ["1m"]', f'intervals = ["1m"]\nprofiles = {json.dumps(names)}'))
    many = place.spawn("many", [ATCD, "run", "--config", place.path("many.toml")], env=operator.environment)
    wanted = {f"binance:spot:{symbol}:1m:{each}" for symbol in simulator.symbols() for each in names}
    assert len(wanted) == 560

    def told():
        done = subprocess.run([ATCD, "top", "--instance", "many"], capture_output=True, text=True, env=operator.environment)
        return done.stdout if "560 series, 560 live" in done.stdout else None

    rows = [line.split()[0] for line in wait_for(told, "all are live").splitlines() if line.split()[0].count(":") == 4]
    assert len(rows) == 560 and set(rows) == wanted, len(rows)
    assert rows == sorted(rows), "sorted by name"
    explained = json.loads(operator.run("explain", rows[555], "--instance", "many", "--json").stdout)
    assert explained["series"] == rows[555], explained
    many.terminate()
    assert many.wait(60) == 0


def main():
    started = time.monotonic()
    with Workplace() as place:
        with open(place.path("password"), "w") as file:
            file.write(PASSWORD + "\n")
        operator = Operator(place)
        client = place.redis()
        client.config_set("requirepass", PASSWORD)
        client.connection_pool.connection_kwargs["password"] = PASSWORD
        simulator = place.simulator("--symbols", "8", "--symbol", CHINESE, "--speed", "240", "--seed", "5",
                                    "--weight-limit", "1000000")

        def write(symbols, extra="", parameters=""):
            text = harness.configuration(simulator.ws_url, simulator.rest_url, client.url, place.directory, symbols,
                                         redis_keys=f'password_file = "{place.path("password")}"')
            with open(place.path("daemon.toml"), "w") as file:
                file.write("threads = 3\n" + extra + text.replace("[[feed]]", parameters + "\n[[feed]]"))

        def start(log):
            return place.spawn(log, [ATCD, "run", "--config", place.path("daemon.toml")], env=operator.environment)

        write(["BTCUSDT", "ETHUSDT"])
        daemon = start("daemon")
        path = place.path("atcd/main.sock")
        wait_for(lambda: os.path.exists(path), "the control socket")
        wait_for(lambda: operator.json("status")["live"] == 2, "both series live")
        check_status(place, operator, path)
        check_second_daemon(place, operator, simulator, client)
        check_explain(operator, client)
        check_explain_without_bars(operator, client, simulator, write)
        check_changes(operator, client, write)
        wait_for(lambda: operator.json("status")["live"] == 2, "both series live again")
        check_snapshot_and_level(place, operator)
        check_top(operator)
        check_bundle(place, operator)

        # A killed daemon's socket is replaced.
        daemon.kill()
        daemon.wait()
        assert os.path.exists(path)
        gone = operator.run("reload", ok=1)
        assert "no daemon of instance \"main\" listens" in gone.stderr, gone
        daemon = start("again")
        wait_for(lambda: place.log_lines("again", "event=control"), "it listens again")
        wait_for(lambda: operator.json("status")["live"] == 2, "both series live after the kill")
        # At once after a start too: the bars that the engines did not need are read for it.
        check_explanation(client, "BTCUSDT", operator.run("explain", series_name("BTCUSDT"), "--json").stdout)

        drained = operator.run("drain")
        assert re.search(r"drained: \d+ signals added in this run, 0 not acknowledged", drained.stdout), drained
        assert daemon.wait(30) == 0 and not os.path.exists(path)
        # Nothing runs: from the disk, the newest published signal to the last bit.
        for symbol in ("BTCUSDT", "ETHUSDT"):
            text = operator.run("explain", series_name(symbol), "--json", "--config", place.path("daemon.toml")).stdout
            numbers = check_explanation(client, symbol, text)
            last = client.xrevrange(stream_key(symbol), count=1)[0][0]
            assert last.split("-")[0] == numbers["close_ms"], (last, numbers["close_ms"])
        done = operator.run("bundle", "-o", place.path("offline.tar.gz"), "--config", place.path("daemon.toml"))
        assert "no daemon of instance" in done.stderr, done
        check_many_series(place, operator, client)
        check_stranger(place)
        print(f"controlled in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
