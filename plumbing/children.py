"""Child processes that end with their parent, also when it is killed and can end nothing any more.

On Linux the kernel does it. Elsewhere a supervisor between the two does: it reads a pipe whose other end the parent
holds, and that comes to its end with the parent.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple


class Child(NamedTuple):
    """How to start a process that ends with its parent: the command line, and what its standard input must be.

    Whoever starts it keeps the process object, and with it the pipe, for as long as the child is to run.
    """

    line: list[str]
    stdin: int


def ending_with_its_parent(line: Sequence[str], platform: str = sys.platform) -> Child:
    """A command whose process is asked to end (SIGTERM) when the *thread* that started it ends: start it in the main one.

    The request is made by a small Python that then becomes the command (same process id), not by `preexec_fn`: a
    process that has the threads of the SDK's core may deadlock in Python code between fork and exec.
    """
    if platform == "linux":
        return Child([sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *line], subprocess.DEVNULL)
    return Child([sys.executable, "-I", "-S", "-c", _SUPERVISE, *line], subprocess.PIPE)


_DIE_WITH_PARENT: Final = """
import os, signal, sys
try:
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # 1 is PR_SET_PDEATHSIG
except (ImportError, OSError, AttributeError):
    pass  # a Python without ctypes or a foreign libc: then nothing ends it
else:
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent ended before its child began")
os.execvp(sys.argv[2], sys.argv[2:])
"""

_SUPERVISE: Final = """
import os, signal, subprocess, sys, threading
child, told = None, False
def stop(*_):
    global told
    told = True
    if child is not None:
        child.terminate()
def until_the_parent_ends():
    os.read(0, 1)  # nothing is ever written: it comes back when the other end is gone
    stop()
signal.signal(signal.SIGTERM, stop)  # before there is a child: told in between, this process would end without it
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
if told:
    child.terminate()
threading.Thread(target=until_the_parent_ends, daemon=True).start()
code = child.wait()
if code < 0:  # ended by a signal: so is this process, for its parent to see
    signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
    os.kill(os.getpid(), -code)
os._exit(code)
"""
