/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_verb.h - for those who write verbs of the control socket.
 *
 * A verb is a row of the table in control_verb.c: its name, the fields that it takes, and a function. The fields were
 * checked when the function is called: those that are required are there, each has its type, and there are no others.
 * It runs in the connection's thread, may take its time, and returns the answer's last line.
 */
#ifndef TM_DAEMON_CONTROL_VERB_H
#define TM_DAEMON_CONTROL_VERB_H

#include <jansson.h>

#include "daemon/daemon.h"

enum tm_control_type {
    TM_CONTROL_TEXT,
    TM_CONTROL_NUMBER, /* an integer, 0 or more */
    TM_CONTROL_LIMIT,  /* the same, or null: none, UINT64_MAX */
    TM_CONTROL_SWITCH, /* true or false */
};

struct tm_control_field {
    const char *name;
    enum tm_control_type type;
    bool is_required;
};

struct tm_control_connection;

/*
 * What a question leaves for later ones of the same connection: the first member of what a verb makes. It ends with the
 * connection if no question did that before.
 */
struct tm_control_kept {
    struct tm_control_kept *next;
    void (*end)(struct tm_control_kept *kept, const struct tm_daemon *daemon); /* frees it as well; tells its kind */
    char client[TMEM_CLIENT_NAME_SIZE];
};

/* One question. */
struct tm_control_call {
    const struct tm_daemon *daemon;
    const json_t *request;
    struct tm_control_connection *connection;
};

/* Returns a new reference: tm_control_ok() with more members, or tm_control_error(). NULL: there was no memory. */
typedef json_t *tm_control_function(struct tm_control_call *call);

struct tm_control_verb {
    const char *name;
    tm_control_function *function;
    const struct tm_control_field *fields;
    unsigned field_count;
};

#define TM_CONTROL_FIELDS(list) (list), TM_ARRAY_SIZE(list)

/* ---- the question ---- */

/* The field's value; NULL, false (with *value as it was), false: it is not there. */
const char *tm_control_text(const struct tm_control_call *call, const char *field);
bool tm_control_number(const struct tm_control_call *call, const char *field, uint64_t *value);
bool tm_control_switch(const struct tm_control_call *call, const char *field);

/* True: the field is there. */
bool tm_control_has(const struct tm_control_call *call, const char *field);

/* The descriptor that came along as number @index, now the caller's to close; -1: there is none. */
int tm_control_take_descriptor(struct tm_control_call *call, unsigned index);

/* tm_control_keep - keep it for later questions. tm_control_take_kept - what is ended so of that client, the caller's
 * now; NULL: there is none. */
void tm_control_keep(struct tm_control_call *call, struct tm_control_kept *kept);
struct tm_control_kept *tm_control_take_kept(struct tm_control_call *call,
                                             void (*end)(struct tm_control_kept *kept, const struct tm_daemon *daemon),
                                             const char *client);

/* The connection's socket, to wait for its end (POLLHUP). */
int tm_control_socket(const struct tm_control_call *call);

/* ---- the answer ---- */

/* {"result":"ok"}, and @members behind it, an object that is consumed. NULL: no memory, or @members was NULL. */
json_t *tm_control_ok(json_t *members);

/* {"result":WORD,"error":TEXT}. @result is not TMEM_OK. The text names the thing and the remedy. */
json_t *tm_control_error(enum tmem_result result, const char *format, ...) TM_PRINTF(2, 3);

/*
 * tm_control_say - send a line before the last one, such as progress; it has no member "result". @line is consumed.
 *
 * False: nobody listens any more, or the daemon ends, so the verb should come to its end.
 */
bool tm_control_say(struct tm_control_call *call, json_t *line);

/* tm_control_is_wanted - the same question without a line. */
bool tm_control_is_wanted(const struct tm_control_call *call);

/* No client has this name, or the one that had it is just ending. */
json_t *tm_control_no_client(const char *name);

/* ---- the table ---- */

/* Of the protocol as a whole; verbs and members come without another. */
#define TM_CONTROL_FORMAT 1

/* Answers one line. A new reference; NULL: no memory. */
json_t *tm_control_answer(struct tm_control_call *call, const char *line, size_t bytes);

tm_control_function tm_control_latency;
tm_control_function tm_control_destroy_client;
tm_control_function tm_control_events;
tm_control_function tm_control_freeable;
tm_control_function tm_control_freeze;
tm_control_function tm_control_list;
tm_control_function tm_control_migrate;
tm_control_function tm_control_receive;
tm_control_function tm_control_restore;
tm_control_function tm_control_restore_extra;
tm_control_function tm_control_save;
tm_control_function tm_control_save_done;
tm_control_function tm_control_save_extra;
tm_control_function tm_control_reclaim;
tm_control_function tm_control_set;
tm_control_function tm_control_shared_auth;
tm_control_function tm_control_size;
tm_control_function tm_control_stats;
tm_control_function tm_control_thaw;
tm_control_function tm_control_token;
tm_control_function tm_control_version;

#endif
