"""What /proc says of processes: CPU time, memory, and how much CPU everybody else used meanwhile."""

import os
import re
import time

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
KERNEL_THREAD = 0x00200000


class Stat:
    """One line of /proc/PID/stat."""

    def __init__(self, pid):
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        self.parent, self.session, self.flags = int(fields[1]), int(fields[3]), int(fields[6])
        self.own_ticks = int(fields[11]) + int(fields[12])
        self.children_ticks = int(fields[13]) + int(fields[14])


def every_stat():
    """{pid: Stat} of every process there is."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                found[int(name)] = Stat(name)
            except (OSError, IndexError):
                pass  # It has ended meanwhile.
    return found


def cpu_s(pid):
    """CPU seconds of all threads of one process, user and system."""
    return Stat(pid).own_ticks / TICKS_PER_S


def cpu_clock_s(pid):
    """The same to the nanosecond: the kernel's processor clock of that process."""
    return time.clock_gettime((~pid << 3) | 2)


def children_of(pid):
    return sorted(child for child, stat in every_stat().items() if stat.parent == pid)


def others_ticks(session):
    """CPU of all processes outside of the session. What has ended counts with the parent that
    waited for it, so the sum only grows by what was really used."""
    return sum(stat.own_ticks + stat.children_ticks for stat in every_stat().values()
               if stat.session != session and not stat.flags & KERNEL_THREAD)


class Others:
    """Meters the CPU that others use: `with Others() as others: ...`, then others.share (1.0: one
    processor)."""

    def __enter__(self):
        self.share = 0.0
        self._session = os.getsid(0)
        self._begin = time.monotonic()
        self._ticks = others_ticks(self._session)
        return self

    def __exit__(self, *_):
        used = max(0, others_ticks(self._session) - self._ticks) / TICKS_PER_S
        self.share = used / max(time.monotonic() - self._begin, 1 / TICKS_PER_S)
        return False


def _kib(path, key):
    with open(path, encoding="ascii") as file:
        found = re.search(rf"^{key}:\s+(\d+) kB", file.read(), re.MULTILINE)
    return int(found.group(1)) if found else 0


def resident_kib(pid):
    return _kib(f"/proc/{pid}/status", "VmRSS")


def page_tables_kib(pid):
    return _kib(f"/proc/{pid}/status", "VmPTE")


def proportional_kib(pid):
    return _kib(f"/proc/{pid}/smaps_rollup", "Pss")


def _regions(pid):
    """(begin, end, permissions, path or "", resident KiB) of each mapping, in order."""
    region = None
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("Rss:"):
                yield *region, int(line.split()[1])
            elif line[0] in "0123456789abcdef":
                fields = line.split(maxsplit=5)
                begin, end = (int(number, 16) for number in fields[0].split("-"))
                region = (begin, end, fields[1], fields[5].strip() if len(fields) > 5 else "")


GUARD_BYTES_MIN = 16 << 20  # What lies behind a guest's memory, up to the next one's place.
ARENA_BYTES = 64 << 20  # malloc's arenas begin at a multiple of this, and have such a hole behind them too.


def guests_kib(pid, folder):
    """Resident memory of the guests' linear memories: of mappings that may be written and begin as a part of a file
    below `folder`, where compiled code lies, of the anonymous ones that touch them, and of anonymous ones with a wide
    hole behind them, which are memories that begin with nothing but zeroes."""
    total = 0
    before = None  # The last mapping, when it may be a memory or belong to one whose image comes next.
    image_end = None
    for begin, end, permissions, path, resident in _regions(pid):
        writable = permissions.startswith("rw")
        if before is not None and permissions.startswith("---") and before[1] == begin and \
                end - begin >= GUARD_BYTES_MIN and before[0] % ARENA_BYTES != 0:
            total += before[2]
        if writable and path.startswith(folder):
            total += resident
            if before is not None and before[1] == begin:
                total += before[2]
            before, image_end = None, end
        elif writable and not path and begin == image_end:
            total += resident
            before, image_end = None, None
        else:
            before = (begin, end, resident) if writable and not path else None
            image_end = None
    return total


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def mappings(pid):
    with open(f"/proc/{pid}/maps", "rb") as file:
        return sum(1 for _ in file)


def _first_match(path, pattern, otherwise="unknown"):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found = re.search(pattern, file.read(), re.MULTILINE)
    except OSError:
        return otherwise
    return found.group(1).strip() if found else otherwise


def machine():
    """The facts that a figure needs beside it."""
    return {
        "processor": _first_match("/proc/cpuinfo", r"^model name\s*:\s*(.*)$"),
        "processors": len(os.sched_getaffinity(0)),
        "memory_mib": int(_first_match("/proc/meminfo", r"^MemTotal:\s+(\d+)", "0")) // 1024,
        "kernel": os.uname().release,
        "system": _first_match("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)'),
        "max_map_count": int(_first_match("/proc/sys/vm/max_map_count", r"(\d+)", "0")),
        "virtual": "hypervisor" in _first_match("/proc/cpuinfo", r"^flags\s*:\s*(.*)$", ""),
    }
