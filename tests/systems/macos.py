"""macOS, played to one process: what it lacks, and what it has.

What is missing is taken from typeshed's ``sys.platform`` conditions, and ``preadv`` and ``pwritev``,
which came with macOS 11. Played are also: there is no ``/proc`` and no ``/sys``, and files are
flushed by ``F_FULLFSYNC``. Not played: names that differ by case only, normalised names, the
compiled extensions built by another compiler, other libraries.
"""

from __future__ import annotations

import os
from typing import Any

import played

# One name a word, by module.
LACKING = {
    "os": """
        CLONE_FILES CLONE_FS CLONE_NEWCGROUP CLONE_NEWIPC CLONE_NEWNET CLONE_NEWNS CLONE_NEWPID
        CLONE_NEWTIME CLONE_NEWUSER CLONE_NEWUTS CLONE_SIGHAND CLONE_SYSVSEM CLONE_THREAD
        CLONE_VM EFD_CLOEXEC EFD_NONBLOCK EFD_SEMAPHORE GRND_NONBLOCK GRND_RANDOM
        MFD_ALLOW_SEALING MFD_CLOEXEC MFD_HUGETLB MFD_HUGE_16GB MFD_HUGE_16MB MFD_HUGE_1GB
        MFD_HUGE_1MB MFD_HUGE_256MB MFD_HUGE_2GB MFD_HUGE_2MB MFD_HUGE_32MB MFD_HUGE_512KB
        MFD_HUGE_512MB MFD_HUGE_64KB MFD_HUGE_8MB MFD_HUGE_MASK MFD_HUGE_SHIFT O_DIRECT
        O_LARGEFILE O_NOATIME O_PATH O_RSYNC O_TMPFILE PIDFD_NONBLOCK POSIX_FADV_DONTNEED
        POSIX_FADV_NOREUSE POSIX_FADV_NORMAL POSIX_FADV_RANDOM POSIX_FADV_SEQUENTIAL
        POSIX_FADV_WILLNEED POSIX_SPAWN_CLOSEFROM P_PIDFD RTLD_DEEPBIND RWF_APPEND RWF_DSYNC
        RWF_HIPRI RWF_NOWAIT RWF_SYNC SCHED_BATCH SCHED_DEADLINE SCHED_IDLE SCHED_NORMAL
        SCHED_RESET_ON_FORK SPLICE_F_MORE SPLICE_F_MOVE SPLICE_F_NONBLOCK ST_APPEND ST_MANDLOCK
        ST_NOATIME ST_NODEV ST_NODIRATIME ST_NOEXEC ST_RELATIME ST_SYNCHRONOUS ST_WRITE
        TFD_CLOEXEC TFD_NONBLOCK TFD_TIMER_ABSTIME TFD_TIMER_CANCEL_ON_SET XATTR_CREATE
        XATTR_REPLACE XATTR_SIZE_MAX copy_file_range eventfd eventfd_read eventfd_write
        fdatasync getrandom getresgid getresuid getxattr listxattr memfd_create pidfd_open pipe2
        posix_fadvise posix_fallocate preadv pwritev removexattr sched_getaffinity
        sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setparam
        sched_setscheduler setns setresgid setresuid setxattr splice timerfd_create
        timerfd_gettime timerfd_gettime_ns timerfd_settime timerfd_settime_ns unshare
    """.split(),
    "signal": """
        SIGCLD SIGPOLL SIGPWR SIGRTMAX SIGRTMIN SIGSTKFLT pidfd_send_signal sigtimedwait
        sigwaitinfo struct_siginfo
    """.split(),
    "mmap": """
        MADV_DODUMP MADV_DOFORK MADV_DONTDUMP MADV_DONTFORK MADV_HUGEPAGE MADV_HWPOISON
        MADV_MERGEABLE MADV_NOHUGEPAGE MADV_REMOVE MADV_UNMERGEABLE MAP_DENYWRITE MAP_EXECUTABLE
        MAP_POPULATE MAP_STACK
    """.split(),
    "select": """
        EPOLLERR EPOLLET EPOLLEXCLUSIVE EPOLLHUP EPOLLIN EPOLLMSG EPOLLONESHOT EPOLLOUT EPOLLPRI
        EPOLLRDBAND EPOLLRDHUP EPOLLRDNORM EPOLLWAKEUP EPOLLWRBAND EPOLLWRNORM EPOLL_CLOEXEC
        POLLMSG POLLRDHUP epoll
    """.split(),
    "time": """
        CLOCK_BOOTTIME CLOCK_TAI pthread_getcpuclockid
    """.split(),
}

F_FULLFSYNC = 51


def play(package: str) -> None:
    """Be macOS from now on, for the files below ``package``."""
    played.play(
        package,
        lacking=LACKING,
        instead={
            "sys": {"platform": "darwin"},
            "fcntl": {"F_FULLFSYNC": F_FULLFSYNC, "fcntl": _fcntl},
        },
        no_modules=("msvcrt", "winreg"),
    )
    played.guard_names(played.no_system_folders)
    os.fork = _fork


def _fcntl(fd: int, command: int, *rest: Any) -> Any:
    import fcntl

    if command == F_FULLFSYNC:
        return os.fsync(fd)
    return fcntl.fcntl(fd, command, *rest)


def _fork() -> int:
    raise OSError("forking beside the threads of Apple's libraries is not safe")
