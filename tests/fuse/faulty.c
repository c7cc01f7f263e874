/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * faulty.c - runs a command for which every call that would change a filesystem fails with the same error.
 *
 * usage: faulty ERROR COMMAND [ARGUMENT...]
 *
 * ERROR is a number. The kernel answers the calls itself (seccomp), also for what the command starts. So a disk can be
 * full, over quota, read-only or broken without there being one that is. Exit status 77 when the kernel cannot.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Calls that change files or names; of openat, those that may make one are told by their flags. */
static const unsigned changing[] = {
    SYS_pwrite64,
    SYS_pwritev,
    SYS_pwritev2,
    SYS_ftruncate,
    SYS_truncate,
    SYS_fallocate,
    SYS_copy_file_range,
    SYS_fsync,
    SYS_fdatasync,
    SYS_mkdirat,
    SYS_mknodat,
    SYS_unlinkat,
    SYS_renameat2,
    SYS_linkat,
    SYS_symlinkat,
    SYS_fchmodat,
    SYS_fchmod,
    SYS_fchownat,
    SYS_fchown,
    SYS_utimensat,
    SYS_setxattr,
    SYS_fsetxattr,
    SYS_lsetxattr,
    SYS_removexattr,
    SYS_fremovexattr,
    SYS_lremovexattr,
#ifdef SYS_chmod
    SYS_chmod,
    SYS_chown,
    SYS_mkdir,
    SYS_mknod,
    SYS_unlink,
    SYS_rmdir,
    SYS_rename,
    SYS_renameat,
    SYS_link,
    SYS_symlink,
#endif
};
#define CHANGING (sizeof changing / sizeof *changing)

static int fail_calls(unsigned error)
{
    struct sock_filter code[2 * CHANGING + 8];
    unsigned short length = 0;
    const struct sock_filter fail = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error & SECCOMP_RET_DATA));
    code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < CHANGING; i++) {
        code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, changing[i], 0, 1);
        code[length++] = fail;
    }
    code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3);
    code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]));
    code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT, 0, 1);
    code[length++] = fail;
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = length, .filter = code};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
        return 0;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) : -1;
}

int main(int count, char **arguments)
{
    if (count < 3) {
        fprintf(stderr, "usage: faulty ERROR COMMAND [ARGUMENT...]\n");
        return 2;
    }
    if (fail_calls((unsigned)strtoul(arguments[1], NULL, 10)) != 0) {
        fprintf(stderr, "faulty: the kernel does not filter calls: %s\n", strerror(errno));
        return 77;
    }
    (void)execvp(arguments[2], arguments + 2);
    fprintf(stderr, "faulty: %s: %s\n", arguments[2], strerror(errno));
    return 99;
}
