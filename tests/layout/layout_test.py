"""What the tree itself must keep: which layer includes which, what lies at the top, how long a file may be, and that no
path of one machine is in it. Run with --self-test it proves on a bad tree that each rule can fail."""
import os
import re
import subprocess
import sys
import tempfile

TOP_LEVEL = {"CMakeLists.txt", "CMakePresets.json", "LICENSE", "CHANGELOG.md", "HACKING.md", "README.md", "daemon", "engine",
             "gpu", "feeds", "state", "tests", "perf", "deploy"}
MAY_INCLUDE = {
    "engine": {"engine"},
    "gpu": {"engine", "gpu"},
    "feeds": {"engine", "feeds"},
    "state": {"engine", "state"},
    "daemon": {"engine", "gpu", "feeds", "state", "daemon"},
    "perf": {"engine", "gpu", "feeds", "state", "daemon", "perf", "tests"},
    "tests": {"engine", "gpu", "feeds", "state", "daemon", "tests"},
}
# The standard library: headers without folder or ending; and the compiler's own for vector instructions.
ENGINE_LIBRARIES = re.compile(r"<([a-z_]+|(immintrin|arm_neon)\.h)>")
# Files past the limit, each with the reason why it stays whole.
LINES = 400
LONG_FILES = {
    "tests/state/publish_function_test.cpp": "a case for every answer of one function",
}
CODE = (".cpp", ".hpp", ".cu", ".cuh")
ONE_MACHINE = re.compile(r"(^|[^a-z.])/(work|home|root)/")


def files_of(tree):
    """What git knows; where the tree came without its repository, all but what is built."""
    if os.path.exists(os.path.join(tree, ".git")):
        listed = subprocess.run(["git", "-C", tree, "ls-files"], capture_output=True, text=True, check=True)
        return [name for name in listed.stdout.splitlines() if os.path.isfile(os.path.join(tree, name))]
    found = []
    for folder, folders, names in os.walk(tree):
        folders[:] = [name for name in folders if name not in ("build", "__pycache__")]
        found += [os.path.relpath(os.path.join(folder, name), tree) for name in names]
    return found


def faults(tree):
    found = []
    for name in files_of(tree):
        top = name.split("/")[0]
        if top not in TOP_LEVEL and not top.startswith("."):
            found.append(f"{name}: the layout has no {top} at the top")
        if not name.endswith(CODE + (".sh", ".py", ".txt", ".toml", ".json")):
            continue
        text = open(os.path.join(tree, name), errors="replace").read()
        if not name.startswith("tests/layout/") and ONE_MACHINE.search(text):
            found.append(f"{name}: holds a path of one machine")
        if not name.endswith(CODE):
            continue
        lines = text.count("\n")
        if lines > LINES and name not in LONG_FILES:
            found.append(f"{name}: {lines} lines; past {LINES} a reason must stand in LONG_FILES")
        if name.endswith(".hpp") and "#pragma once" not in text:
            found.append(f"{name}: has no #pragma once")
        for included in re.findall(r'^#include "([^"]+)"', text, re.M):
            folder = included.split("/")[0]
            if folder not in MAY_INCLUDE.get(top, set()):
                found.append(f"{name}: {top} may not include {included}")
        if top == "engine":
            for included in re.findall(r"^#include (<[^>]+>)", text, re.M):
                if not ENGINE_LIBRARIES.fullmatch(included):
                    found.append(f"{name}: engine may include only the standard library, not {included}")
    return found


def self_test():
    bad = {
        "engine/a.hpp": '#include "feeds/b.hpp"\n#include <boost/asio.hpp>\n',
        "feeds/b.cpp": '#include "state/c.hpp"\n',
        "state/c.cpp": '#include "daemon/d.hpp"\n',
        "gpu/e.cpp": "\n" * 500,
        "tools/f.sh": "cd /" + "work/here\n",
    }
    expected = ["no tools at the top", "has no #pragma once", "engine may not include feeds/b.hpp",
                "only the standard library, not <boost/asio.hpp>", "feeds may not include state/c.hpp",
                "state may not include daemon/d.hpp", "500 lines", "a path of one machine"]
    with tempfile.TemporaryDirectory() as tree:
        for name, text in bad.items():
            os.makedirs(os.path.dirname(os.path.join(tree, name)), exist_ok=True)
            with open(os.path.join(tree, name), "w") as file:
                file.write(text)
        subprocess.run(["git", "-C", tree, "init", "-q"], check=True)
        subprocess.run(["git", "-C", tree, "add", "-A"], check=True)
        found = "\n".join(faults(tree))
    missed = [text for text in expected if text not in found]
    assert not missed, f"not noticed: {missed}\nfound:\n{found}"


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return 0
    found = faults(sys.argv[1])
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
