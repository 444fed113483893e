# SPDX-License-Identifier: Apache-2.0
"""What hostile code would try, by name: each one line of Python over what `hostile_cell` gives it.

`call` is a system call by name that raises OSError when it fails; `scene` is a folder that the
user of the cell owns, `victim` a process of that user.
"""

import platform
from collections.abc import Mapping

NEEDS_X86 = {"a call of another ABI", "a call of the 32-bit interface"}

FILES: Mapping[str, str] = {
    "open": "open('/etc/passwd').read()",
    "open after close(0)": "os.close(0), say(os.open('/etc/passwd', 0))",
    "the user's own file after close(0)": "os.close(0), say(os.open(scene + '/secret', 0))",
    "open as a call": "call('open', path('secret'), 0)",
    "openat": "call('openat', -100, path('secret'), 0)",
    "openat2": "call('openat2', -100, path('secret'), bytes(24), 24)",
    "openat to create": "call('openat', -100, path('created'), 0o101, 0o600)",
    "creat": "call('creat', path('created'), 0o600)",
    "memory of this process": "open('/proc/self/mem', 'r+b', buffering=0)",
    "readlink": "os.readlink('/proc/self/exe')",
    "stat": "os.stat('/etc/passwd')",
    "access": "os.access('/etc/passwd', 0)",
    "listing": "os.listdir('/')",
    "getcwd": "os.getcwd()",
    "chdir": "os.chdir('/')",
    "link": "os.link(scene + '/victim', scene + '/linked')",
    "symlink": "os.symlink('/etc/passwd', scene + '/symlinked')",
    "truncate": "os.truncate(scene + '/victim', 0)",
    "ftruncate of the input": "os.ftruncate(0, 0)",
    "fallocate of the input": "call('fallocate', 0, 0, 0, 1)",
    "chmod": "os.chmod(scene + '/victim', 0o777)",
    "fchmod of the input": "os.fchmod(0, 0o777)",
    "chown": "os.chown(scene + '/victim', os.getuid(), os.getgid())",
    "utime": "os.utime(scene + '/victim', (1, 1))",
    "mkdir": "os.mkdir(scene + '/made')",
    "mkfifo": "os.mkfifo(scene + '/fifo')",
    "a device": "os.mknod(scene + '/device', 0o20666, os.makedev(1, 3))",
    "an attribute": "os.setxattr(scene + '/victim', 'user.x', b'y')",
    "name_to_handle_at": "call('name_to_handle_at', -100, path('victim'), bytes(136), bytes(8), 0)",
    "open_by_handle_at": "call('open_by_handle_at', -100, bytes(136), 0)",
    "lseek of the input": "os.lseek(0, 0, 0)",
    "mapping of the input": "call('mmap', 0, 4096, 1, 2, 0, 0)",
    "dup": "os.dup(0)",
    "dup2 over the answer": "os.dup2(0, 1)",
    "fcntl": "fcntl.fcntl(0, fcntl.F_DUPFD, 9)",
    "flock": "fcntl.flock(0, fcntl.LOCK_SH)",
    "sendfile": "os.sendfile(1, 0, 0, 1)",
    "copy_file_range": "call('copy_file_range', 0, 0, 1, 0, 1, 0)",
    "splice": "call('splice', 0, 0, 1, 0, 1, 0)",
    "write to standard error": "os.write(2, b'x')",
    "writev": "os.writev(1, [b'x'])",
    "sync": "os.sync()",
    "inotify": "call('inotify_init1', 0)",
    "fanotify": "call('fanotify_init', 0, 0)",
    "rename": "os.rename(scene + '/victim', scene + '/moved')",
    "renameat2": "call('renameat2', -100, path('secret'), -100, path('moved too'), 0)",
    "unlink": "os.unlink(scene + '/moved')",
    "rmdir": "os.rmdir(scene + '/folder')",
}
"""Reading, changing or watching files."""

CHANNELS: Mapping[str, str] = {
    "io_uring": "call('io_uring_setup', 8, bytes(120))",
    "aio": "call('io_setup', 1, bytes(8))",
    "unix socket": "socket.socket(socket.AF_UNIX).connect(scene + '/socket')",
    "unix socket after close(0)": "os.close(0), socket.socket(1).connect(scene + '/socket')",
    "abstract socket": "socket.socket(socket.AF_UNIX).connect(abstract)",
    "tcp": "socket.socket().connect(('127.0.0.1', tcp_port))",
    "udp": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', udp_port))",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "raw packets": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "socketpair": "socket.socketpair()",
    "connect of the input": "call('connect', 0, bytes(16), 16)",
    "sendmsg on the answer": "call('sendmsg', 1, bytes(56), 0)",
    "pipe": "os.pipe()",
    "eventfd": "os.eventfd(0)",
    "memfd_create": "os.memfd_create('x')",
    "memfd_secret": "call('memfd_secret', 0)",
    "message queue": "call('mq_open', b'tabard-test', 0o102, 0o600, 0)",
    "shared memory": "call('shmget', 0, 4096, 0o1600)",
    "semaphores": "call('semget', 0, 1, 0o1600)",
    "messages": "call('msgget', 0, 0o1600)",
    "userfaultfd": "call('userfaultfd', 1)",
    "signalfd": "call('signalfd4', -1, bytes(8), 8, 0)",
    "timerfd": "call('timerfd_create', 1, 0)",
    "poll": "select.select([0], [], [], 0)",
    "epoll": "select.epoll()",
    "typing into the terminal": "fcntl.ioctl(0, 0x5412, b'x')",
    "ioctl": "fcntl.ioctl(1, 0x541B, bytes(4))",
}
"""Talking to anybody."""

PROCESSES: Mapping[str, str] = {
    "system": "os.system(touch())",
    "execve": "os.execv('/bin/sh', ['sh', '-c', touch()])",
    "execveat": "call('execveat', -100, b'/bin/true', 0, 0, 0)",
    "subprocess": "subprocess.run(['/bin/true'])",
    "posix_spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "exec of a memory file": "os.execve(os.memfd_create('x'), ['x'], {})",
    "exec after close(0)": "os.close(0), os.execv('/bin/sh', ['sh', '-c', touch()])",
    "fork": "os.fork() or os._exit(0)",
    "fork as a call": "call('fork') or os._exit(0)",
    "vfork": "call('vfork') or os._exit(0)",
    "clone": "call('clone', 17, 0, 0, 0, 0) or os._exit(0)",
    "clone3": "call('clone3', bytes(32) + bytes([17]) + bytes(31), 64) or os._exit(0)",
    "thread": "threading.Thread(target=int).start()",
    "ptrace of a process": "call('ptrace', 16, victim, 0, 0)",
    "ptrace of the parent": "call('ptrace', 16, os.getppid(), 0, 0)",
    "process_vm_readv": "call('process_vm_readv', victim, vector(), 1, vector(), 1, 0)",
    "process_vm_writev": "call('process_vm_writev', victim, vector(), 1, vector(), 1, 0)",
    "kill": "os.kill(victim, 9)",
    "kill of the parent": "os.kill(os.getppid(), 10)",
    "kill of everybody": "call('kill', -1, 0)",
    "tgkill": "call('tgkill', victim, victim, 9)",
    "tkill": "call('tkill', victim, 9)",
    "rt_sigqueueinfo": "call('rt_sigqueueinfo', victim, 9, bytes(128))",
    "pidfd_open": "os.pidfd_open(victim)",
    "pidfd_getfd": "call('pidfd_getfd', 0, 0, 0)",
    "pidfd_send_signal": "call('pidfd_send_signal', 0, 9, 0, 0)",
    "kcmp": "call('kcmp', victim, victim, 1, 0, 0)",
    "process_madvise": "call('process_madvise', 0, 0, 0, 0, 0)",
    "wait": "call('wait4', -1, 0, 1, 0)",
    "handler of a signal": "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "mask of signals": "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])",
    "stack of signals": "call('sigaltstack', bytes(24), 0)",
}
"""Running or touching other processes."""

PRIVILEGES: Mapping[str, str] = {
    "setuid": "os.setuid(0)",
    "setresuid": "os.setresuid(0, 0, 0)",
    "setgroups": "os.setgroups([0])",
    "capset": "call('capset', header, bytes(24))",
    "prctl": "call('prctl', 4, 1, 0, 0, 0)",
    "arch_prctl": "call('arch_prctl', 0x1001, 0)",
    "seccomp": "call('seccomp', 2, 0, bytes(4))",
    "personality": "call('personality', 0x0400000)",
    "unshare": "call('unshare', 0x10000000)",
    "setns": "call('setns', 0, 0)",
    "chroot": "os.chroot(scene)",
    "mount": "call('mount', b'none', path('folder'), b'tmpfs', 0, 0)",
    "umount": "call('umount2', path('folder'), 0)",
    "pivot_root": "call('pivot_root', path('folder'), path('folder'))",
    "open_tree": "call('open_tree', -100, path('folder'), 1)",
    "fsopen": "call('fsopen', b'tmpfs', 0)",
    "bpf": "call('bpf', 0, bytes(120), 120)",
    "perf_event_open": "call('perf_event_open', bytes(128), 0, -1, -1, 0)",
    "keyctl": "call('keyctl', 0, -3, 1)",
    "add_key": "call('add_key', b'user', b'tabard-test', b'x', 1, -2)",
    "module": "call('init_module', bytes(8), 8, b'')",
    "kexec": "call('kexec_load', 0, 0, 0, 0)",
    "reboot": "call('reboot', 0, 0, 0, 0)",
    "log of the kernel": "call('syslog', 3, bytes(64), 64)",
    "scheduler": "os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))",
    "affinity": "os.sched_setaffinity(0, {0})",
    "priority": "os.setpriority(0, 0, 19)",
    "limits": "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))",
    "limits of another": "call('prlimit64', victim, 7, bytes(16), 0)",
    "new session": "os.setsid()",
    "sleep": "time.sleep(0.001)",
    "timer": "signal.setitimer(signal.ITIMER_REAL, 100)",
    "landlock": "call('landlock_create_ruleset', 0, 0, 1)",
    "a call that does not exist": "call(999)",
    "a call of another ABI": "call(0x40000000 | 39)",
    "a call of the 32-bit interface": "call_32_bit()",
}
"""Getting more rights, and the kernel's darker corners."""

MEMORY: Mapping[str, str] = {
    "memory to execute": "call('mmap', 0, 4096, 7, 0x22, -1, 0)",
    "memory made executable": "call('mprotect', page(), 4096, 7)",
    "memory with a key": "call('pkey_mprotect', page(), 4096, 7, -1)",
    "memory for all": "call('mmap', 0, 4096, 3, 0x21, -1, 0)",
    "memory locked": "call('mlock', page(), 4096)",
    "memory poisoned": "call('madvise', page(), 4096, 100)",
    "shared waiting": "call('futex', page(), 1, 1, 0, 0, 0)",
    "attached memory": "call('shmat', 0, 0, 0)",
}
"""Memory that is more than memory."""

ATTEMPTS: Mapping[str, str] = {
    name: code
    for name, code in {**FILES, **CHANNELS, **PROCESSES, **PRIVILEGES, **MEMORY}.items()
    if platform.machine() == "x86_64" or name not in NEEDS_X86
}
"""All of them; each must be the end of its process."""

STRONG = {
    *("kill", "kill of the parent", "kill of everybody", "tgkill", "tkill", "rt_sigqueueinfo"),
    *("ptrace of a process", "ptrace of the parent", "process_vm_writev", "vfork"),
    *("mount", "umount", "pivot_root", "module", "kexec", "reboot", "add_key"),
    *("shared memory", "semaphores", "messages", "message queue", "dup2 over the answer"),
}
"""Those that would leave something behind in an open process, or end who watches it."""

ALIVE = {
    *("open", "open after close(0)", "the user's own file after close(0)", "openat"),
    *("openat to create", "link", "symlink", "truncate", "chmod", "chown"),
    *("utime", "mkdir", "mkfifo", "rename", "renameat2", "unlink", "rmdir", "mapping of the input"),
    *("unix socket", "unix socket after close(0)", "abstract socket", "tcp", "udp", "socketpair"),
    *("pipe", "eventfd", "memfd_create", "epoll", "system", "subprocess", "posix_spawn", "fork"),
    *("clone", "thread", "handler of a signal", "prctl", "affinity", "priority", "limits"),
    *("new session", "memory to execute", "memory made executable", "memory for all"),
}
"""Those that work in an open process of whatever user, on any Linux."""

APPETITES: Mapping[str, str] = {
    "memory bomb": "bytearray(1 << 40)",
    "memory in small pieces": "[bytearray(1 << 20) for _ in range(1 << 20)]",
    "endless work": "endless()",
    "endless depth": "deepen()",
    "endless answer": "flood()",
}
"""What the seal bounds and the filter allows."""
