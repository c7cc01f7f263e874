/* SPDX-License-Identifier: BSD-2-Clause */
/* user.c - what one ordinary user may do with what belongs to another, or to root: next to nothing. */
#include "posix.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <linux/fs.h>

/* What the other user finds; "m" stands for a mode. */
static const mode_t file_modes[] = {0, 0400, 0200, 0600, 0644, 0666, 0755, 0640, 0660, 0777};
static const mode_t folder_modes[] = {0700, 0711, 0733, 0755, 0777, 01777, 02770, 0750, 0770, 0555};

static void make_files(uid_t owner, gid_t group)
{
    char name[64];
    for (size_t i = 0; i < sizeof file_modes / sizeof *file_modes; i++) {
        (void)snprintf(name, sizeof name, "file-%zu", i);
        write_file(name, "belongs to somebody");
        MUST(setxattr(name, "user.note", "x", 1, 0));
        MUST(chown(name, owner, group));
        MUST(chmod(name, file_modes[i]));
    }
    for (size_t i = 0; i < sizeof folder_modes / sizeof *folder_modes; i++) {
        char inner[80];
        (void)snprintf(name, sizeof name, "folder-%zu", i);
        MUST(mkdir(name, 0755));
        for (int file = 0; file < 3; file++) {
            (void)snprintf(inner, sizeof inner, "%s/inner-%d", name, file);
            write_file(inner, "inside");
            MUST(chmod(inner, 0644));
            MUST(chown(inner, file == 1 ? USER_B : owner, group));
        }
        (void)snprintf(inner, sizeof inner, "%s/empty", name);
        MUST(mkdir(inner, 0755));
        MUST(chown(inner, owner, group));
        MUST(chown(name, owner, group));
        MUST(chmod(name, folder_modes[i]));
    }
}

static void open_and_close(const char *what, const char *name, int flags)
{
    errno = 0;
    int fd = note_open(what, open(name, flags | O_CLOEXEC, 0644));
    if (fd >= 0)
        (void)close(fd);
}

static void on_file(const char *name)
{
    const struct timespec times[2] = {{.tv_sec = 5}, {.tv_sec = 6}};
    char buffer[128];
    struct stat status;
    TRY(lstat(name, &status));
    open_and_close("O_RDONLY", name, O_RDONLY);
    open_and_close("O_WRONLY", name, O_WRONLY);
    open_and_close("O_RDWR", name, O_RDWR);
    open_and_close("O_TRUNC", name, O_RDONLY | O_TRUNC);
    open_and_close("O_CREAT", name, O_RDONLY | O_CREAT);
    open_and_close("O_NOATIME", name, O_RDONLY | O_NOATIME);
    open_and_close("O_PATH", name, O_PATH);
    TRY(truncate(name, 3));
    TRY(chmod(name, 0777));
    TRY(chown(name, USER_B, (gid_t)-1));
    TRY(chown(name, (uid_t)-1, USER_B));
    TRY(chown(name, (uid_t)-1, (gid_t)-1));
    TRY(utimensat(AT_FDCWD, name, times, 0));
    TRY(utimensat(AT_FDCWD, name, NULL, 0));
    TRY(setxattr(name, "user.note", "y", 1, 0));
    TRY(getxattr(name, "user.note", buffer, sizeof buffer));
    TRY(removexattr(name, "user.note"));
    TRY(setxattr(name, "trusted.note", "y", 1, 0));
    TRY(getxattr(name, "trusted.note", buffer, sizeof buffer));
    TRY(setxattr(name, "security.capability", "y", 1, 0));
    TRY(access(name, R_OK | W_OK | X_OK));
    TRY(execl(name, name, (char *)NULL));
    (void)snprintf(buffer, sizeof buffer, "mine/linked-%u-%s", geteuid(), name);
    TRY(link(name, buffer));
    (void)unlink(buffer);
}

static const char *join(char path[static 96], const char *folder, const char *name)
{
    (void)snprintf(path, 96, "%s/%s", folder, name);
    return path;
}

static void in_folder(const char *folder)
{
    char name[96];
    char other[96];
    struct stat status;
#define IN(text) join(name, folder, text)
    open_and_close("list", folder, O_RDONLY | O_DIRECTORY);
    TRY(chmod(folder, 0777));
    TRY(rmdir(folder));
    if (TRY(rename(folder, "mine/stolen")) == 0)
        TRY(rename("mine/stolen", folder));
    TRY(lstat(IN("inner-0"), &status));
    TRY(lstat(IN("missing"), &status));
    open_and_close("open inner-0", IN("inner-0"), O_RDONLY);
    open_and_close("write inner-0", IN("inner-0"), O_WRONLY);
    open_and_close("write inner-1", IN("inner-1"), O_WRONLY);
    open_and_close("make", IN("made"), O_WRONLY | O_CREAT);
    TRY(lstat(IN("made"), &status));
    TRY(unlink(IN("made")));
    TRY(mkdir(IN("made"), 0755));
    TRY(rmdir(IN("made")));
    TRY(symlink("x", IN("made")));
    TRY(unlink(IN("made")));
    TRY(mkfifo(IN("made"), 0644));
    TRY(unlink(IN("made")));
    TRY(mknod(IN("made"), S_IFCHR | 0666, makedev(1, 3)));
    TRY(link(IN("inner-0"), "mine/linked"));
    (void)unlink("mine/linked");
    TRY(link("mine/own", IN("made")));
    TRY(unlink(IN("made")));
    TRY(rename("mine/own", IN("made")));
    (void)snprintf(other, sizeof other, "%s/inner-2", folder);
    TRY(rename(IN("made"), "mine/own"));
    TRY(rename(IN("inner-0"), other));
    TRY(renameat2(AT_FDCWD, IN("inner-1"), AT_FDCWD, other, RENAME_EXCHANGE));
    TRY(rename("mine/own", other));
    write_file("mine/own", "mine");
    TRY(unlink(IN("inner-0")));
    TRY(unlink(IN("inner-1")));
    TRY(unlink(other));
    TRY(rmdir(IN("empty")));
    TRY(chdir(folder) == 0 ? chdir("..") : -1);
#undef IN
}

static void try_everything(void)
{
    char name[64];
    for (size_t i = 0; i < sizeof file_modes / sizeof *file_modes; i++) {
        (void)snprintf(name, sizeof name, "file-%zu", i);
        label("user %u, a file of mode %o", geteuid(), file_modes[i]);
        on_file(name);
    }
    for (size_t i = 0; i < sizeof folder_modes / sizeof *folder_modes; i++) {
        (void)snprintf(name, sizeof name, "folder-%zu", i);
        label("user %u, a folder of mode %o", geteuid(), folder_modes[i]);
        in_folder(name);
    }
    label("%s", "");
}

static void set_up(uid_t owner, gid_t group)
{
    MUST(chmod(".", 0755));
    MUST(mkdir("mine", 0777));
    MUST(chmod("mine", 0777));
    write_file("mine/own", "mine");
    MUST(chmod("mine/own", 0666));
    make_files(owner, group);
}

static void strangers(void)
{
    set_up(USER_A, USER_A);
    run_as(USER_B, false, try_everything);
}

static void strangers_of_root(void)
{
    set_up(0, 0);
    run_as(USER_A, false, try_everything);
}

static void members(void)
{
    set_up(USER_A, GROUP_SHARED);
    run_as(USER_B, true, try_everything);
}

static void owners(void)
{
    set_up(USER_A, GROUP_SHARED);
    run_as(USER_A, false, try_everything);
}

/* A group of the caller that is none of its process's own does not help. */
static void not_members(void)
{
    set_up(USER_A, GROUP_SHARED);
    run_as(USER_B, false, try_everything);
}

static void make_own(void)
{
    char name[64];
    (void)snprintf(name, sizeof name, "common/of-%u", geteuid());
    open_and_close("make", name, O_WRONLY | O_CREAT | O_EXCL);
    note_stat(name);
    (void)snprintf(name, sizeof name, "common/folder-of-%u", geteuid());
    TRY(mkdir(name, 0750));
    note_stat(name);
    (void)snprintf(name, sizeof name, "common/link-of-%u", geteuid());
    TRY(symlink("x", name));
    note_stat(name);
    (void)snprintf(name, sizeof name, "common/pipe-of-%u", geteuid());
    TRY(mkfifo(name, 0666));
    note_stat(name);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "common/socket-of-%u", geteuid());
    int fd = MUST_OPEN(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    TRY(bind(fd, (const struct sockaddr *)&address, sizeof address));
    note_stat(address.sun_path);
    (void)close(fd);
}

static void remove_other(void)
{
    const uid_t other = geteuid() == USER_A ? USER_B : USER_A;
    static const char *const kinds[] = {"of", "folder-of", "link-of", "pipe-of", "socket-of"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "common/%s-%u", kinds[i], other);
        label("%s", name);
        TRY(unlink(name));
        TRY(rmdir(name));
        TRY(rename(name, "common/taken"));
        open_and_close("write", name, O_WRONLY | O_NONBLOCK);
        open_and_close("make", name, O_RDWR | O_CREAT | O_NONBLOCK);
    }
    label("%s", "");
}

static void sticky(void)
{
    MUST(mkdir("common", 0755));
    MUST(chmod("common", 01777));
    run_as(USER_A, false, make_own);
    run_as(USER_B, false, make_own);
    run_as(USER_A, false, remove_other);
    run_as(USER_B, true, remove_other);
    MUST(chmod("common", 0777));
    run_as(USER_B, false, remove_other);
}

static void shared_group(void)
{
    MUST(mkdir("common", 0755));
    MUST(chown("common", 0, GROUP_SHARED));
    MUST(chmod("common", 02770));
    run_as(USER_A, true, make_own);
    run_as(USER_B, true, make_own);
    run_as(USER_A, true, remove_other);
    run_as(USER_A, false, make_own);
}

static void chmod_in_group(void)
{
    TRY(chmod("file", 02755));
    note_stat("file");
    TRY(chown("file", (uid_t)-1, GROUP_SHARED));
    note_stat("file");
    TRY(chmod("file", 02755));
    note_stat("file");
    open_and_close("make", "folder/new", O_WRONLY | O_CREAT);
    TRY(mkdir("folder/inner", 02755));
    note_stat("folder/new");
    note_stat("folder/inner");
    TRY(chmod("folder/inner", 02770));
    note_stat("folder/inner");
}

static void set_group(void)
{
    write_file("file", "x");
    MUST(chown("file", USER_A, GROUP_SHARED));
    MUST(mkdir("folder", 0755));
    MUST(chown("folder", USER_A, GROUP_SHARED));
    MUST(chmod("folder", 02775));
    run_as(USER_A, false, chmod_in_group);
    MUST(unlink("folder/new"));
    MUST(rmdir("folder/inner"));
    run_as(USER_A, true, chmod_in_group);
}

static int kept_reader, kept_writer, kept_folder;

static void use_kept(void)
{
    char buffer[32] = "";
    TRY(pread(kept_reader, buffer, 10, 0));
    note_text("read", buffer);
    TRY(pwrite(kept_writer, "kept", 4, 0));
    TRY(ftruncate(kept_writer, 10));
    TRY(fchmod(kept_writer, 0777));
    TRY(fchown(kept_writer, geteuid(), (gid_t)-1));
    TRY(fsetxattr(kept_writer, "user.x", "x", 1, 0));
    TRY_OPEN(openat(kept_folder, "inner", O_RDONLY | O_CLOEXEC));
    TRY(fchdir(kept_folder));
}

/* What was opened before rights were given up can be used on. */
static void kept_descriptors(void)
{
    write_file("file", "kept open");
    MUST(mkdir("folder", 0700));
    write_file("folder/inner", "x");
    kept_reader = MUST_OPEN(open("file", O_RDONLY | O_CLOEXEC));
    kept_writer = MUST_OPEN(open("file", O_WRONLY | O_CLOEXEC));
    kept_folder = MUST_OPEN(open("folder", O_RDONLY | O_CLOEXEC));
    MUST(chmod("file", 0));
    run_as(USER_A, false, use_kept);
    note_file("file");
}

const struct posix_case user_cases[] = {
    {"files and folders of another user", strangers, true},
    {"files and folders of root", strangers_of_root, true},
    {"files and folders of a shared group", members, true},
    {"files and folders of a group one is not in", not_members, true},
    {"files and folders of one's own", owners, true},
    {"sticky directories", sticky, true},
    {"a directory of a group", shared_group, true},
    {"set-gid needs membership", set_group, true},
    {"descriptors outlive rights", kept_descriptors, true},
    {NULL, NULL, false},
};
