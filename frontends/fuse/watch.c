/* SPDX-License-Identifier: BSD-2-Clause */
/* watch.c - the watcher's thread, and which requests it has to wait for. */
#include "watch_kind.h"

#include <errno.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

/* How long to wait before asking again whether requests of before have been answered. */
#define REPEAT_MS 2

/* How long others' changes elsewhere may gather: reading each by itself would cost several times as much. */
#define GATHER_MS 1

/* How old what is known may be when nothing is reported any more. */
#define BLIND_MS 1000

/* How long an old answer may be believed where it cannot be told from a new one. */
#define DOUBTFUL_SECONDS 1.0

/* FUSE 7.44, Linux 6.16, can drop all names at once. */
#define ALL_NAMES_MINOR 44u
#define LIMITED_NAME_SECONDS 60.0

/* The watcher calls little, but a directory's path may lie on its stack. */
#define STACK_BYTES (UINT64_C(256) << 10)

/* Filesystems that others may change without this machine's kernel knowing, or whose names differ in more than their
 * bytes. Not all have a name in headers. */
static const unsigned long shared_types[] = {
    NFS_SUPER_MAGIC,
    SMB_SUPER_MAGIC,
    CIFS_SUPER_MAGIC,
    0xfe534d42ul, /* SMB 2 */
    CODA_SUPER_MAGIC,
    AFS_SUPER_MAGIC,
    AFS_FS_MAGIC,
    V9FS_MAGIC,
    0x65735546ul, /* FUSE */
    OCFS2_SUPER_MAGIC,
    0x01161970ul, /* GFS2 */
    0x00c36400ul, /* Ceph */
    0x0bd00bd0ul, /* Lustre */
    0x47504653ul, /* GPFS */
    MSDOS_SUPER_MAGIC,
    0x2011bab0ul, /* exFAT */
    0x0000482bul, /* HFS+ */
    0x7366746eul, /* NTFS */
};

static bool is_this_machines_alone(const struct tm_mount *mount)
{
    struct statfs status;
    int flags = 0;
    if (fstatfs(mount->source.root, &status) != 0)
        return false;
    for (size_t i = 0; i < TM_ARRAY_SIZE(shared_types); i++)
        if ((unsigned long)status.f_type == shared_types[i])
            return false;
    return ioctl(mount->source.root, FS_IOC_GETFLAGS, &flags) != 0 || (flags & FS_CASEFOLD_FL) == 0;
}

/* -------------------------------------------------------- requests under way */

/* Does the kernel keep something of the answer for longer than the request lasts? */
static bool is_kept(uint32_t opcode)
{
    switch (opcode) {
    case FUSE_LOOKUP:
    case FUSE_GETATTR:
    case FUSE_SETATTR:
    case FUSE_SYMLINK:
    case FUSE_MKNOD:
    case FUSE_MKDIR:
    case FUSE_LINK:
    case FUSE_OPEN:
    case FUSE_OPENDIR:
    case FUSE_READDIR:
    case FUSE_READDIRPLUS:
    case FUSE_GETXATTR:
    case FUSE_CREATE:
        return true;
    default:
        return false;
    }
}

void tm_watch_request_begins(struct tm_mount *mount, unsigned worker, const struct fuse_buf *request)
{
    struct tm_watch *watch = &mount->watch;
    struct fuse_in_header header;
    /* What came by a pipe is a long write. */
    if (watch->slots == NULL || (request->flags & FUSE_BUF_IS_FD) != 0 || request->size < sizeof header)
        return;
    memcpy(&header, request->mem, sizeof header);
    if (!is_kept(header.opcode))
        return;
    /* In one order with what work_off() does: either it sees the request, or the request sees what was reported. */
    uint64_t pass = __atomic_load_n(&watch->pass, __ATOMIC_SEQ_CST);
    __atomic_store_n(&watch->slots[worker].pass, pass, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void tm_watch_request_ends(struct tm_mount *mount, unsigned worker)
{
    if (mount->watch.slots != NULL)
        __atomic_store_n(&mount->watch.slots[worker].pass, 0, __ATOMIC_RELEASE);
}

/* Are requests under way that began before pass number @pass? */
static bool has_older_requests(const struct tm_watch *watch, uint64_t pass)
{
    for (unsigned i = 0; i < watch->slot_count; i++) {
        uint64_t begun = __atomic_load_n(&watch->slots[i].pass, __ATOMIC_SEQ_CST);
        if (begun != 0 && begun < pass)
            return true;
    }
    return false;
}

/* ------------------------------------------------------------------- reports */

static void drop_everything(struct tm_mount *mount)
{
    struct tm_behind pass;
    tm_behind_begin(&pass, mount);
    pass.everything = true;
    tm_behind_end(&pass);
}

/* Works off what was read; *pass is then for looking at. */
static void work_off(struct tm_mount *mount, const struct tm_watch_batch *batch, struct tm_behind *pass)
{
    tm_behind_begin(pass, mount);
    if (batch->everything || !mount->watch.kind->handle(pass, batch->reports, batch->length))
        pass->everything = true;
    tm_behind_end(pass);
}

/* A place for what is read next: the last one where all wait, and then it stands for everything. */
static struct tm_watch_batch *place_for_batch(struct tm_watch *watch)
{
    for (unsigned i = 0; i < TM_WATCH_BATCHES; i++)
        if (!watch->batches[i].waits)
            return &watch->batches[i];
    return &watch->batches[TM_WATCH_BATCHES - 1u];
}

/* Reads and works off what is reported. False: nothing can be read any more. */
static bool take_reports(struct tm_mount *mount)
{
    struct tm_watch *watch = &mount->watch;
    struct tm_behind pass;
    struct tm_watch_batch *batch = place_for_batch(watch);
    ssize_t length = read(watch->fd, batch->reports, sizeof batch->reports);
    if (length < 0)
        return errno == EAGAIN || errno == EINTR;
    bool stands_for_more = batch->waits;
    batch->length = (size_t)length;
    batch->everything = false;
    batch->pass = __atomic_add_fetch(&watch->pass, 1, __ATOMIC_SEQ_CST);
    batch->waits = has_older_requests(watch, batch->pass);
    work_off(mount, batch, &pass);
    batch->waits = batch->waits || pass.again;
    if (stands_for_more) {
        batch->waits = true;
        batch->everything = true;
    }
    struct pollfd stop = {.fd = watch->stop, .events = POLLIN};
    if (!pass.concerned)
        (void)poll(&stop, 1, GATHER_MS);
    return true;
}

/* Works off again what was worked off while requests of before were under way. True: some still are. */
static bool repeat(struct tm_mount *mount)
{
    struct tm_watch *watch = &mount->watch;
    struct tm_behind pass;
    bool waits = false;
    for (unsigned i = 0; i < TM_WATCH_BATCHES; i++) {
        struct tm_watch_batch *batch = &watch->batches[i];
        if (!batch->waits)
            continue;
        if (has_older_requests(watch, batch->pass)) {
            waits = true;
            continue;
        }
        work_off(mount, batch, &pass);
        batch->waits = false;
        tm_count(&mount->counters.watch_repeats, 1);
    }
    return waits;
}

/* Nothing is reported any more: from now on all that is known is taken for old, again and again. */
static void go_on_without_reports(struct tm_mount *mount)
{
    struct pollfd stop = {.fd = mount->watch.stop, .events = POLLIN};
    do {
        tm_count(&mount->counters.watch_overflows, 1);
        drop_everything(mount);
    } while (poll(&stop, 1, BLIND_MS) == 0);
}

static void *run(void *argument)
{
    struct tm_mount *mount = argument;
    struct tm_watch *watch = &mount->watch;
    struct pollfd events[] = {{.fd = watch->stop, .events = POLLIN}, {.fd = watch->fd, .events = POLLIN}};
    bool waits = false;
    for (;;) {
        (void)poll(events, 2, waits ? REPEAT_MS : -1);
        if (events[0].revents != 0)
            return NULL;
        if (events[1].revents != 0 && !take_reports(mount)) {
            go_on_without_reports(mount);
            return NULL;
        }
        waits = repeat(mount);
    }
}

/* --------------------------------------------------------- beginning and end */

static int make_room(struct tm_mount *mount)
{
    struct tm_watch *watch = &mount->watch;
    watch->slot_count = mount->options.threads;
    void *slots = NULL;
    if (posix_memalign(&slots, sizeof(struct tm_watch_slot), watch->slot_count * sizeof *watch->slots) != 0)
        return ENOMEM;
    memset(slots, 0, watch->slot_count * sizeof *watch->slots);
    watch->slots = slots;
    /* Large and rarely used: the pages of most of it are never touched. */
    watch->batches = calloc(TM_WATCH_BATCHES, sizeof *watch->batches);
    watch->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->batches == NULL || watch->stop < 0)
        return watch->batches == NULL ? ENOMEM : errno;
    return 0;
}

/* Tries one kind. 0, or the errno. */
static int try_kind(struct tm_mount *mount, const struct tm_watch_kind *kind)
{
    int fd = kind->open(mount);
    if (fd < 0)
        return -fd;
    mount->watch.fd = fd;
    mount->watch.kind = kind;
    return 0;
}

static enum tm_exit cannot_watch(const struct tm_mount *mount, const char *kind, int error)
{
    char cause[TM_ERROR_TEXT_SIZE];
    return tm_fail(tm_exit_of_error(error), "cannot watch %s by %s: %s (try: --watch auto)", mount->directory, kind,
                   tm_error_text(error, cause));
}

enum tm_exit tm_watch_open(struct tm_mount *mount)
{
    struct tm_watch *watch = &mount->watch;
    enum tm_watch_how how = mount->options.exclusive ? TM_WATCH_OFF : mount->options.watch;
    *watch = (struct tm_watch){.fd = -1, .stop = -1, .process = getpid(), .pass = 1};
    tm_watched_init(&watch->watched);
    if (how == TM_WATCH_OFF)
        return TM_EXIT_OK;

    int error = ENOTSUP;
    if (how != TM_WATCH_INOTIFY)
        error = try_kind(mount, &tm_watch_by_fanotify);
    if (error != 0 && how == TM_WATCH_FANOTIFY)
        return cannot_watch(mount, "fanotify", error);
    if (error != 0)
        error = try_kind(mount, &tm_watch_by_inotify);
    if (error != 0 && how == TM_WATCH_INOTIFY)
        return cannot_watch(mount, "inotify", error);
    if (error != 0)
        return TM_EXIT_OK;
    error = make_room(mount);
    if (error != 0)
        return cannot_watch(mount, watch->kind->name, error);
    watch->complete = watch->kind->complete && is_this_machines_alone(mount);
    return TM_EXIT_OK;
}

void tm_watch_close(struct tm_mount *mount)
{
    struct tm_watch *watch = &mount->watch;
    if (watch->fd >= 0)
        (void)close(watch->fd);
    if (watch->stop >= 0)
        (void)close(watch->stop);
    watch->fd = watch->stop = -1;
    free(watch->batches);
    free(watch->slots);
    watch->batches = NULL;
    watch->slots = NULL;
    tm_watched_fini(&watch->watched);
}

enum tm_exit tm_watch_start(struct tm_mount *mount)
{
    struct tm_watch *watch = &mount->watch;
    pthread_attr_t attributes;
    if (watch->fd < 0)
        return TM_EXIT_OK;
    int error = pthread_attr_init(&attributes);
    if (error == 0) {
        error = pthread_attr_setstacksize(&attributes, STACK_BYTES);
        if (error == 0)
            error = pthread_create(&watch->thread, &attributes, run, mount);
        (void)pthread_attr_destroy(&attributes);
    }
    watch->started = error == 0;
    return error == 0 ? TM_EXIT_OK : cannot_watch(mount, watch->kind->name, error);
}

void tm_watch_stop(struct tm_mount *mount)
{
    struct tm_watch *watch = &mount->watch;
    const uint64_t one = 1;
    if (!watch->started)
        return;
    ssize_t written = write(watch->stop, &one, sizeof one);
    TM_ASSERT(written == (ssize_t)sizeof one);
    (void)pthread_join(watch->thread, NULL);
    watch->started = false;
}

void tm_watch_directory(struct tm_mount *mount, struct tm_node *directory, int fd)
{
    if (mount->watch.kind == &tm_watch_by_inotify)
        tm_watched_add(mount, directory, fd);
}

bool tm_watch_is_complete(const struct tm_mount *mount)
{
    return mount->watch.complete;
}

double tm_watch_doubtful_seconds(const struct tm_mount *mount)
{
    double seconds = mount->options.attribute_seconds;
    return mount->watch.kind != NULL && seconds > DOUBTFUL_SECONDS ? DOUBTFUL_SECONDS : seconds;
}

double tm_watch_name_seconds(const struct tm_mount *mount, unsigned minor)
{
    double seconds = mount->options.entry_seconds;
    bool limited = mount->watch.kind != NULL && minor < ALL_NAMES_MINOR;
    return limited && seconds > LIMITED_NAME_SECONDS ? LIMITED_NAME_SECONDS : seconds;
}

const char *tm_watch_name(const struct tm_mount *mount)
{
    return mount->watch.kind != NULL ? mount->watch.kind->name : "off";
}
