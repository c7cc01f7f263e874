/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - the random operations: processes, choices, and what is printed when the sides disagree.
 *
 * usage: random [--seed N] [--operations N] [--processes N] [--file-pages N] [--behind] PLAIN MNT [DIR]
 *
 * PLAIN and MNT are empty directories; DIR is the one that MNT shows. With --behind files also change in DIR
 * itself; those are compared at the end only. The operations are divided among the processes. The seed is
 * printed; with it, and the other options the same, each process does the same again.
 *
 * Exit status: 0 all agreed, 1 not, 2 usage. TMEM_TEST_PERTURB=N falsifies what is written through MNT
 * from operation N on, to show that it is noticed.
 */
#include "random.h"

#include "base/mix.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 16u

/* Of 16 operations so many are in the shared file, when there are several processes; or in changing ones. */
#define SHARED_OF_16 5u
#define CHANGING_OF_16 2u

uint64_t next_random(struct process *process)
{
    return tm_random_next(&process->random);
}

uint64_t any_size(struct process *process, uint64_t limit)
{
    if (limit <= 1)
        return limit;
    unsigned bits = 0;
    while (limit >> bits > 1)
        bits++;
    uint64_t most = UINT64_C(2) << next_random(process) % (bits + 1);
    uint64_t size = 1 + next_random(process) % most;
    return size > limit ? limit : size;
}

void remember(struct process *process, const char *operation, const struct slot *slot, uint64_t offset,
              uint64_t length, uint64_t other)
{
    process->history[process->operation % HISTORY] = (struct event){
        .number = process->operation,
        .operation = operation,
        .name = slot != NULL ? slot->name : "",
        .id = slot != NULL ? slot->id : 0,
        .offset = offset,
        .length = length,
        .other = other,
    };
    process->operation++;
}

void remember_result(struct process *process, long result)
{
    process->history[(process->operation - 1) % HISTORY].result = result;
}

void fail(struct process *process, const char *what, uint64_t a, uint64_t b)
{
    unsigned last = process->history[(process->operation - 1) % HISTORY].id;
    flockfile(stdout);
    printf("FAILED: process %u: %s: plain %" PRIu64 ", mount %" PRIu64 "\n", process->number, what, a, b);
    for (uint64_t i = 0; i < HISTORY; i++) {
        const struct event *event = &process->history[(process->operation + i) % HISTORY];
        /* The last ones, and all that is kept of the file they were about. */
        if (event->operation != NULL && (i + SHOWN >= HISTORY || event->id == last))
            printf("    %8" PRIu64 " %-16s %-18s %-4u offset %" PRIu64 " length %" PRIu64 " (%" PRIu64 ") = %ld\n",
                   event->number, event->operation, event->name, event->id, event->offset, event->length, event->other,
                   event->result);
    }
    funlockfile(stdout);
    (void)fflush(stdout);
    _exit(1);
}

long agree(struct process *process, long plain, int plain_error, long mount, int mount_error)
{
    remember_result(process, plain);
    if (plain != mount)
        fail(process, "results", (uint64_t)plain, (uint64_t)mount);
    if (plain == -1 && plain_error != mount_error)
        fail(process, "errors", (uint64_t)plain_error, (uint64_t)mount_error);
    if (plain == -1)
        fail(process, "no operation should fail", (uint64_t)plain_error, (uint64_t)mount_error);
    return plain;
}

void same_bytes(struct process *process, const unsigned char *plain, const unsigned char *mount, size_t size,
                uint64_t offset)
{
    if (memcmp(plain, mount, size) == 0)
        return;
    size_t at = 0;
    while (plain[at] == mount[at])
        at++;
    size_t last = size;
    while (plain[last - 1] == mount[last - 1])
        last--;
    printf("bytes from %" PRIu64 " to %" PRIu64 " differ\n", offset + at, offset + last);
    fail(process, "bytes", plain[at], mount[at]);
}

static void run(struct process *process, bool changing)
{
    for (enum side side = PLAIN; side < SIDES; side++)
        if ((process->buffers[side] = aligned_alloc(PAGE_BYTES, process->file_bytes)) == NULL)
            _exit(99);
    slots_open(process);
    shared_open(process);
    while (process->operation < process->operations) {
        uint64_t choice = next_random(process) % 16;
        if (process->processes > 1 && choice < SHARED_OF_16)
            shared_operation(process);
        else if (changing && choice >= 16 - CHANGING_OF_16)
            touch_changing(process);
        else
            file_operation(process);
    }
    slots_close(process);
    shared_close(process);
    (void)fflush(stdout);
    _exit(0);
}

static bool make_shared(const char *root)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/shared", root);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && ftruncate(fd, SLICES * SLICE_BYTES) == 0;
    if (!ok)
        fprintf(stderr, "random: %s: %s\n", path, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return ok;
}

static int wait_for(pid_t child)
{
    int status = 0;
    if (waitpid(child, &status, 0) != child)
        return 1;
    if (WIFSIGNALED(status))
        printf("FAILED: a process ended by signal %d\n", WTERMSIG(status));
    return status != 0;
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (*text == '\0' || *end != '\0') {
        fprintf(stderr, "random: '%s' is no number\n", text);
        exit(2);
    }
    return value;
}

/* Processes, whose number is at most PROCESSES_MAX, and the one that changes DIR. */
static int run_all(struct process *common, uint64_t operations, const char *dir, bool behind)
{
    pid_t children[PROCESSES_MAX];
    int *stop = mmap(NULL, sizeof *stop, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int failed = 0;
    if (stop == MAP_FAILED)
        return 1;
    (void)fflush(stdout);
    for (unsigned i = 0; i < common->processes; i++) {
        struct process process = *common;
        process.number = i;
        process.operation = 1;
        process.operations = operations / common->processes;
        process.random = common->seed * 1000 + i;
        children[i] = fork();
        if (children[i] == 0)
            run(&process, behind);
    }
    pid_t changer = behind ? fork() : -1;
    if (behind && changer == 0) {
        change_behind(dir, common->seed * 1000 + 999, stop);
        _exit(0);
    }
    for (unsigned i = 0; i < common->processes; i++)
        failed += wait_for(children[i]);
    __atomic_store_n(stop, 1, __ATOMIC_RELAXED);
    if (behind)
        failed += wait_for(changer);
    return failed;
}

static int usage(void)
{
    fprintf(stderr, "usage: random [--seed N] [--operations N] [--processes N] [--file-pages N] [--behind] "
                    "PLAIN MNT [DIR]\n");
    return 2;
}

int main(int count, char **arguments)
{
    static const struct option long_options[] = {
        {"seed", required_argument, NULL, 's'},
        {"operations", required_argument, NULL, 'o'},
        {"processes", required_argument, NULL, 'p'},
        {"file-pages", required_argument, NULL, 'f'},
        {"behind", no_argument, NULL, 'b'},
        {NULL, 0, NULL, 0},
    };
    struct process common = {.processes = 1, .file_bytes = 64 * PAGE_BYTES, .seed = (uint64_t)time(NULL)};
    uint64_t operations = 10000;
    bool behind = false;
    for (int option; (option = getopt_long(count, arguments, "", long_options, NULL)) != -1;) {
        switch (option) {
        case 's':
            common.seed = number(optarg);
            break;
        case 'o':
            operations = number(optarg);
            break;
        case 'p':
            common.processes = (unsigned)number(optarg);
            break;
        case 'f':
            common.file_bytes = number(optarg) * PAGE_BYTES;
            break;
        case 'b':
            behind = true;
            break;
        default:
            return usage();
        }
    }
    if (count - optind < 2 || count - optind > 3 || common.processes == 0 || common.processes > PROCESSES_MAX ||
        common.file_bytes < SLICE_BYTES || common.file_bytes > FILE_BYTES_MAX)
        return usage();
    const char *dir = count - optind == 3 ? arguments[optind + 2] : NULL;
    if (behind && dir == NULL)
        return usage();
    for (int side = 0; side < SIDES; side++) {
        common.roots[side] = arguments[optind + side];
        if (!make_shared(common.roots[side]))
            return 1;
    }
    common.perturb_at = getenv("TMEM_TEST_PERTURB") != NULL ? number(getenv("TMEM_TEST_PERTURB")) : 0;
    printf("seed %" PRIu64 ", %" PRIu64 " operations in %u processes\n", common.seed, operations, common.processes);
    int failed = run_all(&common, operations, dir, behind);
    if (behind)
        (void)sleep(2);
    if (failed == 0)
        failed = (int)compare_all(common.roots[PLAIN], common.roots[MOUNT], dir);
    if (failed != 0)
        printf("again: random --seed %" PRIu64 " --operations %" PRIu64 " --processes %u --file-pages %" PRIu64 "%s\n",
               common.seed, operations, common.processes, common.file_bytes / PAGE_BYTES, behind ? " --behind" : "");
    else
        printf("all agreed\n");
    return failed == 0 ? 0 : 1;
}
