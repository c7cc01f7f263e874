/* SPDX-License-Identifier: BSD-2-Clause */
/* attribute.c - modes, owners, what clears set-uid, statx, statfs, access. */
#include "posix.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static void modes(void)
{
    static const mode_t all[] = {0, 0600, 0644, 0777, 01777, 02755, 04755, 06755, 07777, 0100644, 040755};
    write_file("file", "x");
    MUST(mkdir("folder", 0755));
    MUST(symlink("file", "link"));
    MUST(mkfifo("pipe", 0600));
    int fd = MUST_OPEN(open("file", O_RDONLY | O_CLOEXEC));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        label("%o", all[i]);
        TRY(chmod("file", all[i]));
        TRY(chmod("folder", all[i]));
        TRY(chmod("pipe", all[i]));
        note_stat("file");
        note_stat("folder");
        note_stat("pipe");
        TRY(chmod("link", 0640));
        TRY(fchmod(fd, all[i] ^ 0111));
        note_stat("file");
    }
    label("%s", "");
    TRY(chmod("folder", 0755));
    TRY(chmod("missing", 0644));
    TRY(chmod("file/x", 0644));
    TRY(chmod("", 0644));
    TRY(fchmod(-1, 0644));
    TRY(fchmodat(AT_FDCWD, "link", 0600, AT_SYMLINK_NOFOLLOW));
    TRY(fchmodat(AT_FDCWD, "file", 0600, 0x4000));
    TIMES("file", chmod("file", 0644));
    TIMES("file", chmod("file", 0644));
    note_stat("link");
}

static void owners(void)
{
    write_file("file", "x");
    MUST(mkdir("folder", 0755));
    MUST(symlink("file", "link"));
    MUST(symlink("missing", "dangling"));
    int fd = MUST_OPEN(open("file", O_RDONLY | O_CLOEXEC));
    TRY(chown("file", 1000, 1001));
    note_stat("file");
    TRY(chown("file", (uid_t)-1, 5));
    TRY(chown("file", 7, (gid_t)-1));
    TRY(chown("file", (uid_t)-1, (gid_t)-1));
    note_stat("file");
    TRY(chown("link", 11, 12));
    TRY(lchown("link", 13, 14));
    note_stat("link");
    note_stat("file");
    TRY(chown("dangling", 1, 1));
    TRY(lchown("dangling", 15, 16));
    note_stat("dangling");
    TRY(fchown(fd, 4000000000u, 4000000001u));
    note_stat("file");
    TRY(chown("folder", 3, 3));
    note_stat("folder");
    TRY(chown("missing", 1, 1));
    TRY(fchown(-1, 1, 1));
    TRY(fchownat(AT_FDCWD, "link", 21, 22, AT_SYMLINK_NOFOLLOW));
    TRY(fchownat(fd, "", 23, 24, AT_EMPTY_PATH));
    TRY(fchownat(AT_FDCWD, "file", 1, 1, 0x4000));
    note_stat("link");
    note_stat("file");
    TIMES("file", chown("file", 0, 0));
    TIMES("file", chown("file", (uid_t)-1, (gid_t)-1));
}

#define WAYS 12
#define WAY_OF_STORE 6
#define MODE_OF_LOCK 02644

static const mode_t set_modes[] = {04755, 02755, 06755, MODE_OF_LOCK, 06777, 04644};

/* What the changes of an ordinary user, and of root, do to set-uid and set-gid. */
static void write_one(const char *name, int way)
{
    int fd = open(name, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    switch (way) {
    case 0:
        TRY(write(fd, "y", 1));
        break;
    case 1:
        TRY(ftruncate(fd, 10));
        break;
    case 2:
        TRY(ftruncate(fd, 0));
        break;
    case 3:
        TRY(fallocate(fd, 0, 0, 4096));
        break;
    case 4:
        TRY(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
        break;
    case 5:
        TRY(write(fd, "", 0));
        break;
    case WAY_OF_STORE: {
        char *at = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (at != MAP_FAILED) {
            at[0] = 'm';
            TRY(msync(at, 1, MS_SYNC));
            MUST(munmap(at, 1));
        }
        break;
    }
    case 7:
        TRY(truncate(name, 3));
        break;
    case 8:
        TRY_OPEN(open(name, O_WRONLY | O_TRUNC | O_CLOEXEC));
        break;
    case 9: {
        off_t from = 0;
        off_t to = 2000;
        TRY(copy_file_range(fd, &from, fd, &to, 1, 0));
        break;
    }
    case 10:
        TRY(pwritev2(fd, NULL, 0, 0, 0));
        break;
    default:
        TRY(fsetxattr(fd, "user.x", "x", 1, 0));
        break;
    }
    (void)close(fd);
}

/* Without permission to run it, set-gid once meant a lock; FUSE leaves it as it is. */
static void note_set_mode(const char *name, mode_t mode)
{
    if (mode == MODE_OF_LOCK)
        known("set-gid stays on a file that its group may not run");
    note_stat(name);
    known(NULL);
}

static void write_all(void)
{
    for (int way = 0; way < WAYS; way++)
        for (size_t i = 0; i < sizeof set_modes / sizeof *set_modes; i++) {
            char name[32];
            label("way %d of %o", way, set_modes[i]);
            (void)snprintf(name, sizeof name, "file-%d-%zu", way, i);
            write_one(name, way);
            if (way == WAY_OF_STORE)
                known("in an ordinary user's mount a store to a mapping takes set-uid and set-gid away");
            note_set_mode(name, set_modes[i]);
        }
    label("%s", "");
}

static void make_set_files(uid_t owner, mode_t more)
{
    for (int way = 0; way < WAYS; way++)
        for (size_t i = 0; i < sizeof set_modes / sizeof *set_modes; i++) {
            char name[32];
            (void)snprintf(name, sizeof name, "file-%d-%zu", way, i);
            write_file(name, "x");
            if (geteuid() == 0)
                MUST(chown(name, owner, GROUP_SHARED));
            MUST(chmod(name, set_modes[i] | more));
        }
}

static void set_bits_by_writing(void)
{
    make_set_files(1000, 0);
    write_all();
    remove_all_here();
}

static void set_bits_by_a_stranger(void)
{
    MUST(chmod(".", 0777));
    make_set_files(1000, 0666);
    run_as(USER_A, false, write_all);
    remove_all_here();
}

static void set_bits_by_a_member(void)
{
    MUST(chmod(".", 0777));
    make_set_files(1000, 0666);
    run_as(USER_A, true, write_all);
    remove_all_here();
}

static void chown_all(void)
{
    for (size_t i = 0; i < sizeof set_modes / sizeof *set_modes; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "file-0-%zu", i);
        label("%o", set_modes[i]);
        TRY(chown(name, (uid_t)-1, (gid_t)-1));
        note_set_mode(name, set_modes[i]);
        TRY(chmod(name, set_modes[i]));
        TRY(chown(name, (uid_t)-1, GROUP_SHARED));
        note_set_mode(name, set_modes[i]);
        TRY(chmod(name, set_modes[i]));
        note_set_mode(name, set_modes[i]);
        TRY(chown(name, geteuid(), (gid_t)-1));
        note_set_mode(name, set_modes[i]);
        TRY(chmod(name, set_modes[i]));
        TRY(chown(name, 1, 1));
        note_set_mode(name, set_modes[i]);
    }
    label("%s", "");
}

static void set_bits_by_chown(void)
{
    make_set_files(1000, 0);
    chown_all();
    make_set_files(USER_A, 0);
    run_as(USER_A, false, chown_all);
    make_set_files(USER_A, 0);
    run_as(USER_A, true, chown_all);
    remove_all_here();
    MUST(mkdir("folder", 0755));
    MUST(chmod("folder", 06777));
    TRY(chown("folder", 5, 5));
    note_stat("folder");
}

static void capabilities(void)
{
    /* A version-2 capability of one file: cap_net_raw. */
    static const unsigned char value[20] = {1, 0, 0, 2, 0, 0x20};
    write_file("file", "x");
    TRY(setxattr("file", "security.capability", value, sizeof value, 0));
    note_file("file");
    int fd = MUST_OPEN(open("file", O_WRONLY | O_CLOEXEC));
    TRY(write(fd, "y", 1));
    note_file("file");
    TRY(fsetxattr(fd, "security.capability", value, sizeof value, 0));
    TRY(ftruncate(fd, 0));
    note_file("file");
    TRY(fsetxattr(fd, "security.capability", value, sizeof value, 0));
    TRY(chown("file", 1, 1));
    note_file("file");
    TRY(fsetxattr(fd, "security.capability", value, sizeof value, 0));
    TRY(chmod("file", 0700));
    note_file("file");
}

static void inherited_groups(void)
{
    MUST(mkdir("folder", 0755));
    MUST(chown("folder", 0, GROUP_SHARED));
    MUST(chmod("folder", 02775));
    TRY(mkdir("folder/inner", 0755));
    note_stat("folder/inner");
    MUST(close(TRY_OPEN(open("folder/file", O_RDWR | O_CREAT | O_CLOEXEC, 02775))));
    note_stat("folder/file");
    TRY(symlink("x", "folder/link"));
    note_stat("folder/link");
    TRY(mkfifo("folder/pipe", 0666));
    note_stat("folder/pipe");
    TRY(mkdir("folder/inner/deeper", 0700));
    note_stat("folder/inner/deeper");
}

static void note_statx(const char *path, int flags, unsigned mask)
{
    struct statx status;
    memset(&status, 0, sizeof status);
    if (TRY(statx(AT_FDCWD, path, flags, mask, &status)) != 0)
        return;
    known("the time of birth is not passed on");
    note("mask %x", status.stx_mask & (STATX_BASIC_STATS | STATX_BTIME));
    known(NULL);
    note("mode %o links %u owner %u:%u size %llu", status.stx_mode, status.stx_nlink, status.stx_uid, status.stx_gid,
         S_ISDIR(status.stx_mode) ? 0ull : (unsigned long long)status.stx_size);
    note("block size %u attributes %llx", status.stx_blksize, (unsigned long long)status.stx_attributes);
}

static void extended_status(void)
{
    write_file("file", "content");
    MUST(symlink("file", "link"));
    note_statx("file", 0, STATX_BASIC_STATS);
    note_statx("file", AT_STATX_FORCE_SYNC, STATX_BASIC_STATS | STATX_BTIME);
    note_statx("file", AT_STATX_DONT_SYNC, STATX_SIZE);
    note_statx("file", 0, 0);
    note_statx("link", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS);
    note_statx("link", 0, STATX_BASIC_STATS);
    note_statx(".", 0, STATX_BASIC_STATS);
    note_statx("missing", 0, STATX_BASIC_STATS);
    note_statx("", 0, STATX_BASIC_STATS);
    note_statx("", AT_EMPTY_PATH, STATX_BASIC_STATS);
    note_statx("file", 0x100000, STATX_BASIC_STATS);
    note_statx("file", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_BASIC_STATS);
}

static void filesystem_status(void)
{
    struct statvfs status;
    struct statfs raw;
    write_file("file", "x");
    int fd = MUST_OPEN(open("file", O_RDONLY | O_CLOEXEC));
    TRY(statvfs(".", &status));
    note("block %lu fragment %lu blocks %lu files %lu name %lu", status.f_bsize, status.f_frsize,
         (unsigned long)status.f_blocks, (unsigned long)status.f_files, status.f_namemax);
    TRY(fstatfs(fd, &raw));
    note("block %ld name %ld", (long)raw.f_bsize, (long)raw.f_namelen);
    TRY(statfs("missing", &raw));
    TRY(statfs("file/x", &raw));
    TRY(fstatfs(-1, &raw));
    TRY(pathconf("file", _PC_NAME_MAX));
    TRY(pathconf("file", _PC_PATH_MAX));
    TRY(pathconf(".", _PC_SYNC_IO));
}

static void access_all(void)
{
    static const int wanted[] = {F_OK, R_OK, W_OK, X_OK, R_OK | W_OK | X_OK, 8};
    static const char *const names[] = {"none", "read", "write", "run", "folder", "link", "dangling", "missing",
                                        "none/x"};
    for (size_t name = 0; name < sizeof names / sizeof *names; name++)
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
            label("%s for %d", names[name], wanted[i]);
            TRY(access(names[name], wanted[i]));
            TRY(faccessat(AT_FDCWD, names[name], wanted[i], AT_EACCESS));
            TRY(faccessat(AT_FDCWD, names[name], wanted[i], AT_SYMLINK_NOFOLLOW));
        }
    label("%s", "");
    TRY(access("", F_OK));
    TRY(faccessat(AT_FDCWD, "none", F_OK, 0x4000));
    TRY(faccessat(-1, "none", F_OK, 0));
}

static void access_is_checked(void)
{
    write_file("none", "x");
    write_file("read", "x");
    write_file("write", "x");
    write_file("run", "x");
    MUST(chmod("none", 0));
    MUST(chmod("read", 0444));
    MUST(chmod("write", 0222));
    MUST(chmod("run", 0111));
    MUST(mkdir("folder", 0555));
    MUST(symlink("none", "link"));
    MUST(symlink("nowhere", "dangling"));
    access_all();
}

const struct posix_case attribute_cases[] = {
    {"modes", modes, false},
    {"owners", owners, true},
    {"owners, tried by who may not", owners, false},
    {"writing clears set-uid and set-gid", set_bits_by_writing, false},
    {"a stranger's writing clears set-uid and set-gid", set_bits_by_a_stranger, true},
    {"a group member's writing clears set-uid and set-gid", set_bits_by_a_member, true},
    {"chown clears set-uid and set-gid", set_bits_by_chown, true},
    {"writing takes capabilities away", capabilities, true},
    {"groups are inherited from set-gid directories", inherited_groups, true},
    {"statx", extended_status, false},
    {"statfs", filesystem_status, false},
    {"access", access_is_checked, false},
    {NULL, NULL, false},
};
