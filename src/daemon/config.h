/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config.h - the daemon's configuration: sections of `key = value` lines in a file, and drop-ins beside it.
 *
 *   [daemon]         socket, threads, grace, connections
 *   [store]          size, codec, dedup, defer, cold
 *   [client NAME]    uid, weight, cap, persistent, pools, clients, regions, uuids: whoever connects as this user is
 *                    NAME
 *   [others]         allow, weight, cap, persistent, pools, clients, regions: users that no section names
 *   [control]        socket, group, mode: where operators ask, and who may
 *   [metrics]        listen, socket, clients: where metrics are served, and for how many clients
 *
 * FILE.d/ may hold more, files *.conf in the order of their names; later lines replace earlier ones. Everything has a
 * default that works, so there need be no file.
 *
 * Who locks: nobody; once it is in use it does not change.
 */
#ifndef TM_DAEMON_CONFIG_H
#define TM_DAEMON_CONFIG_H

#include <tmem/tmem.h>

#include "base/base.h"
#include "daemon/address.h"

#include <sys/types.h>

#define TM_SOCKET_PATH_SIZE 108u /* as in struct sockaddr_un */
#define TM_CODEC_NAME_SIZE 32u
#define TM_CONFIG_COLD_SECONDS 60u /* how long nobody asked for a page that is cold */
#define TM_GROUP_NAME_SIZE 64u

/* What the clients of one section may have. Each limit is that of one client, and `clients` says how many. */
struct tm_rule {
    char name[TMEM_CLIENT_NAME_SIZE]; /* empty: the clients are called after their user */
    bool has_uid;
    uid_t uid;
    uint32_t weight;         /* the most; one that wishes for none has 100 */
    uint64_t cap_bytes;      /* UINT64_MAX: none */
    uint64_t region_bytes;   /* most memory of its own that a client may have mapped */
    bool persistent;         /* may make persistent pools */
    uint32_t pools;          /* most at once */
    uint32_t clients;        /* most at once, those included that have left pages behind */
    struct tmem_uuid *uuids; /* of shared pools that it may join */
    size_t uuid_count;
    bool allowed; /* of [others]: may connect at all */
};

struct tm_config {
    char socket[TM_SOCKET_PATH_SIZE]; /* empty: tm_door_default_path() */
    uint32_t threads;                 /* 0: one for each CPU */
    uint32_t grace_seconds;           /* how long persistent pages wait for a client that is gone */
    uint32_t connections;             /* most at once */
    uint64_t size_bytes;
    char codec[TM_CODEC_NAME_SIZE];
    bool dedup;
    bool defer;
    uint32_t cold_percent;
    char control_socket[TM_SOCKET_PATH_SIZE]; /* empty: control.sock beside the socket */
    char control_group[TM_GROUP_NAME_SIZE];   /* whose members are operators; there need be no such group */
    uint32_t control_mode;
    struct tm_address metrics_address;
    char metrics_socket[TM_SOCKET_PATH_SIZE]; /* empty: none */
    uint32_t metrics_clients;                 /* that have a label of their own */
    struct tm_rule own;                       /* the user that the daemon runs as, where no section names it */
    struct tm_rule others;                    /* and all other users */
    struct tm_rule *rules;                    /* [client NAME] */
    size_t rule_count;
    struct tm_config *before; /* that was in use before it */
};

/* Takes one problem: @place is FILE:LINE or FILE. */
typedef void (*tm_config_report)(void *context, const char *place, const char *problem);

/* tm_config_init - the defaults. */
void tm_config_init(struct tm_config *config);

/* tm_config_fini - frees what reading allocated. */
void tm_config_fini(struct tm_config *config);

/*
 * tm_config_read - read a file and its drop-ins into a configuration that has the defaults.
 *
 * @is_required  false: where there is no file, the defaults and the drop-ins are all.
 * @report       called for each problem, in order.
 *
 * Returns the number of problems; 0: the configuration may be used.
 */
unsigned tm_config_read(struct tm_config *config, const char *path, bool is_required, tm_config_report report,
                        void *context);

/*
 * tm_config_rule - which rule a user's connection falls under, and what its client is called.
 *
 * @wish  the name that it asks for; may be empty.
 * @name  receives the client's name: that of the section or `uid-N`, and `:WISH` where the wish is another.
 * @text  receives what is wrong, for a person, where NULL is returned.
 */
const struct tm_rule *tm_config_rule(const struct tm_config *config, uid_t uid, const char *wish,
                                     char name[static TMEM_CLIENT_NAME_SIZE], char *text, size_t text_size);

/*
 * tm_config_rule_of - the rule that a client falls under which was called @name when this user's connection made it, or
 * that it would fall under now.
 */
const struct tm_rule *tm_config_rule_of(const struct tm_config *config, uid_t uid, const char *name);

/* tm_config_uri - the store's URI. @arena: a memory file for its persistent pages, or -1: one of its own. */
void tm_config_uri(const struct tm_config *config, int arena, char *uri, size_t uri_size);

#endif
