/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * damage_main.c - an arena that was damaged is refused, or answers for what is left of it.
 *
 * A store is filled and closed; then its memfd is copied and damaged, again and again: bits, words and whole runs of
 * the head, of the descriptors of segments, of records and of blocks; truncation; records copied over each other. A
 * process of its own opens each copy. Proves that it never crashes and never hangs; that tmem_open() refuses it with a
 * result that tmem.h names, or that every get answers with the page that was stored, with a miss, or with TMEM_CORRUPT;
 * that the store can be used afterwards, and tmem_store_check() finds nothing wrong.
 *
 * Records have no checksums. So some things cannot be known: a same-filled page's word lies in its slot, and a page
 * that comes back as one repeated word is not held against what was stored; and a damaged record may give a pool
 * another one's pages, or a slot the shared bytes of another page. But what comes back is a page that was
 * stored, whole.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <tmem/control.h>
#include <unistd.h>

#include "tests/model/content.h"

#define CLIENTS 2u
#define POOLS 3u
#define OBJECTS 6u
#define PAGES 70u
#define EXTENTS 64u
#define SPAN_BYTES (UINT64_C(2) << 20)
#define DEFAULT_TRIALS 400u
#define SECONDS_MOST 60u

enum damage {
    DAMAGE_HEADER,
    DAMAGE_DESCRIPTORS,
    DAMAGE_ANY_BIT,
    DAMAGE_RECORD_BIT,
    DAMAGE_WORD,
    DAMAGE_RUN,
    DAMAGE_MOVED,
    DAMAGE_CUT,
    DAMAGES
};

struct image {
    uint64_t length;
    unsigned extents;
    struct {
        uint64_t offset, bytes;
        unsigned char *data;
    } extent[EXTENTS];
};

static uint64_t seed;
static bool has_dedup; /* of the store that is damaged */
static uint64_t pool_ids[2][CLIENTS][POOLS];
static uint64_t trial;
static const char *program;

static _Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "damage: trial %llu: ", (unsigned long long)trial);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n  again: %s --seed %llu --first %llu --trials 1\n", program, (unsigned long long)seed,
            (unsigned long long)trial);
    va_end(arguments);
    exit(1);
}

static unsigned below(uint64_t *state, unsigned limit)
{
    return (unsigned)((content_next(state) >> 32) * limit >> 32);
}

/* ---- what is stored ---- */

static const char *const client_names[CLIENTS] = {"one", "two"};

static struct tmem_object_id object_id(unsigned object)
{
    return (struct tmem_object_id){{object, content_scatter(object), UINT64_MAX - object}};
}

static uint32_t page_index(unsigned page)
{
    return page < 64 ? page : page * 1000u;
}

static uint64_t content_of(unsigned client, unsigned pool, unsigned object, unsigned page)
{
    uint64_t place = ((client * POOLS + pool) * OBJECTS + object) * PAGES + page;
    return content_draw(content_scatter(seed + place));
}

static void make_uri(int fd, char *uri, size_t room)
{
    snprintf(uri, room, "embedded:size=24M,maintenance=none,workers=2,dedup=%s,arena-fd=%d", has_dedup ? "on" : "off",
             fd);
}

static struct tmem_store *open_or_fail(int fd)
{
    char uri[96];
    struct tmem_error error;
    struct tmem_store *store;
    make_uri(fd, uri, sizeof uri);
    if (tmem_open(uri, &store, &error) != TMEM_OK)
        fail("cannot make the store: %s", error.text);
    return store;
}

static void fill_pool(struct tmem_pool *pool, unsigned client, unsigned number)
{
    static unsigned char page[TMEM_PAGE_SIZE];
    for (unsigned i = 0; i < OBJECTS * PAGES; i++) {
        struct tmem_object_id id = object_id(i / PAGES);
        content_fill(content_of(client, number, i / PAGES, i % PAGES), page);
        if (tmem_put(pool, &id, page_index(i % PAGES), page, 0) != TMEM_OK)
            fail("cannot store a page");
    }
}

/* Two clients with two private pools each and one that they share, which the first one fills. */
static void fill_store(int fd)
{
    struct tmem_store *store = open_or_fail(fd);
    const struct tmem_uuid uuid = {{5, 6}};
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct tmem_client *client;
        if (tmem_client_create(store, client_names[i], NULL, &client) != TMEM_OK ||
            tmem_client_authorise(client, &uuid) != TMEM_OK)
            fail("cannot make a client");
        for (unsigned k = 0; k < POOLS; k++) {
            struct tmem_pool *pool;
            bool is_shared = k == 2;
            uint32_t flags = TMEM_POOL_PERSISTENT | (is_shared ? TMEM_POOL_SHARED : 0u);
            if (tmem_pool_create(client, flags, is_shared ? &uuid : NULL, &pool) != TMEM_OK)
                fail("cannot make a pool");
            pool_ids[has_dedup][i][k] = tmem_pool_id(pool);
            if (!is_shared || i == 0)
                fill_pool(pool, i, k);
        }
    }
    tmem_close(store);
}

/* ---- images ---- */

static struct image take_image(int fd)
{
    struct image image = {.length = (uint64_t)lseek(fd, 0, SEEK_END)};
    off_t at = 0;
    while (image.extents < EXTENTS && (at = lseek(fd, at, SEEK_DATA)) >= 0) {
        off_t end = lseek(fd, at, SEEK_HOLE);
        unsigned char *data = malloc((size_t)(end - at));
        if (data == NULL || pread(fd, data, (size_t)(end - at), at) != end - at)
            fail("cannot copy the arena");
        image.extent[image.extents].offset = (uint64_t)at;
        image.extent[image.extents].bytes = (uint64_t)(end - at);
        image.extent[image.extents++].data = data;
        at = end;
    }
    return image;
}

static int put_image(const struct image *image)
{
    int fd = memfd_create("damaged", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)image->length) != 0)
        fail("cannot make a memfd: %m");
    for (unsigned i = 0; i < image->extents; i++)
        if (pwrite(fd, image->extent[i].data, (size_t)image->extent[i].bytes, (off_t)image->extent[i].offset) !=
            (ssize_t)image->extent[i].bytes)
            fail("cannot copy the arena: %m");
    return fd;
}

/* A word in [from, to) that is not zero, or, where there is hardly one, any. */
static uint64_t draw_place(const struct image *image, uint64_t *random, uint64_t from, uint64_t to)
{
    uint64_t place = from;
    for (unsigned tries = 0; tries < 20000; tries++) {
        unsigned extent = below(random, image->extents);
        uint64_t at = content_next(random) % (image->extent[extent].bytes / 8u) * 8u;
        uint64_t word;
        memcpy(&word, image->extent[extent].data + at, sizeof word);
        place = image->extent[extent].offset + at;
        if (word != 0 && place >= from && place < to)
            break;
    }
    return place;
}

/* Descriptors follow the header's page; the first span in use holds records. */
static uint64_t first_span(const struct image *image)
{
    for (unsigned i = 0; i < image->extents; i++)
        if (image->extent[i].offset >= SPAN_BYTES)
            return image->extent[i].offset;
    fail("the arena holds nothing");
}

static void change(int fd, uint64_t offset, const void *bytes, size_t count)
{
    if (pwrite(fd, bytes, count, (off_t)offset) != (ssize_t)count)
        fail("cannot damage the copy: %m");
}

static void flip_bit(int fd, uint64_t offset, unsigned bit)
{
    unsigned char byte = 0;
    if (pread(fd, &byte, 1, (off_t)offset) != 1)
        fail("cannot read the copy: %m");
    byte ^= (unsigned char)(1u << bit);
    change(fd, offset, &byte, 1);
}

static uint64_t draw_word(uint64_t *random)
{
    uint64_t word = content_next(random);
    switch (below(random, 6)) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    case 2:
        return word & 0xff;
    case 3:
        return UINT64_C(1) << (word & 63u);
    case 4:
        return word & 0xffffffffu;
    default:
        return word;
    }
}

static void damage(int fd, const struct image *image, uint64_t *random)
{
    unsigned char bytes[512];
    enum damage kind = (enum damage)below(random, DAMAGES);
    uint64_t spans = first_span(image);
    uint64_t records = spans + SPAN_BYTES;
    for (unsigned times = 1u + below(random, kind == DAMAGE_ANY_BIT ? 64 : 4); times > 0; times--) {
        uint64_t place = draw_place(image, random, kind == DAMAGE_DESCRIPTORS ? 4096u : spans,
                                    kind == DAMAGE_DESCRIPTORS ? spans : kind == DAMAGE_ANY_BIT ? UINT64_MAX
                                                                                                : records);
        uint64_t word = draw_word(random);
        switch (kind) {
        case DAMAGE_HEADER:
            flip_bit(fd, below(random, 88), below(random, 8));
            break;
        case DAMAGE_DESCRIPTORS:
            if (below(random, 2) == 0)
                flip_bit(fd, place, below(random, 8));
            else
                change(fd, place, &word, 1u + below(random, 8));
            break;
        case DAMAGE_ANY_BIT:
        case DAMAGE_RECORD_BIT:
            flip_bit(fd, place + below(random, 8), below(random, 8));
            break;
        case DAMAGE_WORD:
            change(fd, place, &word, 1u + below(random, 8));
            break;
        case DAMAGE_RUN:
            for (unsigned i = 0; i < sizeof bytes; i++)
                bytes[i] = (unsigned char)(below(random, 2) == 0 ? 0 : content_next(random));
            change(fd, place, bytes, 1u + below(random, sizeof bytes));
            break;
        case DAMAGE_MOVED: /* a record over another one, or near it */
            if (pread(fd, bytes, 64, (off_t)(draw_place(image, random, spans, records) & ~UINT64_C(31))) == 64)
                change(fd, place & ~UINT64_C(31), bytes, 32u << below(random, 2));
            break;
        case DAMAGE_CUT:
            if (ftruncate(fd, (off_t)(place & (below(random, 4) == 0 ? ~UINT64_C(4095) : ~UINT64_C(0x1fffff)))) != 0)
                fail("cannot cut the copy: %m");
            return;
        case DAMAGES:
            break;
        }
    }
}

/* ---- looking at what is left ---- */

static bool is_same_filled(const unsigned char *page)
{
    return memcmp(page, page + 8, TMEM_PAGE_SIZE - 8u) == 0;
}

/* A page that was stored somewhere, with others that are equal to it. */
static bool is_any_page(const unsigned char *page)
{
    for (unsigned i = 0; i < CLIENTS * POOLS * OBJECTS * PAGES; i++)
        if (content_matches(content_of(0, 0, 0, i), page))
            return true;
    return false;
}

static void read_pool(struct tmem_pool *pool, unsigned client, unsigned number)
{
    static unsigned char page[TMEM_PAGE_SIZE];
    for (unsigned i = 0; i < OBJECTS * PAGES; i++) {
        struct tmem_object_id id = object_id(i / PAGES);
        uint64_t content = content_of(client, number, i / PAGES, i % PAGES);
        enum tmem_result result = tmem_get(pool, &id, page_index(i % PAGES), page, TMEM_GET_INCLUSIVE);
        if (result == TMEM_OK && !content_matches(content, page) && !is_same_filled(page) &&
            !is_any_page(page))
            fail("client %u, pool %u, page %u: bytes that are no page", client, number, i);
        if (result != TMEM_OK && result != TMEM_MISS && result != TMEM_CORRUPT)
            fail("a get answered '%s'", tmem_result_text(result));
        if (result == TMEM_CORRUPT && tmem_get(pool, &id, page_index(i % PAGES), page, TMEM_GET_INCLUSIVE) != result)
            fail("a damaged page was damaged once only");
    }
}

/* A pool whose id was damaged is one that nobody knows. */
static void read_known_pool(struct tmem_pool *pool, uint64_t id)
{
    for (unsigned i = 0; i < CLIENTS * POOLS; i++)
        if (pool_ids[has_dedup][i / POOLS][i % POOLS] == id) {
            read_pool(pool, i / POOLS, i % POOLS);
            return;
        }
}

/* Puts, replaces, invalidates, and walks: whatever is left must work. */
static void use_pool(struct tmem_pool *pool, unsigned client, unsigned number)
{
    static unsigned char page[TMEM_PAGE_SIZE];
    struct tmem_cursor cursor = TMEM_CURSOR_INIT;
    struct tmem_key keys[64];
    size_t count;
    while (tmem_walk(pool, &cursor, keys, 64, &count) == TMEM_OK) {
    }
    for (unsigned i = 0; i < OBJECTS * PAGES; i += 3) {
        struct tmem_object_id id = object_id(i / PAGES);
        uint64_t content = content_of(client, number, i % OBJECTS, i % PAGES);
        content_fill(content, page);
        enum tmem_result result = tmem_put(pool, &id, page_index(i % PAGES), page, 0);
        if (result == TMEM_OK && (tmem_get(pool, &id, page_index(i % PAGES), page, TMEM_GET_INCLUSIVE) != TMEM_OK ||
                                  !content_matches(content, page)))
            fail("a page that was put over is not what was put");
        (void)!tmem_invalidate_page(pool, &id, page_index((i + 1u) % PAGES));
    }
    struct tmem_object_id id = object_id(1);
    (void)!tmem_invalidate_object(pool, &id);
}

/* One pass over what is there: @is_first only reads, so that nothing is changed before it was read. */
static void visit_client(struct tmem_client *client, unsigned number_of_client, bool is_first)
{
    uint64_t ids[8];
    size_t count = 0;
    if (tmem_client_thaw(client) != TMEM_OK || tmem_client_pools(client, 0, ids, 8, &count) != TMEM_OK)
        fail("a client does not work");
    for (size_t k = 0; k < count; k++) {
        struct tmem_pool *pool;
        if (tmem_pool_open(client, ids[k], &pool) != TMEM_OK)
            fail("a pool that is listed cannot be opened");
        if (is_first)
            read_known_pool(pool, ids[k]);
        else
            use_pool(pool, number_of_client, (unsigned)k % POOLS);
    }
}

static void look_at(struct tmem_store *store)
{
    for (unsigned i = 0; i < 2u * CLIENTS; i++) {
        struct tmem_client *client;
        if (tmem_client_open(store, client_names[i % CLIENTS], &client) == TMEM_OK)
            visit_client(client, i % CLIENTS, i < CLIENTS);
    }
}

static _Noreturn void open_damaged(int fd)
{
    char uri[96];
    struct tmem_error error = {""};
    struct tmem_store *store;
    alarm(SECONDS_MOST);
    make_uri(fd, uri, sizeof uri);
    enum tmem_result result = tmem_open(uri, &store, &error);
    switch (result) {
    case TMEM_OK:
        look_at(store);
        if (tmem_store_check(store) != TMEM_OK)
            fail("store_check failed");
        tmem_close(store);
        exit(10);
    case TMEM_CORRUPT:
    case TMEM_UNSUPPORTED:
    case TMEM_INVALID:
    case TMEM_NOMEM:
        if (error.text[0] == 0)
            fail("open says '%s' without a text", tmem_result_text(result));
        exit(11);
    default:
        fail("open answered '%s'", tmem_result_text(result));
    }
}

/* True: it could be opened. */
static bool run_trial(const struct image *image)
{
    uint64_t random = content_scatter(seed ^ content_scatter(trial));
    int status = 0;
    int fd = put_image(image);
    damage(fd, image, &random);
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        fail("cannot fork: %m");
    if (child == 0)
        open_damaged(fd);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    close(fd);
    if (WIFSIGNALED(status))
        fail("ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) != 10 && WEXITSTATUS(status) != 11)
        exit(1);
    return WEXITSTATUS(status) == 10;
}

/* ---- main ---- */

static int usage(FILE *to)
{
    fprintf(to, "usage: damage [--trials N] [--first N] [--seed N]\n");
    return to == stdout ? 0 : 2;
}

static bool parse(const char *text, uint64_t *value)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    *value = number;
    return end != text && *end == 0 && *text != '-' && errno == 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"trials", required_argument, NULL, 't'},
        {"first", required_argument, NULL, 'f'},
        {"seed", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *seed_text = getenv("TMEM_TEST_SEED");
    uint64_t trials = DEFAULT_TRIALS;
    uint64_t first = 0;
    unsigned opened = 0;
    program = argv[0];
    seed = (uint64_t)time(NULL);
    if (seed_text != NULL && !parse(seed_text, &seed))
        return usage(stderr);
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        bool ok = option == 't'   ? parse(optarg, &trials)
                  : option == 'f' ? parse(optarg, &first)
                  : option == 's' ? parse(optarg, &seed)
                                  : false;
        if (!ok)
            return usage(option == 'h' ? stdout : stderr);
    }
    printf("damage: seed %llu, %llu trials\n", (unsigned long long)seed, (unsigned long long)trials);
    struct image images[2];
    for (unsigned i = 0; i < 2; i++) {
        int fd = memfd_create("whole", MFD_CLOEXEC);
        if (fd < 0)
            fail("memfd_create: %m");
        has_dedup = i != 0;
        fill_store(fd);
        images[i] = take_image(fd);
        close(fd);
    }
    for (trial = first; trial < first + trials; trial++) {
        has_dedup = trial % 2 != 0;
        opened += run_trial(&images[trial % 2]);
    }
    printf("damage: %u of %llu damaged arenas could be opened, the others were refused\n", opened,
           (unsigned long long)trials);
    for (unsigned i = 0; i < 2; i++)
        for (unsigned k = 0; k < images[i].extents; k++)
            free(images[i].extent[k].data);
    return trials > 100 && (opened == 0 || opened == trials);
}
