"""Walking through a page of documentation: every file on it is written, every command is run, and says what the page says."""

import os
import re

from program import binary

BLOCK = re.compile(r"(?:^`([^`\n]+)`:\n\n)?^```(\w+)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


def pattern_of(expected):
    """`...` stands for anything in its line; a line of it alone for any lines."""
    lines = [".*\n(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + "\n"
             for line in expected.splitlines()]
    return re.compile("".join(lines))


def write(place, content):
    """A program stays one."""
    mode = os.stat(place).st_mode if os.path.exists(place) else 0o644
    with open(place, "w", encoding="utf-8") as file:
        file.write(content)
    os.chmod(place, mode)


def walk(home, page, seconds=120):
    """(the folder where it ends, how many files were written, how many commands were run)"""
    with open(page, encoding="utf-8") as file:
        blocks = BLOCK.findall(file.read())
    os.mkdir(home.path("bin"))
    os.symlink(binary(), home.path("bin", "mote"))
    path = home.path("bin") + os.pathsep + os.environ["PATH"]
    folder, files, commands = home.folder, 0, 0
    for name, language, content in blocks:
        if name:
            files += 1
            write(os.path.join(folder, name), content)
            continue
        assert language == "console", (language, content)
        for step in re.split(r"^\$ ", content, flags=re.MULTILINE)[1:]:
            command, _, expected = step.partition("\n")
            commands += 1
            if command.startswith("cd "):
                folder = os.path.join(folder, command[3:])
                continue
            words = command.split()
            assert words[0] == "mote"
            done = home.run(*words[1:], cwd=folder, environment={"PATH": path}, seconds=seconds)
            assert done.status == 0 and "warning" not in done.err, (command, done)
            assert pattern_of(expected).fullmatch(done.out), (command, expected, done)
    return folder, files, commands
