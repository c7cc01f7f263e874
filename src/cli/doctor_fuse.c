/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor_fuse.c - can a FUSE filesystem be mounted here, and by whom?
 *
 * The mount is tried by a child process in a mount namespace of its own, which nobody else sees and which
 * ends with it; for an ordinary user in a user namespace, where those are permitted. The kernel's first
 * request tells the version of its protocol.
 */
#include "cli/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define FUSE_DEVICE "/dev/fuse"
#define FUSE_CONF "/etc/fuse.conf"

#define REQUEST_TIMEOUT_MS 2000

void tm_doctor_fuse_device(const struct tm_doctor_place *place, struct tm_doctor_finding *finding)
{
    char cause[TM_ERROR_TEXT_SIZE];
    finding->needed = true;
    int fd = open(FUSE_DEVICE, O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        (void)close(fd);
        tm_doctor_say(finding, TM_DOCTOR_OK, FUSE_DEVICE " can be opened");
        return;
    }
    int error = errno;
    tm_doctor_say(finding, TM_DOCTOR_MISSING, FUSE_DEVICE " cannot be opened: %s", tm_error_text(error, cause));
    if (error == ENOENT || error == ENODEV || error == ENXIO)
        tm_doctor_advise(finding, place, "load the kernel's module: modprobe fuse", "--device " FUSE_DEVICE);
    else
        tm_doctor_advise(finding, place, "everybody may use it: chmod 666 " FUSE_DEVICE, "--device " FUSE_DEVICE);
}

/* What the child has found, in memory shared with it. */
enum trial_step {
    TRIAL_NONE,
    TRIAL_NAMESPACE,
    TRIAL_DEVICE,
    TRIAL_MOUNT,
    TRIAL_REQUEST,
    TRIAL_DONE
};

struct trial {
    enum trial_step step; /* the one that failed with error, or DONE */
    int error;
    unsigned major;
    unsigned minor;
};

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        (void)close(fd);
    return written;
}

/* A mount namespace whose mounts nobody sees. */
static bool go_apart(bool root)
{
    char map[64];
    unsigned user = (unsigned)geteuid();
    unsigned group = (unsigned)getegid();
    if (unshare(root ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0)
        return false;
    if (!root) {
        (void)snprintf(map, sizeof map, "0 %u 1", user);
        if (!write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/uid_map", map))
            return false;
        (void)snprintf(map, sizeof map, "0 %u 1", group);
        if (!write_text("/proc/self/gid_map", map))
            return false;
    }
    return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static void read_request(int fd, struct trial *trial)
{
    char bytes[FUSE_MIN_READ_BUFFER];
    struct fuse_in_header header;
    struct fuse_init_in init;
    struct pollfd event = {.fd = fd, .events = POLLIN};
    trial->step = TRIAL_REQUEST;
    if (poll(&event, 1, REQUEST_TIMEOUT_MS) != 1) {
        trial->error = ETIMEDOUT;
        return;
    }
    ssize_t length = read(fd, bytes, sizeof bytes);
    /* Older kernels send a shorter request; its versions come first. */
    size_t known = sizeof header + 2u * sizeof(uint32_t);
    trial->error = length < 0 ? errno : EPROTO;
    if (length < (ssize_t)known)
        return;
    memcpy(&header, bytes, sizeof header);
    memcpy(&init, bytes + sizeof header, 2u * sizeof(uint32_t));
    if (header.opcode != FUSE_INIT)
        return;
    trial->major = init.major;
    trial->minor = init.minor;
    trial->step = TRIAL_DONE;
    trial->error = 0;
}

/* In the child. */
static void try_mount(bool root, struct trial *trial)
{
    char options[96];
    trial->step = TRIAL_NAMESPACE;
    if (!go_apart(root)) {
        trial->error = errno;
        return;
    }
    trial->step = TRIAL_DEVICE;
    int fd = open(FUSE_DEVICE, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        trial->error = errno;
        return;
    }
    trial->step = TRIAL_MOUNT;
    (void)snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
    if (mount("tmem-doctor", "/", "fuse", MS_NOSUID | MS_NODEV, options) != 0)
        trial->error = errno;
    else
        read_request(fd, trial);
}

/* False: it could not even be tried. */
static bool run_trial(bool root, struct trial *result)
{
    struct trial *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return false;
    pid_t child = fork();
    if (child == 0) {
        try_mount(root, shared);
        _exit(0);
    }
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    *result = *shared;
    (void)munmap(shared, sizeof *shared);
    return child > 0;
}

static void explain_trial(const struct tm_doctor_place *place, const struct trial *trial,
                          struct tm_doctor_finding *finding)
{
    char cause[TM_ERROR_TEXT_SIZE];
    static const char *const steps[] = {
        [TRIAL_NONE] = "a trial mount cannot be made",
        [TRIAL_NAMESPACE] = "no namespace for a trial mount can be made",
        [TRIAL_DEVICE] = FUSE_DEVICE " cannot be opened",
        [TRIAL_MOUNT] = "mounting is refused",
        [TRIAL_REQUEST] = "the kernel sends no request",
        [TRIAL_DONE] = "",
    };
    enum tm_doctor_state state = place->root ? TM_DOCTOR_MISSING : TM_DOCTOR_LIMITED;
    tm_doctor_say(finding, state, "%s: %s", steps[trial->step], tm_error_text(trial->error, cause));
    if (!place->root) {
        /* fusermount3 mounts for this user, outside of such namespaces. */
        tm_doctor_say(finding, state, "not tried: %s (%s); see fusermount3", steps[trial->step],
                      tm_error_text(trial->error, cause));
        return;
    }
    if (trial->step == TRIAL_DEVICE)
        tm_doctor_advise(finding, place, "see fuse-device", "--device " FUSE_DEVICE " --cap-add SYS_ADMIN");
    else if (!tm_doctor_may(place, CAP_SYS_ADMIN))
        tm_doctor_advise(finding, place, "this root lacks the capability CAP_SYS_ADMIN: run it with full rights",
                         "--device " FUSE_DEVICE " --cap-add SYS_ADMIN");
    else if (trial->error == ENODEV)
        tm_doctor_advise(finding, place, "load the kernel's module: modprobe fuse",
                         "--device " FUSE_DEVICE " (and on the host: modprobe fuse)");
    else
        tm_doctor_advise(finding, place, "a security module or a seccomp filter forbids it: look into its log",
                         "--security-opt apparmor=unconfined (with --device " FUSE_DEVICE " --cap-add SYS_ADMIN)");
}

void tm_doctor_fuse_mount(const struct tm_doctor_place *place, struct tm_doctor_finding *finding)
{
    struct trial trial = {.step = TRIAL_NONE, .error = EAGAIN};
    finding->needed = place->root;
    if (run_trial(place->root, &trial) && trial.step == TRIAL_DONE)
        tm_doctor_say(finding, TM_DOCTOR_OK, "%s; protocol %u.%u",
                      place->root ? "root can mount" : "a trial mount worked, in a user namespace", trial.major,
                      trial.minor);
    else
        explain_trial(place, &trial, finding);
}

/* The first fusermount3 of PATH in @path. */
static bool find_program(char *path, size_t path_size)
{
    const char *at = getenv("PATH");
    while (at != NULL && *at != '\0') {
        size_t length = strcspn(at, ":");
        int written = snprintf(path, path_size, "%.*s/fusermount3", (int)length, at);
        if (length > 0 && written > 0 && (size_t)written < path_size && access(path, X_OK) == 0)
            return true;
        at += length + (at[length] == ':' ? 1u : 0u);
    }
    return false;
}

/* May a set-uid program gain its rights? Not where this process has given that up, or on a nosuid mount. */
static bool gains_rights(const char *path)
{
    struct stat status;
    struct statvfs filesystem;
    char line[64];
    bool given_up = false;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        given_up = given_up || strcmp(line, "NoNewPrivs:\t1\n") == 0;
    if (file != NULL)
        (void)fclose(file);
    return !given_up && stat(path, &status) == 0 && status.st_uid == 0 && (status.st_mode & S_ISUID) != 0 &&
           statvfs(path, &filesystem) == 0 && (filesystem.f_flag & ST_NOSUID) == 0;
}

void tm_doctor_fusermount(const struct tm_doctor_place *place, struct tm_doctor_finding *finding)
{
    char path[512];
    finding->needed = !place->root;
    enum tm_doctor_state bad = place->root ? TM_DOCTOR_LIMITED : TM_DOCTOR_MISSING;
    const char *whom = place->root ? "ordinary users" : "this user";
    if (!find_program(path, sizeof path)) {
        tm_doctor_say(finding, bad, "not found: %s cannot mount", whom);
        (void)snprintf(finding->remedy, sizeof finding->remedy, "apt install fuse3");
    } else if (!gains_rights(path)) {
        tm_doctor_say(finding, bad, "%.200s does not become root: %s cannot mount", path, whom);
        tm_doctor_advise(finding, place,
                         "make it set-uid root on a mount without nosuid (apt install --reinstall fuse3), and do not "
                         "run "
                         "with no_new_privs",
                         "--cap-add SYS_ADMIN, without --security-opt no-new-privileges");
    } else {
        tm_doctor_say(finding, TM_DOCTOR_OK, "%.200s mounts for ordinary users", path);
    }
}

void tm_doctor_allow_other(const struct tm_doctor_place *place, struct tm_doctor_finding *finding)
{
    char line[256];
    bool allowed = false;
    FILE *file = fopen(FUSE_CONF, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, " \t\r\n")] = '\0';
        allowed = allowed || strcmp(line, "user_allow_other") == 0;
    }
    if (file != NULL)
        (void)fclose(file);
    if (allowed) {
        tm_doctor_say(finding, TM_DOCTOR_OK, "ordinary users may show their mounts to others");
        return;
    }
    tm_doctor_say(finding, place->root ? TM_DOCTOR_OK : TM_DOCTOR_LIMITED,
                  place->root ? "root's mounts are seen by all users, those of ordinary users by themselves only"
                              : "others, root too, do not see what this user mounts");
    if (!place->root)
        (void)snprintf(finding->remedy, sizeof finding->remedy, "a line user_allow_other in " FUSE_CONF);
}
