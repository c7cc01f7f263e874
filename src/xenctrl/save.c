/* SPDX-License-Identifier: BSD-2-Clause */
/* save.c - saving and restoring a domain's client: the daemon does it, with the descriptor that the caller gives. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xenctrl/xenctrl.h"

/* The names of clients that are restored, but for their numbers. */
#define CLIENTS_VARIABLE "TMEM_XENCTRL_CLIENTS"
#define CLIENTS_USUAL "domain-"

/*
 * The domain among the clients that there are. Results: 0, and a client for the caller to decref, or NULL: there is
 * none; -errno.
 */
static long find_client(struct tmem_daemon *daemon, int domain, json_t **found)
{
    json_t *clients, *store;
    *found = NULL;
    if (daemon == NULL)
        return -EBADF;
    if (domain < 0 || domain >= (int)TMEM_CLIENT_ALL)
        return -EINVAL;
    long result = tm_xc_clients(daemon, &clients, &store);
    if (result != 0)
        return result;
    for (size_t i = 0; i < json_array_size(clients) && *found == NULL; i++)
        if (tm_xc_number(json_array_get(clients, i)) == (uint32_t)domain)
            *found = json_incref(json_array_get(clients, i));
    json_decref(clients);
    json_decref(store);
    return 0;
}

/* The question about the domain; NULL is no memory, for who asks. Consumes the client. */
static json_t *about(const char *verb, json_t *client)
{
    json_t *question = json_pack("{s:s, s:s}", "verb", verb, "client", tm_xc_text(client, "client"));
    json_decref(client);
    return question;
}

/* Results: as about(), of a domain that has to be there; else *result is not 0. */
static json_t *about_domain(struct tmem_daemon *daemon, int domain, const char *verb, long *result)
{
    json_t *client;
    *result = find_client(daemon, domain, &client);
    if (*result == 0 && client == NULL)
        *result = -EPERM;
    return *result == 0 ? about(verb, client) : NULL;
}

/* A marker stands in the stream as 32 bits. */
static json_t *with_marker(json_t *question, int marker)
{
    if (question != NULL && json_object_set_new(question, "marker", json_integer((json_int_t)(uint32_t)marker)) == 0)
        return question;
    json_decref(question);
    return NULL;
}

long tm_xc_save(struct tmem_daemon *daemon, int domain, int descriptor, bool is_old, bool live, int marker)
{
    json_t *client;
    long result = find_client(daemon, domain, &client);
    if (result != 0)
        return result;
    if (json_array_size(json_object_get(client, "pool_list")) == 0) {
        json_decref(client);
        return 0;
    }
    json_t *question = with_marker(json_pack("{s:s, s:s, s:s, s:b}", "verb", "save", "client",
                                             tm_xc_text(client, "client"), "format", is_old ? "xen-4.0" : "xen-4.8",
                                             "live", live),
                                   marker);
    json_decref(client);
    result = tm_xc_do_with(daemon, question, descriptor);
    return result == 0 ? 1 : result;
}

long tm_xc_save_extra(struct tmem_daemon *daemon, int domain, int descriptor, int marker)
{
    long result;
    json_t *question = about_domain(daemon, domain, "save-extra", &result);
    return result != 0 ? result : tm_xc_do_with(daemon, with_marker(question, marker), descriptor);
}

void tm_xc_save_done(struct tmem_daemon *daemon, int domain)
{
    long result;
    json_t *question = about_domain(daemon, domain, "save-done", &result);
    if (result == 0)
        (void)tm_xc_do(daemon, question);
}

long tm_xc_restore(struct tmem_daemon *daemon, int domain, int descriptor)
{
    char name[TMEM_CLIENT_NAME_SIZE];
    json_t *client;
    const char *before = getenv(CLIENTS_VARIABLE);
    long result = find_client(daemon, domain, &client);
    if (result == 0 && client != NULL)
        result = -EEXIST;
    json_decref(client);
    if (result != 0)
        return result;
    if (snprintf(name, sizeof name, "%s%d", before != NULL ? before : CLIENTS_USUAL, domain) >= (int)sizeof name)
        return -ENAMETOOLONG;
    json_t *question =
        json_pack("{s:s, s:s, s:s, s:b}", "verb", "restore", "format", "xen", "as", name, "part", 1);
    return tm_xc_do_with(daemon, question, descriptor);
}

long tm_xc_restore_extra(struct tmem_daemon *daemon, int domain, int descriptor)
{
    long result;
    json_t *question = about_domain(daemon, domain, "restore-extra", &result);
    return result != 0 ? result : tm_xc_do_with(daemon, question, descriptor);
}
