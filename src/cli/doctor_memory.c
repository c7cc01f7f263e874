/* SPDX-License-Identifier: BSD-2-Clause */
/* doctor_memory.c - huge pages, memory that outlives a process, locked memory, and faults served by a process. */
#include "cli/doctor.h"
#include "command/size.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THP_FOLDER "/sys/kernel/mm/transparent_hugepage/"
#define UFFD_DEVICE "/dev/userfaultfd"

/* Newer than the C library's headers. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

/* The chosen word of a list as in "always [madvise] never". */
static void find_choice(const char *path, char *choice, size_t choice_size)
{
    char line[128];
    (void)tm_doctor_read_line(path, line, sizeof line);
    const char *open = strchr(line, '[');
    int length = open != NULL ? (int)strcspn(open + 1, "]") : 0;
    (void)snprintf(choice, choice_size, "%.*s", length, open != NULL ? open + 1 : "");
}

/* Bytes of a huge page; 0 where there are none. */
static size_t huge_page_bytes(void)
{
    char line[32];
    return tm_doctor_read_line(THP_FOLDER "hpage_pmd_size", line, sizeof line) ? (size_t)strtoull(line, NULL, 10) : 0;
}

/* Kilobytes in huge pages of the mapping that contains @address. */
static uint64_t huge_kib_of(const void *address)
{
    static const char name[] = "AnonHugePages:";
    char line[512];
    uint64_t kib = 0;
    bool inside = false;
    FILE *file = fopen("/proc/self/smaps", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        uintptr_t first = 0;
        uintptr_t end = 0;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &first, &end) == 2)
            inside = (uintptr_t)address >= first && (uintptr_t)address < end;
        else if (inside && strncmp(line, name, sizeof name - 1u) == 0)
            kib = strtoull(line + sizeof name - 1u, NULL, 10);
    }
    if (file != NULL)
        (void)fclose(file);
    return kib;
}

void tm_doctor_huge_pages(const struct tm_doctor_place *place, struct tm_doctor_finding *finding)
{
    char mode[32];
    char text[TM_SIZE_TEXT];
    size_t bytes = huge_page_bytes();
    find_choice(THP_FOLDER "enabled", mode, sizeof mode);
    const char *enable = place->container[0] != '\0' ? "on the host: echo madvise > " THP_FOLDER "enabled"
                                                     : "echo madvise > " THP_FOLDER "enabled";
    if (bytes == 0) {
        tm_doctor_say(finding, TM_DOCTOR_MISSING, "this kernel has no transparent huge pages");
        tm_doctor_advise(finding, place, "a kernel with CONFIG_TRANSPARENT_HUGEPAGE", NULL);
        return;
    }
    unsigned char *memory = mmap(NULL, 2u * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        tm_doctor_say(finding, TM_DOCTOR_LIMITED, "not tried: no memory");
        return;
    }
    unsigned char *aligned = memory + (bytes - (uintptr_t)memory % bytes) % bytes;
    (void)madvise(aligned, bytes, MADV_HUGEPAGE);
    *(volatile unsigned char *)aligned = 1;
    bool is_huge = huge_kib_of(aligned) > 0;
    (void)munmap(memory, 2u * bytes);
    if (is_huge) {
        tm_doctor_say(finding, TM_DOCTOR_OK, "memory comes in pages of %s (mode %s)",
                      tm_size_format(bytes, text), mode);
        return;
    }
    bool is_off = strcmp(mode, "never") == 0;
    tm_doctor_say(finding, TM_DOCTOR_LIMITED, "memory comes in small pages: %s (mode %s)",
                  is_off ? "switched off" : "none was free, or this process may have none", mode);
    (void)snprintf(finding->remedy, sizeof finding->remedy, "%s",
                   is_off ? enable : "free some: echo 1 > /proc/sys/vm/compact_memory");
}

void tm_doctor_huge_memfd(const struct tm_doctor_place *place, struct tm_doctor_finding *finding)
{
    char cause[TM_ERROR_TEXT_SIZE];
    char mode[32];
    size_t bytes = huge_page_bytes();
    int fd = (int)syscall(SYS_memfd_create, "tmem-doctor", MFD_CLOEXEC);
    find_choice(THP_FOLDER "shmem_enabled", mode, sizeof mode);
    if (bytes == 0 || fd < 0 || ftruncate(fd, (off_t)bytes) != 0) {
        tm_doctor_say(finding, TM_DOCTOR_MISSING, "no huge pages, or no memfd");
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    int error = 0;
    /* Room to place the mapping at a multiple of its size. */
    unsigned char *room = mmap(NULL, 2u * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) {
        error = errno;
    } else {
        unsigned char *aligned = room + (bytes - (uintptr_t)room % bytes) % bytes;
        void *memory = mmap(aligned, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
        if (memory == MAP_FAILED) {
            error = errno;
        } else {
            *(volatile unsigned char *)aligned = 1;
            error = madvise(aligned, bytes, MADV_COLLAPSE) == 0 ? 0 : errno;
        }
        (void)munmap(room, 2u * bytes);
    }
    (void)close(fd);
    if (error == 0) {
        tm_doctor_say(finding, TM_DOCTOR_OK, "memory that outlives a process can be huge pages (shmem mode %s)", mode);
        return;
    }
    tm_doctor_say(finding, TM_DOCTOR_LIMITED, "MADV_COLLAPSE: %s (shmem mode %s)", tm_error_text(error, cause), mode);
    if (error == EINVAL)
        tm_doctor_advise(finding, place, "a kernel from 6.1 on, and not: deny in " THP_FOLDER "shmem_enabled", NULL);
    else
        (void)snprintf(finding->remedy, sizeof finding->remedy, "free some: echo 1 > /proc/sys/vm/compact_memory");
}

void tm_doctor_memfd(const struct tm_doctor_place *place, struct tm_doctor_finding *finding)
{
    char cause[TM_ERROR_TEXT_SIZE];
    int fd = (int)syscall(SYS_memfd_create, "tmem-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) {
        tm_doctor_say(finding, TM_DOCTOR_MISSING, "memfd_create: %s", tm_error_text(errno, cause));
        tm_doctor_advise(finding, place, "a kernel with CONFIG_MEMFD_CREATE, without a filter that forbids it",
                         "--security-opt seccomp=unconfined");
        return;
    }
    bool works = ftruncate(fd, 4096) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0;
    int error = errno;
    /* A seal is one if what it forbids fails. */
    bool is_sealed = works && ftruncate(fd, 0) != 0 && errno == EPERM;
    (void)close(fd);
    if (is_sealed)
        tm_doctor_say(finding, TM_DOCTOR_OK, "memfd, and sealing it");
    else
        tm_doctor_say(finding, TM_DOCTOR_LIMITED, "memfd cannot be sealed: %s", tm_error_text(error, cause));
}

void tm_doctor_memlock(const struct tm_doctor_place *place, struct tm_doctor_finding *finding)
{
    static const size_t bytes = 65536;
    char text[TM_SIZE_TEXT];
    char cause[TM_ERROR_TEXT_SIZE];
    struct rlimit limit = {0, 0};
    (void)getrlimit(RLIMIT_MEMLOCK, &limit);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    /* The system call itself: sanitizers answer for the library's. */
    int error = memory == MAP_FAILED || syscall(SYS_mlock, memory, bytes) != 0 ? errno : 0;
    if (memory != MAP_FAILED)
        (void)munmap(memory, bytes);
    bool unlimited = limit.rlim_cur == RLIM_INFINITY || tm_doctor_may_on_machine(place, CAP_IPC_LOCK);
    if (error == 0 && unlimited) {
        tm_doctor_say(finding, TM_DOCTOR_OK, "any amount of memory may be locked");
        return;
    }
    if (error == 0)
        tm_doctor_say(finding, TM_DOCTOR_LIMITED, "%s of memory may be locked", tm_size_format(limit.rlim_cur, text));
    else
        tm_doctor_say(finding, TM_DOCTOR_MISSING, "memory cannot be locked: %s (limit %s)", tm_error_text(error, cause),
                      limit.rlim_cur == RLIM_INFINITY ? "none" : tm_size_format(limit.rlim_cur, text));
    tm_doctor_advise(finding, place, "ulimit -l unlimited (LimitMEMLOCK=infinity in a unit of systemd)",
                     "--ulimit memlock=-1");
}

/* A descriptor that serves page faults: by the device, or by the call. */
static int open_userfault(int flags, bool *by_device)
{
    int device = open(UFFD_DEVICE, O_RDWR | O_CLOEXEC);
    int fd = device >= 0 ? ioctl(device, USERFAULTFD_IOC_NEW, flags) : -1;
    if (device >= 0)
        (void)close(device);
    *by_device = fd >= 0;
    return fd >= 0 ? fd : (int)syscall(SYS_userfaultfd, flags);
}

void tm_doctor_userfaultfd(const struct tm_doctor_place *place, struct tm_doctor_finding *finding)
{
    char cause[TM_ERROR_TEXT_SIZE];
    struct uffdio_api api = {.api = UFFD_API};
    bool by_device = false;
    bool all_faults = true;
    int fd = open_userfault(O_CLOEXEC | O_NONBLOCK, &by_device);
    int error = errno;
    if (fd < 0) {
        all_faults = false;
        fd = open_userfault(O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY, &by_device);
    }
    bool works = fd >= 0 && ioctl(fd, UFFDIO_API, &api) == 0;
    if (fd >= 0)
        (void)close(fd);
    const char *permit = "sysctl vm.unprivileged_userfaultfd=1, or rights on " UFFD_DEVICE " "
                         "(chmod 666 " UFFD_DEVICE ")";
    const char *options = "--device " UFFD_DEVICE;
    if (works && all_faults) {
        tm_doctor_say(finding, TM_DOCTOR_OK, "all faults can be served, by %s",
                      by_device ? UFFD_DEVICE : "the system call");
    } else if (works) {
        tm_doctor_say(finding, TM_DOCTOR_LIMITED, "faults in user mode only; not those of system calls, nor of KVM");
        tm_doctor_advise(finding, place, permit, options);
    } else {
        tm_doctor_say(finding, TM_DOCTOR_MISSING, "userfaultfd: %s", tm_error_text(error, cause));
        tm_doctor_advise(finding, place, error == ENOSYS ? "a kernel with CONFIG_USERFAULTFD" : permit, options);
    }
}
