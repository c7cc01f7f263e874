/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * save.h - a client with its pools and pages as a row of bytes: one format for files and for streams.
 *
 * Purpose     A writer takes items one after the other and gives bytes; a reader takes bytes and gives the same items,
 *             or says at which offset what is wrong. docs/save-format.md has the layout. No input or output here.
 * Invariants  The reader gives nothing of a section before its checksum is verified, and the checksums are a chain: a
 *             section that is torn, flipped, left out, repeated, moved, or of another file is refused, whatever it
 *             says. What an item says of itself is checked as well; whether a page's bytes decode to a page is not.
 *             Nothing depends on the machine's order of bytes.
 * Who locks   Nobody: a writer or a reader belongs to one thread at a time.
 * Cost        One copy and one checksum of every byte; a buffer of TM_SAVE_SECTION_BYTES on either side.
 */
#ifndef TM_SAVE_H
#define TM_SAVE_H

#include <tmem/tmem.h>

#include "base/base.h"

#define TM_SAVE_VERSION 1u

/* A section's body at most, and how full one is before the next begins. */
#define TM_SAVE_SECTION_BYTES (UINT32_C(256) << 10)

#define TM_SAVE_TOKEN_BYTES 16u

/* Most pools of a client. */
#define TM_SAVE_POOLS_MAX 65536u

/* What an item is; the number of its sections in the format. */
enum tm_save_kind {
    TM_SAVE_CLIENT = 1,    /* the first; in a stream again where something of it changed */
    TM_SAVE_RIGHT = 2,     /* a shared pool that the client may join */
    TM_SAVE_POOL = 3,      /* before its pages; in a stream again, with other counts */
    TM_SAVE_PAGE = 4,      /* replaces an earlier one of the same handle */
    TM_SAVE_GONE_PAGE = 5, /* streams: an earlier one is gone */
    TM_SAVE_GONE_POOL = 6, /* streams: an earlier pool is */
    TM_SAVE_ROUND = 7,     /* streams: what follows is newer than what came before */
    TM_SAVE_END = 8,       /* the last; made by the writer */
};

/* What the bytes are. */
enum tm_save_form {
    TM_SAVE_FILE = 0,   /* all of it at one moment */
    TM_SAVE_STREAM = 1, /* while the client runs, in rounds */
};

/* A client's settings. */
struct tm_save_client {
    struct tmem_client_stats stats;           /* name, weight, state, cap, maxima, losses, counters */
    uint32_t uid;                             /* whose it is */
    unsigned char token[TM_SAVE_TOKEN_BYTES]; /* by which its process claims it; a secret */
};

struct tm_save_item {
    enum tm_save_kind kind;
    uint64_t pool;                /* of pages and pools that are gone */
    struct tmem_object_id object; /* of pages */
    uint32_t index;               /* of pages */
    uint32_t round;               /* of a round */
    union {
        struct tm_save_client client;
        struct tmem_uuid right;
        struct tmem_pool_stats of_pool; /* id, flags, uuid, counters */
        struct tmem_stored page;
        struct {
            uint64_t pages, bytes; /* of all pages, as they are stored */
        } end;
    };
};

/* ---- writing ---- */

/* Takes the next @size bytes; false: it cannot, and the writer is of no use any more. */
typedef bool tm_save_sink(void *user, const void *bytes, size_t size);

struct tm_save_writer {
    tm_save_sink *sink;
    void *user;
    unsigned char *section; /* header, then entries */
    uint32_t used_bytes;    /* of entries */
    uint32_t entries;
    enum tm_save_kind kind;
    uint32_t number; /* of the section */
    uint64_t chain;  /* the last checksum */
    uint64_t pages, page_bytes;
    bool failed;
};

/*
 * tm_save_begin - begin, and write what comes before the first item.
 *
 * @salt  a number that no other file has; chance is good enough.
 *
 * False: no memory, or the sink's no. tm_save_finish() ends it in any case.
 */
TM_MUST_USE bool tm_save_begin(struct tm_save_writer *writer, enum tm_save_form form, uint64_t salt,
                               tm_save_sink *sink, void *user);

/* tm_save_write - the next item, of any kind but TM_SAVE_END. False: the sink's no, now or earlier. */
TM_MUST_USE bool tm_save_write(struct tm_save_writer *writer, const struct tm_save_item *item);

/* tm_save_flush - give the sink all that was written so far. */
TM_MUST_USE bool tm_save_flush(struct tm_save_writer *writer);

/* tm_save_finish - write the end where @completely, and free the buffer. False: the sink's no. */
bool tm_save_finish(struct tm_save_writer *writer, bool completely);

/* ---- reading ---- */

/* Fills in up to @size bytes, waiting for all of them; fewer: that was all there is. */
typedef size_t tm_save_source(void *user, void *bytes, size_t size);

enum tm_save_answer {
    TM_SAVE_ITEM,   /* *item is the next one */
    TM_SAVE_ENDED,  /* everything was there, and whole */
    TM_SAVE_BROKEN, /* text() says where and why */
};

struct tm_save_reader {
    tm_save_source *source;
    void *user;
    unsigned char *section; /* header and entries */
    const unsigned char *at, *end;
    uint32_t entries; /* left */
    enum tm_save_kind kind;
    enum tm_save_form form;
    uint32_t number;        /* of the next section */
    uint64_t offset;        /* of the next section */
    uint64_t section_start; /* offset of the one that is read */
    uint64_t chain;
    uint64_t pages, page_bytes;
    uint64_t *pools; /* ids, ascending */
    size_t pool_count, pool_capacity;
    bool has_client;
    bool is_short; /* the entry needs more than the section has */
    bool is_over;  /* nothing more to read, */
    bool is_whole; /* since all of it was there */
    char text[160];
};

/* tm_save_open - begin to read, and check what comes before the first item. False: text says why. tm_save_close() ends
 * it in any case. */
TM_MUST_USE bool tm_save_open(struct tm_save_reader *reader, tm_save_source *source, void *user);

/* tm_save_read - the next item; never TM_SAVE_END. After TM_SAVE_ENDED and TM_SAVE_BROKEN it answers the same again. */
TM_MUST_USE enum tm_save_answer tm_save_read(struct tm_save_reader *reader, struct tm_save_item *item);

void tm_save_close(struct tm_save_reader *reader);

/* ---- the original's streams ---- */

/*
 * The stream of Xen's own tools, which carries a client's settings, its pools, and the pages of its persistent pools as
 * they are (codec TMEM_CODEC_RAW; their check is 0 and is not looked at). What it cannot say is in
 * docs/save-format.md. It has no checksums: every number is checked, the bytes of pages cannot be.
 */
enum tm_xen_stream {
    TM_XEN_STREAM_40 = 0, /* 4.0 to 4.7 */
    TM_XEN_STREAM_48 = 1, /* 4.8 and later */
    TM_XEN_STREAM_ANY,    /* to be read: whichever it is; written: the first */
};

/* What begins a stream, unless whoever asked for it says otherwise, and the one behind it. */
#define TM_XEN_MARKER UINT32_C(0xfffffffb)       /* -5 */
#define TM_XEN_MARKER_EXTRA UINT32_C(0xfffffffa) /* -6: pages that are gone follow */

#define TM_XEN_STREAM_POOLS 16u
#define TM_XEN_STREAM_TEXT 160u

struct tm_foreign_writer {
    enum tm_xen_stream generation;
    tm_save_sink *sink;
    void *user;
    uint32_t marker;                     /* TM_XEN_MARKER, or what is set before the client is written */
    uint64_t pools[TM_XEN_STREAM_POOLS]; /* ids; the place is the number in the stream */
    uint32_t pool_count;
    uint32_t pools_due;  /* as the header says */
    uint64_t pages_left; /* of the last pool */
    bool has_client;
    bool is_extra; /* the second stream */
    bool failed;
    char text[TM_XEN_STREAM_TEXT]; /* why an item was refused; empty: the sink said no */
};

/* tm_foreign_begin - begin a stream; nothing is written before the client. */
void tm_foreign_begin(struct tm_foreign_writer *writer, enum tm_xen_stream generation, tm_save_sink *sink,
                      void *user);

/*
 * tm_foreign_write - the next item: the client, whose stats.pools is the number of its pools, then each pool and,
 * where it is persistent, its pages, no more than its counters say. Pools that came before are passed over, and so is
 * what has no place in such a stream: rights, rounds.
 *
 * False: the sink's no, or text says what the original has no word for; nothing can be written any more.
 */
TM_MUST_USE bool tm_foreign_write(struct tm_foreign_writer *writer, const struct tm_save_item *item);

/* tm_foreign_finish - write the end. False: as above, or pools are missing. */
TM_MUST_USE bool tm_foreign_finish(struct tm_foreign_writer *writer);

/*
 * tm_foreign_begin_extra - behind a stream that is finished, begin the one of pages that have gone since, to any sink:
 * what is written then is TM_SAVE_GONE_PAGE, until tm_foreign_finish(). False: the sink's no.
 */
TM_MUST_USE bool tm_foreign_begin_extra(struct tm_foreign_writer *writer, uint32_t marker, tm_save_sink *sink,
                                        void *user);

struct tm_foreign_reader {
    enum tm_xen_stream generation;
    tm_save_source *source;
    void *user;
    enum {
        TM_XEN_AT_CLIENT,
        TM_XEN_AT_POOL,
        TM_XEN_AT_PAGE,
        TM_XEN_AT_MARKER,
        TM_XEN_AT_GONE,
        TM_XEN_AT_END
    } at;
    uint64_t offset; /* of what is read next */
    uint32_t known;  /* a bit for each pool that came */
    uint32_t pool;   /* whose pages are read */
    uint32_t pools_left;
    uint64_t pages_left;
    bool is_part; /* of something longer: whoever reads that has read the marker, and nothing behind the end is read */
    bool is_broken;
    char text[TM_XEN_STREAM_TEXT]; /* at which byte, and why */
};

/* tm_foreign_open - begin to read. */
void tm_foreign_open(struct tm_foreign_reader *reader, enum tm_xen_stream generation, tm_save_source *source,
                     void *user);

/* tm_foreign_open_part, tm_foreign_open_extra - the same of a part, behind its marker: of a client, and of pages that
 * are gone, of pools of which @known has a bit each. */
void tm_foreign_open_part(struct tm_foreign_reader *reader, enum tm_xen_stream generation, tm_save_source *source,
                          void *user);
void tm_foreign_open_extra(struct tm_foreign_reader *reader, uint32_t known, tm_save_source *source, void *user);

/*
 * tm_foreign_read - the next item: one client without a name, user and token, then pools, pages, and, from the stream
 * of what went meanwhile if one follows, pages that are gone. A pool's id is its number in the stream and 1. Answers as
 * tm_save_read() does; what was given before TM_SAVE_BROKEN is of no use.
 */
TM_MUST_USE enum tm_save_answer tm_foreign_read(struct tm_foreign_reader *reader, struct tm_save_item *item);

#endif
