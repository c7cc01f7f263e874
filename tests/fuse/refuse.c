/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * refuse.c - tries every call that would change something below a directory, and expects EROFS.
 *
 * usage: refuse DIRECTORY, which must hold `file` (not empty), `folder/` and `link`.
 * Prints the calls that did not answer EROFS; exit status 0 when there are none.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

static int tried;
static int wrong;

/* Notes the result of a call, just made. */
static void expect_read_only(const char *call, long result)
{
    tried++;
    if (result == -1 && errno == EROFS)
        return;
    wrong++;
    printf("%s: %s\n", call, result == -1 ? strerror(errno) : "it worked");
}

#define EXPECT(call) (errno = 0, expect_read_only(#call, (long)(call)))

static void try_names(void)
{
    const struct timespec now[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    EXPECT(open("new", O_WRONLY | O_CREAT, 0644));
    EXPECT(open("new", O_RDONLY | O_CREAT | O_EXCL, 0644));
    EXPECT(open("file", O_WRONLY));
    EXPECT(open("file", O_RDWR));
    EXPECT(open("file", O_RDONLY | O_TRUNC));
    EXPECT(open("file", O_WRONLY | O_APPEND));
    EXPECT(open(".", O_RDWR | O_TMPFILE, 0600));
    EXPECT(mkdir("new", 0755));
    EXPECT(mknod("new", S_IFREG | 0644, 0));
    EXPECT(mknod("new", S_IFCHR | 0644, 0x103));
    EXPECT(mkfifo("new", 0644));
    EXPECT(symlink("target", "new"));
    EXPECT(link("file", "new"));
    EXPECT(unlink("file"));
    EXPECT(unlink("link"));
    EXPECT(rmdir("folder"));
    EXPECT(rename("file", "new"));
    EXPECT(renameat2(AT_FDCWD, "file", AT_FDCWD, "link", RENAME_EXCHANGE));
    EXPECT(renameat2(AT_FDCWD, "file", AT_FDCWD, "new", RENAME_NOREPLACE));
    EXPECT(truncate("file", 0));
    EXPECT(truncate("file", 1 << 20));
    EXPECT(chmod("file", 0600));
    EXPECT(chown("file", 1, 1));
    EXPECT(lchown("link", 1, 1));
    EXPECT(utimensat(AT_FDCWD, "file", now, 0));
    EXPECT(utimensat(AT_FDCWD, "link", now, AT_SYMLINK_NOFOLLOW));
    EXPECT(setxattr("file", "user.test", "x", 1, 0));
    EXPECT(lsetxattr("link", "trusted.test", "x", 1, 0));
    EXPECT(removexattr("file", "user.present"));
}

static void try_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "new"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT(bind(fd, (const struct sockaddr *)&address, sizeof address));
    (void)close(fd);
}

static void try_open_file(void)
{
    int fd = open("file", O_RDONLY);
    if (fd < 0) {
        perror("refuse: file");
        exit(99);
    }
    EXPECT(fchmod(fd, 0600));
    EXPECT(fchown(fd, 1, 1));
    EXPECT(futimens(fd, NULL));
    EXPECT(fsetxattr(fd, "user.test", "x", 1, 0));
    EXPECT(fremovexattr(fd, "user.present"));
    (void)close(fd);
}

int main(int count, char **arguments)
{
    if (count != 2 || chdir(arguments[1]) != 0) {
        fprintf(stderr, "usage: refuse DIRECTORY\n");
        return 99;
    }
    try_names();
    try_socket();
    try_open_file();
    printf("%d calls tried, %d not refused\n", tried, wrong);
    return wrong == 0 ? 0 : 1;
}
