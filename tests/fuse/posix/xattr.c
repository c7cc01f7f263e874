/* SPDX-License-Identifier: BSD-2-Clause */
/* xattr.c - extended attributes and ACLs. */
#include "posix.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

static char value[70000];

static void note_attribute(const char *path, const char *name)
{
    memset(value, 0, sizeof value);
    errno = 0;
    long size = note_result(name, lgetxattr(path, name, value, sizeof value));
    if (size > 0)
        note_bytes(name, value, (size_t)size);
}

static void every_call(void)
{
    write_file("file", "x");
    TRY(setxattr("file", "user.a", "value", 5, 0));
    note_attribute("file", "user.a");
    TRY(setxattr("file", "user.a", "another", 7, XATTR_CREATE));
    TRY(setxattr("file", "user.b", "another", 7, XATTR_REPLACE));
    TRY(setxattr("file", "user.a", "another", 7, XATTR_REPLACE));
    TRY(setxattr("file", "user.b", "new", 3, XATTR_CREATE));
    TRY(setxattr("file", "user.empty", "", 0, 0));
    note_attribute("file", "user.empty");
    TRY(setxattr("file", "user.c", "x", 1, 77));
    TRY(setxattr("file", "user.c", "x", 1, XATTR_CREATE | XATTR_REPLACE));
    TRY(getxattr("file", "user.a", value, 3));
    TRY(getxattr("file", "user.a", value, 0));
    TRY(getxattr("file", "user.missing", value, 10));
    TRY(listxattr("file", value, 0));
    TRY(listxattr("file", value, 3));
    note_file("file");
    TRY(removexattr("file", "user.a"));
    TRY(removexattr("file", "user.a"));
    note_file("file");
    int fd = MUST_OPEN(open("file", O_RDONLY | O_CLOEXEC));
    TRY(fsetxattr(fd, "user.f", "by descriptor", 13, 0));
    TRY(fgetxattr(fd, "user.f", value, sizeof value));
    TRY(flistxattr(fd, value, 0));
    TRY(fremovexattr(fd, "user.f"));
    TRY(fgetxattr(fd, "user.f", value, sizeof value));
    TRY(fsetxattr(-1, "user.f", "x", 1, 0));
}

static void refused(void)
{
    char name[300];
    write_file("file", "x");
    MUST(symlink("file", "link"));
    MUST(symlink("nowhere", "dangling"));
    MUST(mkfifo("pipe", 0600));
    MUST(mkdir("folder", 0755));
    static const char *const names[] = {"user.", "user", "", "nonsense.x", "trusted.x", "security.x", "system.x",
                                        "system.posix_acl_access", "system.posix_acl_default", ".x"};
    static const char *const paths[] = {"file", "link", "dangling", "pipe", "folder", "missing", "file/x", ""};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (size_t path = 0; path < sizeof paths / sizeof *paths; path++) {
            label("%s of %s", names[i], paths[path]);
            TRY(setxattr(paths[path], names[i], "x", 1, 0));
            TRY(lsetxattr(paths[path], names[i], "x", 1, 0));
            TRY(getxattr(paths[path], names[i], value, sizeof value));
            TRY(lgetxattr(paths[path], names[i], value, sizeof value));
            TRY(removexattr(paths[path], names[i]));
            TRY(lremovexattr(paths[path], names[i]));
        }
    label("%s", "");
    TRY(lsetxattr("link", "user.x", "x", 1, 0));
    TRY(setxattr("pipe", "user.x", "x", 1, 0));
    TRY(setxattr("folder", "user.x", "x", 1, 0));
    memset(name, 'n', sizeof name);
    memcpy(name, "user.", 5);
    name[255] = '\0';
    TRY(setxattr("file", name, "x", 1, 0));
    TRY(getxattr("file", name, value, 10));
    name[255] = 'n';
    name[256] = '\0';
    TRY(setxattr("file", name, "x", 1, 0));
    TRY(getxattr("file", name, value, 10));
}

static void sizes(void)
{
    static const size_t all[] = {1, 100, 1000, 2000, 3900, 4096, 10000, 65535, 65536, 65537};
    write_file("file", "x");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        label("%zu bytes", all[i]);
        fill(value, all[i], i);
        TRY(setxattr("file", "user.large", value, all[i], 0));
        note_attribute("file", "user.large");
    }
    label("%s", "");
    TRY(removexattr("file", "user.large"));
    for (int i = 0; i < 60; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "user.number-%d", i);
        TRY(setxattr("file", name, name, strlen(name), 0));
    }
    note_file("file");
}

/* An ACL as the kernel has it: version 2, then tag, permissions and id of each entry. */
struct acl {
    uint32_t version;
    struct {
        uint16_t tag, permissions;
        uint32_t id;
    } entries[8];
};

#define OWNER 1u
#define USER 2u
#define OWNING_GROUP 4u
#define GROUP 8u
#define MASK 16u
#define OTHER 32u
#define NOBODY 0xffffffffu
#define ACL_BYTES(count) (4u + 8u * (count))

static const struct acl named = {
    .version = 2,
    .entries = {{OWNER, 6, NOBODY},
                {USER, 4, USER_B},
                {OWNING_GROUP, 4, NOBODY},
                {GROUP, 6, GROUP_SHARED},
                {MASK, 6, NOBODY},
                {OTHER, 0, NOBODY}},
};
static const struct acl minimal = {2, {{OWNER, 6, NOBODY}, {OWNING_GROUP, 4, NOBODY}, {OTHER, 4, NOBODY}}};

static void acls(void)
{
    write_file("file", "x");
    TRY(setxattr("file", "system.posix_acl_access", &named, ACL_BYTES(6), 0));
    note_file("file");
    note_attribute("file", "system.posix_acl_access");
    TRY(chmod("file", 0604));
    note_attribute("file", "system.posix_acl_access");
    note_stat("file");
    TRY(chmod("file", 0777));
    note_attribute("file", "system.posix_acl_access");
    TRY(setxattr("file", "system.posix_acl_access", &minimal, ACL_BYTES(3), 0));
    note_file("file");
    TRY(setxattr("file", "system.posix_acl_access", &named, ACL_BYTES(6), XATTR_CREATE));
    TRY(removexattr("file", "system.posix_acl_access"));
    note_file("file");
    TRY(removexattr("file", "system.posix_acl_access"));
    TRY(setxattr("file", "system.posix_acl_default", &named, ACL_BYTES(6), 0));
    TRY(setxattr("file", "system.posix_acl_access", &named, ACL_BYTES(5), 0));
    TRY(setxattr("file", "system.posix_acl_access", &named, 7, 0));
    TRY(setxattr("file", "system.posix_acl_access", NULL, 0, 0));
    struct acl wrong = named;
    wrong.version = 3;
    TRY(setxattr("file", "system.posix_acl_access", &wrong, ACL_BYTES(6), 0));
    wrong = named;
    wrong.entries[0].permissions = 9;
    TRY(setxattr("file", "system.posix_acl_access", &wrong, ACL_BYTES(6), 0));
    note_file("file");
    TIMES("file", setxattr("file", "system.posix_acl_access", &named, ACL_BYTES(6), 0));
}

static void default_acls(void)
{
    static const unsigned masks[] = {0, 022, 077};
    MUST(mkdir("folder", 0755));
    TRY(setxattr("folder", "system.posix_acl_default", &named, ACL_BYTES(6), 0));
    note_file("folder");
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++) {
        char name[64];
        (void)umask(masks[i]);
        label("umask %o", masks[i]);
        (void)snprintf(name, sizeof name, "folder/file-%zu", i);
        MUST(close(TRY_OPEN(open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666))));
        note_file(name);
        (void)snprintf(name, sizeof name, "folder/narrow-%zu", i);
        MUST(close(TRY_OPEN(open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600))));
        note_file(name);
        (void)snprintf(name, sizeof name, "folder/folder-%zu", i);
        TRY(mkdir(name, 0777));
        note_file(name);
        (void)snprintf(name, sizeof name, "folder/pipe-%zu", i);
        TRY(mkfifo(name, 0666));
        note_stat(name);
        (void)snprintf(name, sizeof name, "folder/link-%zu", i);
        TRY(symlink("x", name));
        note_stat(name);
        (void)snprintf(name, sizeof name, "folder/folder-%zu/deeper", i);
        TRY(mkdir(name, 0700));
        note_file(name);
    }
    label("%s", "");
    (void)umask(022);
    TRY(removexattr("folder", "system.posix_acl_default"));
    TRY(mkdir("folder/after", 0777));
    note_file("folder/after");
}

static void try_acl(void)
{
    static const char *const names[] = {"named", "masked", "folder/inside"};
    for (size_t i = 0; i < 3; i++) {
        label("user %u %s", geteuid(), names[i]);
        TRY(access(names[i], R_OK));
        TRY(access(names[i], W_OK));
        int fd = TRY_OPEN(open(names[i], O_RDONLY | O_CLOEXEC));
        if (fd >= 0)
            (void)close(fd);
        fd = TRY_OPEN(open(names[i], O_WRONLY | O_CLOEXEC));
        if (fd >= 0)
            (void)close(fd);
        TRY(setxattr(names[i], "system.posix_acl_access", &minimal, ACL_BYTES(3), 0));
        TRY(removexattr(names[i], "system.posix_acl_access"));
    }
}

static void acls_are_obeyed(void)
{
    struct acl masked = named;
    masked.entries[4].permissions = 0;
    MUST(chmod(".", 0777));
    write_file("named", "x");
    write_file("masked", "x");
    MUST(mkdir("folder", 0700));
    write_file("folder/inside", "x");
    MUST(setxattr("named", "system.posix_acl_access", &named, ACL_BYTES(6), 0));
    MUST(setxattr("masked", "system.posix_acl_access", &masked, ACL_BYTES(6), 0));
    struct acl search = named;
    search.entries[1].permissions = 1;
    search.entries[3].permissions = 0;
    MUST(setxattr("folder", "system.posix_acl_access", &search, ACL_BYTES(6), 0));
    run_as(USER_A, false, try_acl);
    run_as(USER_A, true, try_acl);
    run_as(USER_B, false, try_acl);
    /* It is taken away again: at once. */
    MUST(removexattr("named", "system.posix_acl_access"));
    MUST(chmod("named", 0600));
    run_as(USER_B, false, try_acl);
    MUST(chown("named", USER_B, 0));
    run_as(USER_B, false, try_acl);
}

const struct posix_case xattr_cases[] = {
    {"every call", every_call, false},
    {"names and kinds that are refused", refused, false},
    {"large values and many", sizes, false},
    {"ACLs and modes", acls, false},
    {"default ACLs and masks", default_acls, false},
    {"ACLs are obeyed", acls_are_obeyed, true},
    {NULL, NULL, false},
};
