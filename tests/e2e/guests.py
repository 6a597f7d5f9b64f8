"""Making the guests of the tests: C by `mote build`, text Wasm by wat2wasm, commands by clang."""

import os
import re
import shutil
import subprocess

import pytest

from apps import ZOO_FOLDER
from program import ROOT

GUESTS = os.path.join(ROOT, "tests", "guests")


def run_tool(*words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, f"{' '.join(words)}:\n{done.stdout}{done.stderr}"


class Workshop:
    """Makes each guest once a session."""

    def __init__(self, home):
        self.home = home
        self.made = {}

    def _once(self, name, make):
        if name not in self.made:
            path = self.home.path(name.replace("/", "-") + ".wasm")
            make(path)
            self.made[name] = path
        return self.made[name]

    def zoo(self):
        """The zoo's component, built by `mote build` from a copy of its folder."""
        return os.path.join(self.zoo_folder(), "wasm", "zoo.wasm")

    def zoo_folder(self):
        """A copy of examples/zoo, built."""
        if "zoo" not in self.made:
            copy = self.home.path("zoo")
            shutil.copytree(ZOO_FOLDER, copy, ignore=shutil.ignore_patterns("wasm"), dirs_exist_ok=True)
            done = self.home.run("build", copy)
            assert done.status == 0, done
            self.made["zoo"] = copy
        return self.made["zoo"]

    def c(self, name):
        """tests/guests/NAME.c, a guest that includes mote.h."""
        def make(path):
            done = self.home.run("build", os.path.join(GUESTS, name + ".c"), "-o", path)
            assert done.status == 0, done
        return self._once(name, make)

    def wat(self, name):
        """tests/guests/NAME.wat."""
        with open(os.path.join(GUESTS, name + ".wat"), encoding="utf-8") as file:
            return self.wat_text(name, file.read())

    def wat_text(self, name, text, *features):
        """A module given as text."""
        def make(path):
            source = self.home.write(os.path.basename(path) + ".wat", text)
            run_tool("wat2wasm", *features, source, "-o", path)
        return self._once("wat-" + name, make)

    def javascript(self, name="app"):
        """tests/guests/javascript/NAME.js."""
        def make(path):
            folder = self.home.path("javascript-" + name)
            os.makedirs(folder, exist_ok=True)
            shutil.copy(os.path.join(GUESTS, "javascript", name + ".js"), os.path.join(folder, "app.js"))
            self.script(folder, path)
        return self._once("javascript-" + name, make)

    def script(self, folder, path):
        """A folder with app.js (or .ts) as a component."""
        with open(os.path.join(folder, "mote.toml"), "w", encoding="utf-8") as file:
            file.write('[components.app]\nsource = "app.wasm"\n')
        done = self.home.run("build", folder)
        assert done.status == 0, done
        os.rename(os.path.join(folder, "app.wasm"), path)

    def command(self, name):
        """tests/guests/commands/NAME.c, a WASI preview 1 program."""
        def make(path):
            clang = [os.environ.get("MOTE_CLANG", "clang"), "--target=wasm32-wasi"]
            source = os.path.join(GUESTS, "commands", name + ".c")
            run_tool(*clang, "-O1", "-fno-inline", "-Wall", "-Wextra", "-Werror", "-c", source,
                     "-o", path + ".o")
            # Without -O, which may run an optimiser that drops the names backtraces need.
            run_tool(*clang, "-Wl,--strip-debug", path + ".o", "-o", path)
        return self._once("command-" + name, make)

    def componentize(self, *words):
        """tools/componentize, built when it is not there yet: made by `words`."""
        if "componentize" not in self.made:
            found = subprocess.run([os.path.join(ROOT, "tools", "componentize.sh")], stdin=subprocess.DEVNULL,
                                   capture_output=True, text=True, check=False)
            if found.returncode == 3:
                pytest.skip(found.stderr)
            assert found.returncode == 0, found.stderr
            self.made["componentize"] = found.stdout.strip()
        run_tool(self.made["componentize"], *words)

    def wit(self, name, text=None):
        """A folder with tests/guests/components/NAME.wit, or that text, and the package that mote offers."""
        folder = self.home.path(name + "-wit")
        os.makedirs(os.path.join(folder, "deps", "mote"), exist_ok=True)
        shutil.copy(os.path.join(ROOT, "sdk", "wit", "mote-runtime.wit"), os.path.join(folder, "deps", "mote"))
        if text is None:
            shutil.copy(os.path.join(GUESTS, "components", name + ".wit"), folder)
        else:
            self.home.write(os.path.join(name + "-wit", name + ".wit"), text)
        return folder

    def component_c(self, name):
        """tests/guests/components/NAME.c, a component of the world NAME in NAME.wit."""
        def make(path):
            bindings, wit = self.home.path(name + "-bindings"), self.wit(name)
            os.makedirs(bindings, exist_ok=True)
            self.componentize("bindings", wit, name, bindings)
            made = os.path.join(bindings, name)
            run_tool(os.environ.get("MOTE_CLANG", "clang"), "--target=wasm32-wasi", "-mexec-model=reactor", "-O1", "-Wall",
                     "-Wextra", "-Werror", "-I", bindings, "-x", "c", os.path.join(GUESTS, "components", name + ".c"),
                     made + ".c", "-x", "none", made + "_component_type.o", "-o", path + ".core")
            self.componentize("component", wit, name, path + ".core", path)
        return self._once("component-" + name, make)

    def component_wat(self, name, wit, text):
        """A component of the world `name` in that WIT, of a core module given as text."""
        def make(path):
            core = self.wat_text(name + "-core", text)
            self.componentize("component", self.wit(name, wit), name, core, path)
        return self._once("component-wat-" + name, make)

    def bytes(self, name, content):
        """A file with any content."""
        return self._once(name, lambda path: self.home.write(os.path.basename(path), content))


def component_path(name):
    """A component that is kept as it was made from tests/guests/components: `http`, `hello`."""
    return os.path.join(GUESTS, "components", name + ".wasm")


def component(name):
    """The bytes of a component that the unit tests keep: `run`, `print`, `fail`, `plain`, `later`."""
    path = os.path.join(ROOT, "tests", "unit", "engine", "components.inc")
    with open(path, encoding="ascii") as file:
        found = re.search(r"component_" + name + r"\[\] = \{([^}]*)\}", file.read())
    return bytes(int(one, 16) for one in found.group(1).replace("\n", "").split(",") if one.strip())
