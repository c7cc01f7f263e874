/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unix_memory.c - memory of a client that the daemon has mapped, so that pages go straight to and from it. Without the
 * daemon's leave it is memory like any other, whose pages are copied.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/unix.h"

/* ---- what the daemon knows ---- */

/* Under `connecting`. Registers it with the daemon of the connection, if that takes it. */
static void enrol(struct tm_unix_client *client, struct tm_unix_memory *memory, bool is_restoring)
{
    union tm_wire_any any;
    tm_store_relaxed(&memory->region, 0u);
    if ((client->link.features & TM_WIRE_REGIONS) == 0)
        return;
    tm_message_begin(&any, TM_WIRE_REGISTER, 0, 0);
    any.enrol.bytes = memory->bytes;
    enum tm_wire_result result =
        tm_link_ask(&client->link, &any, memory->descriptor, TM_WIRE_REGISTERED, &any, is_restoring);
    if (result == TM_WIRE_OK)
        tm_store_relaxed(&memory->region, any.region.region);
}

void tm_unix_restore_memory(struct tm_unix_client *client)
{
    for (unsigned i = 0; i < TM_ARRAY_SIZE(client->memory); i++)
        if (tm_load_relaxed(&client->memory[i].base) != 0)
            enrol(client, &client->memory[i], true);
}

void tm_unix_find_page(const struct tm_unix_client *client, const void *page, struct tm_wire_request *request)
{
    uint64_t at = (uintptr_t)page;
    uint32_t count = tm_load_acquire(&client->memory_count);
    for (uint32_t i = 0; i < count; i++) {
        const struct tm_unix_memory *memory = &client->memory[i];
        uint64_t base = tm_load_acquire(&memory->base);
        uint32_t region = tm_load_relaxed(&memory->region);
        if (region != 0 && base != 0 && at >= base && at - base <= memory->bytes - TM_PAGE_BYTES) {
            request->region = (uint16_t)region;
            request->place = at - base;
            return;
        }
    }
}

/* ---- making and ending ---- */

/* A mapping that nobody can cut short; NULL: no memory. */
static void *map(size_t bytes, int *descriptor)
{
    *descriptor = memfd_create("tmem-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*descriptor < 0)
        return NULL;
    void *base = MAP_FAILED;
    if (ftruncate(*descriptor, (off_t)bytes) == 0 &&
        fcntl(*descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *descriptor, 0);
    if (base == MAP_FAILED) {
        close(*descriptor);
        return NULL;
    }
    /* A forked child cannot use the store, and would see what its parent gets. */
    (void)madvise(base, bytes, MADV_DONTFORK);
    return base;
}

/* Under `connecting`. */
static struct tm_unix_memory *free_entry(struct tm_unix_client *client)
{
    for (uint32_t i = 0; i < TM_ARRAY_SIZE(client->memory); i++)
        if (tm_load_relaxed(&client->memory[i].base) == 0) {
            if (i >= tm_load_relaxed(&client->memory_count))
                tm_store_release(&client->memory_count, i + 1u);
            return &client->memory[i];
        }
    return NULL;
}

enum tmem_result tm_unix_memory_create(struct tmem_client *handle, size_t size_bytes, void **result)
{
    struct tm_unix_client *client = tm_unix_client_of(handle);
    int descriptor;
    if (!tm_unix_is_alive(client->store))
        return TMEM_UNAVAILABLE;
    if ((uint64_t)size_bytes > tm_min_u64(TM_WIRE_REGION_BYTES_MAX, SIZE_MAX - TM_PAGE_BYTES))
        return TMEM_NOMEM;
    size_t bytes = (size_t)tm_round_up(size_bytes, TM_PAGE_BYTES);
    void *base = map(bytes, &descriptor);
    if (base == NULL)
        return TMEM_NOMEM;
    pthread_mutex_lock(&client->connecting);
    struct tm_unix_memory *memory = free_entry(client);
    if (memory != NULL) {
        memory->bytes = bytes;
        memory->descriptor = descriptor;
        enrol(client, memory, false);
        tm_store_release(&memory->base, (uint64_t)(uintptr_t)base);
    }
    pthread_mutex_unlock(&client->connecting);
    if (memory == NULL) {
        munmap(base, bytes);
        close(descriptor);
        return TMEM_REFUSED;
    }
    *result = base;
    return TMEM_OK;
}

/* Under `connecting`, or when nobody uses the client any more. */
static void release(struct tm_unix_memory *memory)
{
    void *base = (void *)(uintptr_t)tm_load_relaxed(&memory->base);
    tm_store_relaxed(&memory->region, 0u);
    tm_store_relaxed(&memory->base, UINT64_C(0));
    munmap(base, (size_t)memory->bytes);
    close(memory->descriptor);
}

void tm_unix_memory_destroy(struct tmem_client *handle, void *base)
{
    struct tm_unix_client *client = tm_unix_client_of(handle);
    union tm_wire_any any;
    if (!tm_unix_is_alive(client->store))
        return; /* the parent's */
    pthread_mutex_lock(&client->connecting);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(client->memory); i++) {
        struct tm_unix_memory *memory = &client->memory[i];
        uint32_t region = tm_load_relaxed(&memory->region);
        if (tm_load_relaxed(&memory->base) != (uint64_t)(uintptr_t)base)
            continue;
        tm_message_begin(&any, TM_WIRE_UNREGISTER, 0, 0);
        any.region.region = (uint16_t)region;
        if (region != 0)
            (void)tm_link_ask(&client->link, &any, -1, TM_WIRE_DONE, &any, false);
        release(memory);
        break;
    }
    pthread_mutex_unlock(&client->connecting);
}

void tm_unix_release_memory(struct tm_unix_client *client)
{
    for (unsigned i = 0; i < TM_ARRAY_SIZE(client->memory); i++)
        if (tm_load_relaxed(&client->memory[i].base) != 0)
            release(&client->memory[i]);
}
