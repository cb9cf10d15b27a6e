"""The manual pages and completions: groff has nothing to say against them, they hold every command, option and key and every
sentence of the documents, and the build's are those that the program would write now."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

ATCD, BUILD, DOCUMENTS = (os.environ[name] for name in ("ATCD_PROGRAM", "ATCD_BUILD", "ATCD_DOCUMENTS"))
PAGES = ["atcd.1", "atcd.toml.5", "atcd-redis.7"]
COMPLETIONS = ["atcd.bash", "_atcd"]


def output(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == 0, done
    return done.stdout


def words(text):
    return " ".join(text.split())


def shown(page):
    """The page as a reader sees it. Warnings of groff fail."""
    done = subprocess.run(["man", "--warnings=w", "-E", "UTF-8", "-l", os.path.join(BUILD, "man", page)], capture_output=True,
                          text=True, env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "130"}, timeout=120)
    assert done.returncode == 0 and not done.stderr, f"{page}: {done.stderr}"
    return done.stdout


def helps(*command):
    """--help of the program and of every command below it, as {words of the command: text}."""
    text = output(ATCD, *command, "--help")
    found = {command: text}
    listed = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.M)
    for name in re.findall(r"^  (\S+)", listed.group(1), re.M) if listed else []:
        found.update(helps(*command, name))
    return found


def options_of(text):
    """[(as it is called, what it does)] of the options and positionals of a --help."""
    found = []
    for block in re.findall(r"^(?:Options|Positionals):\n((?:  .*\n)+)", text, re.M):
        for line in block.splitlines():
            if line.startswith(" " * 20):  # the names were too long for the line
                found[-1] = (found[-1][0], line.strip())
            else:
                name, _, what = line.strip().partition("  ")
                found.append((name, what.strip()))
    return found


def check_command_page(commands):
    page, text = open(os.path.join(BUILD, "man", "atcd.1")).read(), words(shown("atcd.1"))
    entries = 0
    for command, help_text in commands.items():
        if command:
            assert f'.SS "{" ".join(("atcd",) + command)}"' in page.replace("\\-", "-"), f"{command} is not in the page"
        for name, what in options_of(help_text):
            assert words(f"{name} {what}") in text, f"{command}: {name}: {what}"
            entries += 1
        for line in help_text.split("\n\n")[-1].splitlines():
            # Of the program's own footer the words before the colon are headings.
            assert words(line if command else line.partition(": ")[2]) in text, f"{command}: {line}"
    assert entries == page.count(".TP"), f"--help tells of {entries} options, the page of {page.count('.TP')}"


def check_config_page():
    text = words(shown("atcd.toml.5"))
    sample = open(os.path.join(DOCUMENTS, "atcd.toml")).read()
    keys = re.findall(r"^(?:# )?([a-z_]+ = .*)$", sample, re.M)
    assert len(keys) > 40, keys
    for key in keys:
        assert words(key) in text, key
    for table in re.findall(r"^\[.*\]$", sample, re.M):
        assert f"TABLE {table.upper()}" in text, table
    for comment in re.findall(r"^# (?![a-z_]+ = )(.*)$", sample, re.M):
        assert words(comment.replace("`", "")) in text, comment
    for told in ("rest_share = 0.5", "It must be a number above 0 and at most 1. This is the default.",
                 "Each must be a whole number from 1 to 512.", "It is needed."):
        assert told in text, told
    example = re.search(r"^EXAMPLE\n.*:\n((?:\n|  .*\n)+)", shown("atcd.toml.5"), re.M).group(1)
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(example)
        file.flush()
        assert "binance spot: 4 series" in output(ATCD, "check", "--config", file.name), example


def check_redis_page():
    def letters(line):
        return "".join(re.findall(r"\w", line)).lower()

    text = letters(shown("atcd-redis.7"))
    rows = 0
    for line in open(os.path.join(DOCUMENTS, "redis.md")):
        rows = rows + 1 if line.startswith("|") else 0
        if rows not in (1, 2):
            assert letters(line) in text, line


def completed(*typed):
    script = 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _atcd; printf "%s\\n" "${COMPREPLY[@]}"'
    return output("bash", "-c", script, os.path.join(BUILD, "completions", "atcd.bash"), "atcd", *typed).split()


def check_bash(commands):
    for command, text in commands.items():
        below = [name[len(command)] for name in commands if len(name) == len(command) + 1 and name[:-1] == command]
        if below:
            assert sorted(completed(*command, "")) == sorted(below), command
        names = {name for called, _ in options_of(text) if called.startswith("-")
                 for name in called.split()[0].split("=")[0].split(",")}
        assert set(completed(*command, "-")) == names, f"{command}: {completed(*command, '-')}, not {names}"
    assert completed("che") == ["check"]
    assert completed("compute", "--dialect", "") == ["lts", "pine"]
    assert completed("compute", "--cutout", "") == []
    assert completed("log-level", "") == ["debug", "info", "warning", "error"]
    assert completed("top", "--sort", "") == ["s", "t", "a", "d", "g", "l"]
    with tempfile.TemporaryDirectory() as folder:
        for name in ("a.toml", "run"):
            open(os.path.join(folder, name), "w").close()
        os.mkdir(os.path.join(folder, "state"))
        for command in (("check", "--config"), ("status", "--socket"), ("bundle", "-o")):
            assert completed(*command, folder + "/a") == [folder + "/a.toml"], command
        assert completed("history", "list", "--directory", folder + "/") == [folder + "/state"]
    # A value that is called like a command is none.
    assert completed("tap", "--username", "run", "--js") == ["--json"]


def check_zsh():
    if not shutil.which("zsh"):
        print("zsh is not installed: its completion is not checked")
        return
    path = os.path.join(BUILD, "completions", "_atcd")
    output("zsh", "-n", path)
    # A real zsh on a terminal of its own, to which a tab is sent.
    script = f"""
zmodload zsh/zpty
zpty shell zsh -f -i
said() {{ zpty -w shell "$1"; zpty -r shell REPLY "*$2*" && print -r -- "$REPLY" }}
said 'PS1=; fpath=({os.path.dirname(path)} $fpath); autoload -Uz compinit; compinit -u -D; zstyle ":completion:*" verbose yes; echo lo''aded' 'loaded' >/dev/null
zpty -w -n shell $'atcd history \\t\\t'
zpty -r shell REPLY '*repair*'; print -r -- "$REPLY"
zpty -d shell
"""
    text = output("zsh", "-f", "-c", script)
    for name in ("list", "check", "export", "import", "repair"):
        assert name in text, text


def main():
    commands = helps()
    assert ("run",) in commands and ("history", "list") in commands and ("pages",) not in commands, list(commands)
    with tempfile.TemporaryDirectory() as folder:
        output(ATCD, "pages", "--documents", DOCUMENTS, folder)
        for path in [f"man/{name}" for name in PAGES] + [f"completions/{name}" for name in COMPLETIONS]:
            built, now = (open(os.path.join(where, path)).read() for where in (BUILD, folder))
            assert built == now, f"{path} is not what the program writes now"
        # A key that only one side has is refused.
        sample = open(os.path.join(DOCUMENTS, "atcd.toml")).read()
        shutil.copy(os.path.join(DOCUMENTS, "redis.md"), folder)
        for text, words_told in ((sample.replace("keep = 500\n", ""), "the sample lacks redis.keep"),
                                 (sample.replace("keep =", "kept ="), "the sample has redis.kept, which is no key")):
            with open(os.path.join(folder, "atcd.toml"), "w") as file:
                file.write(text)
            done = subprocess.run([ATCD, "pages", "--documents", folder, folder], capture_output=True, text=True)
            assert done.returncode == 1 and words_told in done.stderr, done
    check_command_page(commands)
    check_config_page()
    check_redis_page()
    check_bash(commands)
    check_zsh()
    return 0


if __name__ == "__main__":
    sys.exit(main())
