/* SPDX-License-Identifier: BSD-2-Clause */
/* map.c - files in memory, and programs that are run. */
#include "posix.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u
#define PAGES 8u

/* Notes the answer; whatever could be mapped is gone again. */
static void try_map(const char *what, int fd, int protection, int flags, size_t size, off_t offset)
{
    errno = 0;
    void *address = mmap(NULL, size, protection, flags, fd, offset);
    (void)note_result(what, address == MAP_FAILED ? -1 : 0);
    if (address != MAP_FAILED)
        MUST(munmap(address, size));
}

/* The whole file, to be read and written. */
static unsigned char *map(int fd, int flags)
{
    void *address = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (address == MAP_FAILED) {
        MUST(-1);
        _exit(99);
    }
    return address;
}

static int filled(void)
{
    write_bytes("file", PAGES * PAGE, 11);
    return MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
}

static void shared_stores(void)
{
    int fd = filled();
    unsigned char *at = map(fd, MAP_SHARED);
    char buffer[16] = "";
    memcpy(at + 100, "stored", 6);
    TRY(pread(fd, buffer, 6, 100));
    note_text("read sees a store", buffer);
    TRY(pwrite(fd, "written", 7, 5000));
    (void)snprintf(buffer, sizeof buffer, "%.7s", (const char *)at + 5000);
    note_text("a load sees a write", buffer);
    memcpy(at + 5003, "XX", 2);
    TRY(msync(at, PAGES * PAGE, MS_SYNC));
    TRY(msync(at, PAGES * PAGE, MS_ASYNC));
    TRY(msync(at + 1, PAGE, MS_SYNC));
    TRY(msync(at, PAGE, 77));
    TRY(msync(at + PAGES * PAGE * 64, PAGE, MS_SYNC));
    int other = MUST_OPEN(open("file", O_RDONLY | O_DIRECT | O_CLOEXEC));
    note_open_file("directly", other);
    at[7 * PAGE + 5] = 1;
    MUST(munmap(at, PAGES * PAGE));
    note_open_file("after munmap", fd);
    note_open_file("after munmap, directly", other);
    MUST(close(other));
}

static void stores_after_close(void)
{
    int fd = filled();
    unsigned char *at = map(fd, MAP_SHARED);
    MUST(close(fd));
    memset(at, 'a', PAGE + 10);
    MUST(unlink("file"));
    memset(at + 2 * PAGE, 'b', 10);
    TRY(msync(at, PAGES * PAGE, MS_SYNC));
    note_bytes("mapped", at, PAGES * PAGE);
    MUST(munmap(at, PAGES * PAGE));
}

static void private_stores(void)
{
    int fd = filled();
    unsigned char *at = map(fd, MAP_PRIVATE);
    memset(at, 'p', 10);
    note_bytes("mapped", at, PAGES * PAGE);
    note_open_file("file", fd);
    TRY(pwrite(fd, "new", 3, 3 * PAGE));
    note_bytes("a page not stored to", at + 3 * PAGE, PAGE);
    TRY(pwrite(fd, "new", 3, 100));
    note_bytes("a page stored to", at, PAGE);
}

static void store_beyond_the_end(void)
{
    int fd = filled();
    unsigned char *at = map(fd, MAP_SHARED);
    MUST(ftruncate(fd, PAGE + 100));
    at[PAGE + 99] = 'i';
    /* Behind the end, inside the last page: goes nowhere. */
    memset(at + PAGE + 100, 'o', 50);
    note_open_file("file", fd);
    TRY(msync(at, PAGE, MS_SYNC));
    MUST(ftruncate(fd, 2 * PAGE));
    known("what was stored behind the end of a file, in its last page, shows when the file grows");
    note_open_file("grown", fd);
    known(NULL);
    MUST(unlink("file"));
    at[6 * PAGE] = 1;
    note("no signal came");
}

static void signals(void)
{
    note("stores beyond the last page");
    in_child(store_beyond_the_end);
}

static void every_protection(void)
{
    static const int opens[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_APPEND, O_PATH, O_RDWR | O_DIRECT};
    static const int protections[] = {PROT_NONE, PROT_READ, PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC};
    static const int kinds[] = {MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE, MAP_SHARED_VALIDATE | MAP_SYNC, 0};
    MUST(close(filled()));
    for (size_t o = 0; o < sizeof opens / sizeof *opens; o++)
        for (size_t p = 0; p < sizeof protections / sizeof *protections; p++)
            for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
                label("open %o protection %d kind %x", (unsigned)opens[o], protections[p], (unsigned)kinds[k]);
                if (kinds[k] == (MAP_SHARED_VALIDATE | MAP_SYNC))
                    known("MAP_SYNC is refused for another reason");
                int fd = MUST_OPEN(open("file", opens[o] | O_CLOEXEC));
                try_map("mmap", fd, protections[p], kinds[k], PAGE, 0);
                known(NULL);
                MUST(close(fd));
            }
    label("%s", "");
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    int folder = MUST_OPEN(open(".", O_RDONLY | O_CLOEXEC));
    try_map("a folder", folder, PROT_READ, MAP_SHARED, PAGE, 0);
    try_map("no length", fd, PROT_READ, MAP_SHARED, 0, 0);
    try_map("an odd offset", fd, PROT_READ, MAP_SHARED, PAGE, 5);
    try_map("behind the end", fd, PROT_READ, MAP_SHARED, PAGE, 100 * PAGE);
}

static void between_processes_child(void)
{
    int fd = MUST_OPEN(open("file", O_RDWR | O_CLOEXEC));
    unsigned char *at = map(fd, MAP_SHARED);
    note("the child sees %d", at[10]);
    at[10] = 43;
    at[2 * PAGE] = 44;
}

static void between_processes(void)
{
    int fd = filled();
    unsigned char *at = map(fd, MAP_SHARED);
    at[10] = 42;
    in_child(between_processes_child);
    note("the parent sees %d and %d", at[10], at[2 * PAGE]);
    note_open_file("file", fd);
}

/* Copies a program into the directory. */
static void copy_program(const char *program, const char *name)
{
    char buffer[65536];
    int from = MUST_OPEN(open(program, O_RDONLY | O_CLOEXEC));
    int to = MUST_OPEN(open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
    for (long got; (got = MUST(read(from, buffer, sizeof buffer))) > 0;)
        MUST(write(to, buffer, (size_t)got));
    MUST(close(from));
    MUST(close(to));
}

static void run(const char *program)
{
    int pipes[2];
    char answer[256] = "";
    MUST(pipe2(pipes, O_CLOEXEC));
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        (void)dup2(pipes[1], STDOUT_FILENO);
        (void)execl(program, program, "it", "runs", (char *)NULL);
        (void)dprintf(STDOUT_FILENO, "%s", strerrorname_np(errno));
        _exit(3);
    }
    int status = 0;
    MUST(close(pipes[1]));
    (void)read(pipes[0], answer, sizeof answer - 1);
    MUST(waitpid(child, &status, 0));
    MUST(close(pipes[0]));
    note_text(program, answer);
    note("status %x", (unsigned)status);
}

static void running(void)
{
    copy_program("/bin/echo", "program");
    run("./program");
    write_file("script", "#!/bin/sh\necho a script with \"$@\"\n");
    run("./script");
    MUST(chmod("script", 0755));
    run("./script");
    write_file("through", "#!./program\n");
    MUST(chmod("through", 0755));
    run("./through");
    MUST(chmod("program", 0644));
    run("./program");
    MUST(chmod("program", 0755));
    write_file("nonsense", "\177ELF and nothing more");
    MUST(chmod("nonsense", 0755));
    run("./nonsense");
    run("./missing");
    run("./.");
}

/* Sleeps in a program that lies here, until the descriptor is closed. */
static pid_t keep_running(const char *program, int *stop)
{
    int pipes[2];
    MUST(pipe2(pipes, O_CLOEXEC));
    pid_t child = (pid_t)MUST(fork());
    if (child == 0) {
        (void)dup2(pipes[0], STDIN_FILENO);
        (void)close(pipes[1]);
        (void)execl(program, program, (char *)NULL);
        _exit(3);
    }
    MUST(close(pipes[0]));
    *stop = pipes[1];
    /* It runs once its name is the program's. */
    char path[64];
    char name[64];
    (void)snprintf(path, sizeof path, "/proc/%d/comm", (int)child);
    for (int i = 0; i < 1000; i++) {
        int fd = MUST_OPEN(open(path, O_RDONLY | O_CLOEXEC));
        long got = MUST(read(fd, name, sizeof name));
        MUST(close(fd));
        if (got >= 7 && memcmp(name, "running", 7) == 0)
            break;
        (void)usleep(5000);
    }
    return child;
}

static void busy_programs(void)
{
    int stop;
    copy_program("/bin/cat", "running");
    pid_t child = keep_running("./running", &stop);
    TRY_OPEN(open("running", O_WRONLY | O_CLOEXEC));
    TRY_OPEN(open("running", O_RDWR | O_CLOEXEC));
    TRY_OPEN(open("running", O_RDONLY | O_TRUNC | O_CLOEXEC));
    TRY(truncate("running", 5));
    TRY(chmod("running", 0700));
    TRY(rename("running", "renamed"));
    TRY(link("renamed", "second"));
    TRY_OPEN(open("second", O_WRONLY | O_CLOEXEC));
    TRY(unlink("renamed"));
    TRY(unlink("second"));
    MUST(close(stop));
    int status;
    MUST(waitpid(child, &status, 0));
    note("status %x", (unsigned)status);
    /* And the other way round: what is open for writing does not run. */
    copy_program("/bin/echo", "written");
    int writer = MUST_OPEN(open("written", O_WRONLY | O_CLOEXEC));
    run("./written");
    MUST(close(writer));
    run("./written");
}

static void locked_and_advised(void)
{
    unsigned char present[PAGES];
    int fd = filled();
    unsigned char *at = map(fd, MAP_SHARED | MAP_POPULATE);
    unsigned char *moved = mremap(at, PAGES * PAGE, 2 * PAGES * PAGE, MREMAP_MAYMOVE);
    note("remapped: %s", moved == MAP_FAILED ? "no" : "yes");
    if (moved == MAP_FAILED)
        return;
    at = moved;
    TRY(mlock(at, PAGE));
    TRY(mincore(at, PAGES * PAGE, present));
    note("the first page is %d", present[0] & 1);
    TRY(madvise(at + PAGE, PAGE, MADV_DONTNEED));
    TRY(madvise(at + PAGE, PAGE, MADV_REMOVE));
    note_bytes("removed", at + PAGE, PAGE);
    note_open_file("file", fd);
    TRY(munlock(at, PAGE));
    MUST(ftruncate(fd, 2 * PAGES * PAGE));
    moved[2 * PAGES * PAGE - 1] = 'e';
    note_open_file("grown", fd);
    TRY(mprotect(moved, PAGE, PROT_READ));
    TRY(mprotect(moved, PAGE, PROT_READ | PROT_EXEC));
}

const struct posix_case map_cases[] = {
    {"shared stores and writes see each other", shared_stores, false},
    {"stores after close and unlink", stores_after_close, false},
    {"private stores stay private", private_stores, false},
    {"stores beyond the end", signals, false},
    {"every protection of every open", every_protection, false},
    {"two processes", between_processes, false},
    {"programs and scripts run", running, false},
    {"programs that run are not written", busy_programs, false},
    {"locked, advised, moved", locked_and_advised, false},
    {NULL, NULL, false},
};
