"""What processes send to others, as the kernel sees it."""

from __future__ import annotations

import ipaddress
import re
import shutil
from pathlib import Path

_ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
_LOOKS_UP = re.compile(r'htons\((53|5353|853)\)|sun_path="[^"]*(systemd/resolve|avahi)[^"]*"|nscd/socket"\}, \d+\) = 0')
_LOCAL = ("AF_UNIX", "AF_NETLINK", "AF_UNSPEC", "AF_INET", "AF_INET6")


def tracer(path: Path) -> list[str] | None:
    """What is written before a command for all its processes to be looked at, with the answer in a file; None where
    strace is missing. The process that is started is the command's own."""
    if shutil.which("strace") is None:
        return None
    calls = "trace=connect,sendto,sendmmsg,sendmsg"
    return ["strace", "-D", "-f", "-qq", "--seccomp-bpf", "-e", calls, "-o", str(path)]


def sent_away(trace: str) -> list[str]:
    """The lines of a trace that lead to another machine, or look up its name, be it by a service of this one."""
    found = []
    for line in trace.strip().splitlines():
        families = re.findall(r"sa_family=(\w+)", line)
        addresses = [ipaddress.ip_address(one or other) for one, other in _ADDRESS.findall(line)]
        is_local = all(family in _LOCAL for family in families) and all(each.is_loopback for each in addresses)
        if not is_local or _LOOKS_UP.search(line):
            found.append(line)
    return found
