"""Windows, played to one process: what it lacks, and its rules for files that are open.

What is missing is taken from typeshed's ``sys.platform`` conditions and from the lines
"Availability: Unix" in https://docs.python.org/3/library/; what came to Windows with Python 3.12 or
3.13 (``fchmod``, ``set_blocking``) is missing as well. Played are:

- a file that any process of the group has open, or mapped into memory, is neither replaced,
  renamed nor removed; nor is a folder renamed that holds one; to rename never replaces;
- ``os.open`` opens no folder, and without ``O_BINARY`` gives a descriptor that translates line
  ends and stops at a ctrl-Z; appending is to find the end and then to write there;
- no file system takes ``: ? * < > | "`` in a name; there is no ``/proc`` and no ``/sys``;
- a closed pipe is an invalid argument; a descriptor that only reads is not flushed; nothing forks;
- what goes to pipes is encoded in code page 1252, and so is a file opened as text without an
  encoding, which is an error here.

Not played: drive letters and backslashes, names that differ by case only, the console, reserved
names (``con``, ``nul``), the compiled extensions built by another compiler, other libraries.
"""

from __future__ import annotations

import builtins
import errno
import os
import stat
import struct
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import played

# One name a word, by module.
LACKING = {
    "os": """
        CLD_CONTINUED CLD_DUMPED CLD_EXITED CLD_KILLED CLD_STOPPED CLD_TRAPPED CLONE_FILES
        CLONE_FS CLONE_NEWCGROUP CLONE_NEWIPC CLONE_NEWNET CLONE_NEWNS CLONE_NEWPID
        CLONE_NEWTIME CLONE_NEWUSER CLONE_NEWUTS CLONE_SIGHAND CLONE_SYSVSEM CLONE_THREAD
        CLONE_VM EFD_CLOEXEC EFD_NONBLOCK EFD_SEMAPHORE EX_CANTCREAT EX_CONFIG EX_DATAERR
        EX_IOERR EX_NOHOST EX_NOINPUT EX_NOPERM EX_NOUSER EX_OSERR EX_OSFILE EX_PROTOCOL
        EX_SOFTWARE EX_TEMPFAIL EX_UNAVAILABLE EX_USAGE F_LOCK F_TEST F_TLOCK F_ULOCK
        GRND_NONBLOCK GRND_RANDOM MFD_ALLOW_SEALING MFD_CLOEXEC MFD_HUGETLB MFD_HUGE_16GB
        MFD_HUGE_16MB MFD_HUGE_1GB MFD_HUGE_1MB MFD_HUGE_256MB MFD_HUGE_2GB MFD_HUGE_2MB
        MFD_HUGE_32MB MFD_HUGE_512KB MFD_HUGE_512MB MFD_HUGE_64KB MFD_HUGE_8MB MFD_HUGE_MASK
        MFD_HUGE_SHIFT NGROUPS_MAX O_ACCMODE O_ASYNC O_CLOEXEC O_DIRECT O_DIRECTORY O_DSYNC
        O_FSYNC O_LARGEFILE O_NDELAY O_NOATIME O_NOCTTY O_NOFOLLOW O_NONBLOCK O_PATH O_RSYNC
        O_SYNC O_TMPFILE PIDFD_NONBLOCK POSIX_FADV_DONTNEED POSIX_FADV_NOREUSE POSIX_FADV_NORMAL
        POSIX_FADV_RANDOM POSIX_FADV_SEQUENTIAL POSIX_FADV_WILLNEED POSIX_SPAWN_CLOSE
        POSIX_SPAWN_CLOSEFROM POSIX_SPAWN_DUP2 POSIX_SPAWN_OPEN PRIO_PGRP PRIO_PROCESS PRIO_USER
        P_ALL P_PGID P_PID P_PIDFD RTLD_DEEPBIND RTLD_GLOBAL RTLD_LAZY RTLD_LOCAL RTLD_NODELETE
        RTLD_NOLOAD RTLD_NOW RWF_APPEND RWF_DSYNC RWF_HIPRI RWF_NOWAIT RWF_SYNC SCHED_BATCH
        SCHED_DEADLINE SCHED_FIFO SCHED_IDLE SCHED_NORMAL SCHED_OTHER SCHED_RESET_ON_FORK
        SCHED_RR SEEK_DATA SEEK_HOLE SPLICE_F_MORE SPLICE_F_MOVE SPLICE_F_NONBLOCK ST_APPEND
        ST_MANDLOCK ST_NOATIME ST_NODEV ST_NODIRATIME ST_NOEXEC ST_NOSUID ST_RDONLY ST_RELATIME
        ST_SYNCHRONOUS ST_WRITE TFD_CLOEXEC TFD_NONBLOCK TFD_TIMER_ABSTIME
        TFD_TIMER_CANCEL_ON_SET WCONTINUED WCOREDUMP WEXITED WEXITSTATUS WIFCONTINUED WIFEXITED
        WIFSIGNALED WIFSTOPPED WNOHANG WNOWAIT WSTOPPED WSTOPSIG WTERMSIG WUNTRACED XATTR_CREATE
        XATTR_REPLACE XATTR_SIZE_MAX chown chroot confstr confstr_names copy_file_range ctermid
        environb eventfd eventfd_read eventfd_write fchdir fchmod fchown fdatasync fork forkpty
        fpathconf fstatvfs fwalk get_blocking getegid getenvb geteuid getgid getgrouplist
        getgroups getloadavg getpgid getpgrp getpriority getrandom getresgid getresuid getsid
        getuid getxattr grantpt initgroups killpg lchmod lchown listxattr lockf login_tty major
        makedev memfd_create minor mkfifo mknod nice openpty pathconf pathconf_names pidfd_open
        pipe2 posix_fadvise posix_fallocate posix_openpt posix_spawn posix_spawnp pread preadv
        ptsname pwrite pwritev readv register_at_fork removexattr sched_get_priority_max
        sched_get_priority_min sched_getaffinity sched_getcpu sched_getparam sched_getscheduler
        sched_param sched_rr_get_interval sched_setaffinity sched_setparam sched_setscheduler
        sched_yield sendfile set_blocking setegid seteuid setgid setgroups setns setpgid setpgrp
        setpriority setregid setresgid setresuid setreuid setsid setuid setxattr spawnlp
        spawnlpe spawnvp spawnvpe splice statvfs struct_rusage sync sysconf sysconf_names
        tcgetpgrp tcsetpgrp timerfd_create timerfd_gettime timerfd_gettime_ns timerfd_settime
        timerfd_settime_ns ttyname uname unlockpt unshare wait wait3 wait4 waitid waitid_result
        writev
    """.split(),
    "signal": """
        ITIMER_PROF ITIMER_REAL ITIMER_VIRTUAL ItimerError SIGALRM SIGBUS SIGCHLD SIGCLD SIGCONT
        SIGHUP SIGIO SIGIOT SIGKILL SIGPIPE SIGPOLL SIGPROF SIGPWR SIGQUIT SIGRTMAX SIGRTMIN
        SIGSTKFLT SIGSTOP SIGSYS SIGTRAP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGUSR1 SIGUSR2
        SIGVTALRM SIGWINCH SIGXCPU SIGXFSZ SIG_BLOCK SIG_SETMASK SIG_UNBLOCK Sigmasks alarm
        getitimer pause pidfd_send_signal pthread_kill pthread_sigmask setitimer siginterrupt
        sigpending sigtimedwait sigwait sigwaitinfo struct_siginfo
    """.split(),
    "mmap": """
        MADV_DODUMP MADV_DOFORK MADV_DONTDUMP MADV_DONTFORK MADV_DONTNEED MADV_FREE
        MADV_HUGEPAGE MADV_HWPOISON MADV_MERGEABLE MADV_NOHUGEPAGE MADV_NORMAL MADV_RANDOM
        MADV_REMOVE MADV_SEQUENTIAL MADV_UNMERGEABLE MADV_WILLNEED MAP_32BIT MAP_ANON
        MAP_ANONYMOUS MAP_DENYWRITE MAP_EXECUTABLE MAP_NORESERVE MAP_POPULATE MAP_PRIVATE
        MAP_SHARED MAP_STACK PROT_EXEC PROT_READ PROT_WRITE
    """.split(),
    "select": """
        EPOLLERR EPOLLET EPOLLEXCLUSIVE EPOLLHUP EPOLLIN EPOLLMSG EPOLLONESHOT EPOLLOUT EPOLLPRI
        EPOLLRDBAND EPOLLRDHUP EPOLLRDNORM EPOLLWAKEUP EPOLLWRBAND EPOLLWRNORM EPOLL_CLOEXEC
        PIPE_BUF POLLERR POLLHUP POLLIN POLLMSG POLLNVAL POLLOUT POLLPRI POLLRDBAND POLLRDHUP
        POLLRDNORM POLLWRBAND POLLWRNORM epoll poll
    """.split(),
    "time": """
        CLOCK_BOOTTIME CLOCK_MONOTONIC CLOCK_MONOTONIC_RAW CLOCK_PROCESS_CPUTIME_ID
        CLOCK_REALTIME CLOCK_TAI CLOCK_THREAD_CPUTIME_ID clock_getres clock_gettime
        clock_gettime_ns clock_settime clock_settime_ns pthread_getcpuclockid tzset
    """.split(),
}
NO_MODULES = (
    "fcntl grp posix pty pwd readline resource syslog termios tty _posixsubprocess "
    "multiprocessing.popen_fork multiprocessing.popen_forkserver"
).split()

O_BINARY, O_NOINHERIT = 1 << 30, 1 << 29  # no flags of this system
FORBIDDEN = set(':?*<>|"')
FREE_BYTES = 6 << 30

_os = {name: getattr(os, name) for name in dir(os) if callable(getattr(os, name))}
_text: dict[int, tuple[int, int]] = {}
_appending: dict[int, tuple[int, int]] = {}


def play(package: str) -> None:
    """Be Windows from now on, for the files below ``package``."""
    played.play(
        package,
        lacking={**LACKING, "socket": ["AF_UNIX"]},
        instead={
            "os": {"name": "nt", "O_BINARY": O_BINARY, "O_NOINHERIT": O_NOINHERIT},
            "sys": {"platform": "win32"},
            "signal": {"SIGBREAK": _real_signal()},
            "ctypes": {"windll": SimpleNamespace(kernel32=Kernel32())},
        },
        no_modules=NO_MODULES,
        modules={"msvcrt": Msvcrt()},
    )
    played.guard_names(_refuse_name)
    for rule in (_open, _close, _read, _write, _fsync, _fork):
        setattr(os, rule.__name__[1:], rule)
    for name in ("unlink", "remove"):
        setattr(os, name, _unless_open(getattr(os, name)))
    for name in ("rename", "replace"):
        setattr(os, name, _moving(getattr(os, name)))
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if stream is not None and not stream.isatty():
            errors = "backslashreplace" if stream is sys.stderr else "strict"
            stream.reconfigure(encoding="cp1252", errors=errors)  # type: ignore[union-attr]
    name = Path(package).name
    warnings.filterwarnings("error", category=EncodingWarning, module=rf"{name}(\.|$)")


def _real_signal() -> int:
    import signal

    return signal.SIGUSR2


def _error(number: int, winerror: int, *names: Any) -> OSError:
    error = OSError(
        number, os.strerror(number), *names[:1], *((None, names[1]) if names[1:] else ())
    )
    error.winerror = winerror  # type: ignore[attr-defined]
    return error


def _refuse_name(path: str) -> OSError | None:
    if FORBIDDEN & set(path):
        return _error(errno.EINVAL, 123, path)
    return played.no_system_folders(path)


# --- descriptors ---


def _identity(fd: int) -> tuple[int, int]:
    status = _os["fstat"](fd)
    return status.st_dev, status.st_ino


def _open(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    error = _refuse_name(os.fsdecode(path))
    if error is not None:
        raise error
    if Path(os.fsdecode(path)).is_dir():
        raise _error(errno.EACCES, 5, path)
    plain = flags & ~(O_BINARY | O_NOINHERIT | os.O_APPEND)
    fd: int = _os["open"](path, plain, mode, dir_fd=dir_fd)
    for held, wanted in ((_text, not flags & O_BINARY), (_appending, flags & os.O_APPEND)):
        held.pop(fd, None)
        if wanted and stat.S_ISREG(_os["fstat"](fd).st_mode):
            held[fd] = _identity(fd)
    return fd


def _close(fd: int) -> None:
    _text.pop(fd, None)
    _appending.pop(fd, None)
    _os["close"](fd)


def _read(fd: int, size: int) -> bytes:
    data: bytes = _os["read"](fd, size)
    if fd in _text and _text[fd] == _identity(fd):
        data = data.partition(b"\x1a")[0].replace(b"\r\n", b"\n")
    return data


def _write(fd: int, data: Any) -> int:
    if fd in _appending and _appending[fd] == _identity(fd):
        _os["lseek"](fd, 0, os.SEEK_END)
        time.sleep(0.002)
    if fd in _text and _text[fd] == _identity(fd):
        whole = bytes(data)
        _os["write"](fd, whole.replace(b"\n", b"\r\n"))
        return len(whole)
    try:
        return int(_os["write"](fd, data))
    except BrokenPipeError:
        raise _error(errno.EINVAL, 232) from None


def _fsync(fd: int) -> None:
    import fcntl

    if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise _error(errno.EBADF, 6)
    _os["fsync"](fd)


def _fork() -> int:
    raise OSError(errno.ENOSYS, "there is no fork on Windows")


# --- open files ---


def _unless_open(real: Any) -> Any:
    def call(path: Any, *, dir_fd: int | None = None) -> None:
        if dir_fd is None and _is_open(path):
            raise _error(errno.EACCES, 32, path)
        real(path, dir_fd=dir_fd)

    return call


def _moving(real: Any) -> Any:
    def call(source: Any, target: Any) -> None:
        if _is_open(source):
            raise _error(errno.EACCES, 32, source, target)
        if os.path.lexists(target) and not Path(source).samefile(target):
            if call is os.rename:
                raise _error(errno.EEXIST, 183, source, target)
            if Path(target).is_dir() or _is_open(target):
                raise _error(errno.EACCES, 5, source, target)
        real(source, target)

    return call


def _is_open(path: Any) -> bool:
    """Whether a process of this group has a file, or one in a folder, open or in its memory."""
    try:
        status = _os["lstat"](path)
    except FileNotFoundError:
        return False
    real = os.path.realpath(os.fsdecode(path))
    for process in _os["listdir"]("/proc"):
        with suppress(OSError):
            if process.isdecimal() and os.getpgid(int(process)) == os.getpgrp():
                for name in _held(process):
                    if name == real or name.startswith(real + os.sep):
                        return True
                    with suppress(OSError):
                        same = _os["stat"](name)
                        if (same.st_dev, same.st_ino) == (status.st_dev, status.st_ino):
                            return True
    return False


def _held(process: str) -> set[str]:
    """The names of what a process has open or mapped."""
    folder = f"/proc/{process}/fd"
    names = set()
    for fd in _os["listdir"](folder):
        with suppress(OSError):
            names.add(_os["readlink"](f"{folder}/{fd}"))
    with _open_here(f"/proc/{process}/maps", encoding="utf-8") as lines:
        names |= {line.split(maxsplit=5)[5].rstrip("\n") for line in lines if "/" in line}
    return names


_open_here = builtins.open


# --- what is there only ---


class Msvcrt:
    """The module, as far as it locks: one byte or more from the position, for this process alone."""

    LK_UNLCK, LK_LOCK, LK_NBLCK, LK_RLCK, LK_NBRLCK = range(5)

    def locking(self, fd: int, mode: int, count: int) -> None:
        """Lock or unlock, at once."""
        import fcntl

        at = _os["lseek"](fd, 0, os.SEEK_CUR)
        if at + count >= 1 << 31:
            raise _error(errno.EINVAL, 0)
        flags = fcntl.LOCK_UN if mode == self.LK_UNLCK else fcntl.LOCK_EX | fcntl.LOCK_NB
        try:
            fcntl.lockf(fd, flags, count, at)
        except OSError:
            raise _error(errno.EACCES, 33) from None


class Kernel32:
    """The library, as far as it tells of memory."""

    def GlobalMemoryStatusEx(self, status: Any) -> int:
        """Fill a MEMORYSTATUSEX, if its first field says how long it is."""
        if len(status) != 64 or struct.unpack_from("<L", status)[0] != 64:
            return 0
        struct.pack_into("<LL7Q", status, 0, 64, 50, 2 * FREE_BYTES, FREE_BYTES, *[0] * 5)
        return 1
