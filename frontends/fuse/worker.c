/* SPDX-License-Identifier: BSD-2-Clause */
/* worker.c - threads and their buffers. */
#include "caller.h"
#include "worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

/* Stacks hold a few paths at most; sanitizers need several times of what the code does. */
#define STACK_BYTES (UINT64_C(1) << 20)

struct tm_worker {
    struct tm_workers *all;
    struct tm_buffer buffer;
    pthread_t thread;
    bool started;
};

static _Thread_local struct tm_worker *current;

struct tm_buffer *tm_worker_buffer(void)
{
    TM_ASSERT(current != NULL);
    return &current->buffer;
}

static void *serve(void *argument)
{
    struct tm_worker *worker = argument;
    struct fuse_session *session = worker->all->mount->session;
    struct fuse_buf request = {.mem = NULL};
    const uint64_t one = 1;
    const unsigned number = (unsigned)(worker - worker->all->list);
    current = worker;
    tm_caller_prepare_thread();
    while (!fuse_session_exited(session)) {
        int length = fuse_session_receive_buf(session, &request);
        if (length == -EINTR || length == -EAGAIN)
            continue;
        if (length <= 0)
            break;
        tm_watch_request_begins(worker->all->mount, number, &request);
        fuse_session_process_buf(session, &request);
        tm_watch_request_ends(worker->all->mount, number);
    }
    free(request.mem);
    if (__atomic_sub_fetch(&worker->all->running, 1, __ATOMIC_ACQ_REL) == 0) {
        ssize_t written = write(worker->all->ended, &one, sizeof one);
        TM_ASSERT(written == (ssize_t)sizeof one);
    }
    return NULL;
}

static bool make_buffer(struct tm_buffer *buffer, size_t pages)
{
    buffer->pages = pages;
    buffer->io = calloc(pages, sizeof *buffer->io);
    if (buffer->io == NULL)
        return false;
    void *bytes = mmap(NULL, pages * TMEM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED) {
        free(buffer->io);
        buffer->io = NULL;
        return false;
    }
    /* Most requests are small: a huge page would cost memory that the store could have. */
    (void)madvise(bytes, pages * TMEM_PAGE_SIZE, MADV_NOHUGEPAGE);
    buffer->bytes = bytes;
    return true;
}

static void free_buffer(struct tm_buffer *buffer)
{
    if (buffer->bytes != NULL)
        (void)munmap(buffer->bytes, buffer->pages * TMEM_PAGE_SIZE);
    free(buffer->io);
}

static int start_thread(struct tm_worker *worker)
{
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (error != 0)
        return error;
    error = pthread_attr_setstacksize(&attributes, STACK_BYTES);
    if (error == 0)
        error = pthread_create(&worker->thread, &attributes, serve, worker);
    (void)pthread_attr_destroy(&attributes);
    worker->started = error == 0;
    return error;
}

static int make_workers(struct tm_workers *workers)
{
    /* A request may begin and end inside a page, and read-ahead comes behind it. */
    size_t pages = TM_READ_MAX_BYTES / TMEM_PAGE_SIZE + 1u + workers->mount->options.read_ahead_bytes / TMEM_PAGE_SIZE;
    workers->list = calloc(workers->count, sizeof *workers->list);
    workers->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (workers->list == NULL || workers->ended < 0)
        return workers->list == NULL ? ENOMEM : errno;
    for (unsigned i = 0; i < workers->count; i++) {
        workers->list[i].all = workers;
        if (!make_buffer(&workers->list[i].buffer, pages))
            return ENOMEM;
    }
    return 0;
}

enum tm_exit tm_workers_start(struct tm_workers *workers, struct tm_mount *mount)
{
    char cause[TM_ERROR_TEXT_SIZE];
    *workers = (struct tm_workers){.mount = mount, .count = mount->options.threads, .ended = -1};
    int error = make_workers(workers);
    bool any = false;
    for (unsigned i = 0; error == 0 && i < workers->count; i++) {
        __atomic_add_fetch(&workers->running, 1, __ATOMIC_ACQ_REL);
        error = start_thread(&workers->list[i]);
        if (error == 0)
            any = true;
        else
            __atomic_sub_fetch(&workers->running, 1, __ATOMIC_ACQ_REL);
    }
    /* Fewer threads than asked for serve as well; none do not. */
    if (any)
        return TM_EXIT_OK;
    tm_workers_join(workers);
    return tm_fail(TM_EXIT_FAILED, "cannot start %u threads: %s (try: --threads 1)", mount->options.threads,
                   tm_error_text(error, cause));
}

void tm_workers_join(struct tm_workers *workers)
{
    for (unsigned i = 0; workers->list != NULL && i < workers->count; i++) {
        if (workers->list[i].started)
            (void)pthread_join(workers->list[i].thread, NULL);
        free_buffer(&workers->list[i].buffer);
    }
    free(workers->list);
    workers->list = NULL;
    if (workers->ended >= 0)
        (void)close(workers->ended);
    workers->ended = -1;
}
