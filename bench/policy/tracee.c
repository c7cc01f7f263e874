/* SPDX-License-Identifier: BSD-2-Clause */
/* tracee.c - see tracee.h. */
#include "tracee.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define CANNOT_RUN 127

/* ---- starting ---- */

/* Stop where a file is read, unmapped with its pages, or another program takes the process over. */
static const unsigned short stop_at[] = {SYS_read, SYS_pread64, SYS_readv, SYS_preadv, SYS_preadv2,
                                         SYS_sendfile, SYS_copy_file_range, SYS_munmap, SYS_execve, SYS_execveat};
#define STOPS TM_ARRAY_SIZE(stop_at)

static bool install_filter(void)
{
    struct sock_filter code[STOPS + 3];
    code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (unsigned i = 0; i < STOPS; i++)
        code[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, stop_at[i],
                                                   (unsigned char)(STOPS - i), 0);
    code[STOPS + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[STOPS + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    const struct sock_fprog program = {STOPS + 3, code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static bool redirect(const char *path, int flags, int to)
{
    int from = open(path, flags | O_CLOEXEC);
    return from >= 0 && dup2(from, to) == to;
}

/* In the child: waits until it is traced, and becomes the command. */
static _Noreturn void become(const struct policy_command *command, int go)
{
    char byte;
    if (read(go, &byte, 1) == 1 && (command->folder == NULL || chdir(command->folder) == 0) &&
        redirect(command->input != NULL ? command->input : "/dev/null", O_RDONLY, STDIN_FILENO) &&
        redirect("/dev/null", O_WRONLY, STDOUT_FILENO) && install_filter())
        (void)execvp(command->arguments[0], (char *const *)(uintptr_t)command->arguments);
    _exit(CANNOT_RUN);
}

static void end(pid_t process)
{
    (void)kill(process, SIGKILL);
    (void)waitpid(process, NULL, 0);
}

enum tm_exit policy_tracee_start(const struct policy_command *command, pid_t *process)
{
    char cause[TM_ERROR_TEXT_SIZE];
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                         PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL;
    int go[2];
    if (sizeof(void *) < sizeof(uint64_t)) /* where positions are two arguments, and programs often 64-bit ones */
        return tm_fail(TM_EXIT_NOT_FOUND, "a 32-bit build cannot trace programs (build for 64 bit)");
    if (pipe2(go, O_CLOEXEC) != 0)
        return tm_fail(TM_EXIT_FAILED, "cannot start %s: %s", command->arguments[0], tm_error_text(errno, cause));
    *process = fork();
    if (*process == 0)
        become(command, go[0]);
    enum tm_exit code = TM_EXIT_OK;
    if (*process < 0) {
        code = tm_fail(TM_EXIT_FAILED, "cannot start %s: %s", command->arguments[0], tm_error_text(errno, cause));
    } else if (ptrace(PTRACE_SEIZE, *process, NULL, (void *)options) != 0) {
        code = tm_fail(TM_EXIT_NOT_FOUND, "cannot trace programs here: %s (in a container: --cap-add SYS_PTRACE)",
                       tm_error_text(errno, cause));
        end(*process);
    } else if (write(go[1], "", 1) != 1) {
        code = tm_fail(TM_EXIT_FAILED, "cannot start %s: %s", command->arguments[0], tm_error_text(errno, cause));
        end(*process);
    }
    (void)close(go[0]);
    (void)close(go[1]);
    return code;
}

/* ---- what it is about to do ---- */

struct policy_entry policy_tracee_entry(pid_t process)
{
    static uint32_t native; /* what the first call of all, our own, was made for */
    struct __ptrace_syscall_info info;
    struct policy_entry entry = {.stop = POLICY_STOP_OTHER};
    if (ptrace(PTRACE_GET_SYSCALL_INFO, process, (void *)sizeof info, &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_SECCOMP)
        return entry;
    if (native == 0)
        native = info.arch;
    if (info.arch != native)
        return entry;
    const uint64_t *argument = info.seccomp.args;
    bool is_read = true;
    entry.call = (struct policy_call){(int)argument[0], POLICY_POSITION_OF_FILE, 0};
    switch (info.seccomp.nr) {
    case SYS_read:
    case SYS_readv:
        break;
    case SYS_pread64:
    case SYS_preadv:
    case SYS_preadv2:
        entry.call.position = argument[3];
        entry.call.how = argument[3] == UINT64_MAX ? POLICY_POSITION_OF_FILE : POLICY_POSITION_GIVEN;
        break;
    case SYS_sendfile:
        entry.call = (struct policy_call){(int)argument[1], POLICY_POSITION_BEHIND, argument[2]};
        break;
    case SYS_copy_file_range:
        entry.call = (struct policy_call){(int)argument[0], POLICY_POSITION_BEHIND, argument[1]};
        break;
    default:
        is_read = false;
        break;
    }
    if (entry.call.how == POLICY_POSITION_BEHIND && entry.call.position == 0)
        entry.call.how = POLICY_POSITION_OF_FILE;
    if (is_read) {
        entry.stop = POLICY_STOP_READ;
    } else if (info.seccomp.nr == SYS_munmap) {
        entry.stop = POLICY_STOP_UNMAP;
        entry.from = argument[0];
        entry.to = argument[0] + argument[1];
    } else {
        entry.stop = POLICY_STOP_EXECUTE;
    }
    return entry;
}

/* ---- what it has done ---- */

/* Files that the kernel makes up are no files of a disk. There are few devices. */
static bool is_made_up(uint64_t device, const char *path)
{
    static struct {
        uint64_t device;
        bool is_made_up;
    } known[16];
    static unsigned count;
    struct statfs status;
    for (unsigned i = 0; i < count; i++)
        if (known[i].device == device)
            return known[i].is_made_up;
    if (statfs(path, &status) != 0)
        return true;
    bool made_up = (unsigned long)status.f_type == PROC_SUPER_MAGIC || (unsigned long)status.f_type == SYSFS_MAGIC ||
                   (unsigned long)status.f_type == CGROUP2_SUPER_MAGIC;
    if (count < TM_ARRAY_SIZE(known)) {
        known[count].device = device;
        known[count++].is_made_up = made_up;
    }
    return made_up;
}

/* The position of an open file, as the process has it. */
static bool file_position(pid_t process, int descriptor, uint64_t *position)
{
    char path[64];
    char text[128];
    (void)snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)process, descriptor);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1u);
    if (file >= 0)
        (void)close(file);
    if (length <= 0)
        return false;
    text[length] = '\0';
    return sscanf(text, "pos: %" SCNu64, position) == 1;
}

/* Where the bytes end that the call has read, if the call does not say where they begin. */
static bool end_of(pid_t process, const struct policy_call *call, uint64_t *position)
{
    if (call->how == POLICY_POSITION_OF_FILE)
        return file_position(process, call->descriptor, position);
    errno = 0;
    *position = (uint64_t)ptrace(PTRACE_PEEKDATA, process, (void *)(uintptr_t)call->position, NULL);
    return errno == 0;
}

bool policy_tracee_exit(pid_t process, const struct policy_call *call, struct policy_extent *extent)
{
    struct __ptrace_syscall_info info;
    struct stat status;
    char path[64];
    if (ptrace(PTRACE_GET_SYSCALL_INFO, process, (void *)sizeof info, &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_EXIT || info.exit.rval <= 0)
        return false;
    (void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)process, call->descriptor);
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode) || is_made_up(status.st_dev, path))
        return false;
    uint64_t bytes = (uint64_t)info.exit.rval;
    uint64_t position = call->position;
    if (call->how != POLICY_POSITION_GIVEN) {
        if (!end_of(process, call, &position) || position < bytes)
            return false;
        position -= bytes;
    }
    *extent = (struct policy_extent){status.st_dev, status.st_ino, position, bytes};
    return true;
}
