/* SPDX-License-Identifier: BSD-2-Clause */
/* scrape.c - see scrape.h. */
#include "daemon/scrape.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "command/command.h"
#include "daemon/door.h"
#include "daemon/log.h"
#include "daemon/metrics.h"

#define CONNECTIONS_MAX 16u
#define CONNECTION_BYTES 16384u /* for headers */
#define SILENCE_SECONDS 10u

struct tm_scrape {
    struct tm_door_kind kind;
    struct tm_door door;
    bool has_door;
    struct MHD_Daemon *at_address;
    struct MHD_Daemon *at_socket;
};

/* ---- answering ---- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, char *text, size_t length,
                              enum MHD_ResponseMemoryMode memory, const char *type)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(length, text, memory);
    if (response == NULL) {
        if (memory == MHD_RESPMEM_MUST_FREE)
            free(text);
        return MHD_NO;
    }
    bool is_whole = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES;
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        is_whole = is_whole && MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES;
    enum MHD_Result result = is_whole ? MHD_queue_response(connection, status, response) : MHD_NO;
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *text)
{
    /* It only reads it. */
    return answer(connection, status, (char *)(uintptr_t)text, strlen(text), MHD_RESPMEM_PERSISTENT,
                  "text/plain; charset=utf-8");
}

static enum MHD_Result send_metrics(struct MHD_Connection *connection, const struct tm_daemon *daemon)
{
    size_t length = 0;
    const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    bool is_open = tm_exposition_is_open_wanted(accept);
    char *text = tm_metrics_text(daemon, is_open, &length);
    if (text == NULL)
        return refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory\n");
    return answer(connection, MHD_HTTP_OK, text, length, MHD_RESPMEM_MUST_FREE,
                  is_open ? TM_EXPOSITION_OPEN_TYPE : TM_EXPOSITION_TEXT_TYPE);
}

/* Called for the headers, then for each piece of a body, and at last with none. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *body, size_t *body_bytes, void **state)
{
    static char begun;
    (void)version;
    (void)body;
    if (*state == NULL) {
        *state = &begun;
        return MHD_YES;
    }
    if (*body_bytes != 0) {
        *body_bytes = 0; /* whatever it is, nobody asked for it */
        return MHD_YES;
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "there is nothing to be changed here\n");
    if (strcmp(url, "/metrics") != 0)
        return refuse(connection, MHD_HTTP_NOT_FOUND, "there are only /metrics\n");
    return send_metrics(connection, context);
}

/* What it has to say goes nowhere: it is about what those who connect do wrong. */
static TM_PRINTF(2, 0) void say_nothing(void *context, const char *format, va_list arguments)
{
    (void)context;
    (void)format;
    (void)arguments;
}

/* Takes over a socket that listens. */
static struct MHD_Daemon *serve(const struct tm_daemon *daemon, int socket)
{
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, handle,
                            /* It is only read. */
                            (void *)(uintptr_t)daemon, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
                            MHD_OPTION_LISTEN_SOCKET, socket, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
                            MHD_OPTION_CONNECTION_TIMEOUT, SILENCE_SECONDS, MHD_OPTION_END);
}

/* ---- listening ---- */

static void tell(const char *place, int error, const char *remedy)
{
    char cause[TM_ERROR_TEXT_SIZE];
    tm_log("no metrics are served at %s: %s (%s)", place, tm_error_text(error, cause), remedy);
}

static void serve_at_address(struct tm_scrape *scrape, const struct tm_daemon *daemon)
{
    const struct tm_address *address = &tm_config_of(daemon)->metrics_address;
    int descriptor = tm_address_listen(address);
    if (descriptor < 0) {
        tell(address->text, errno, "choose another place with [metrics] listen=");
        return;
    }
    scrape->at_address = serve(daemon, descriptor);
    if (scrape->at_address != NULL)
        return;
    (void)close(descriptor);
    tell(address->text, ENOMEM, "is a limit set? see ulimit -u and -v");
}

static void serve_at_socket(struct tm_scrape *scrape, const struct tm_daemon *daemon)
{
    const char *path = tm_config_of(daemon)->metrics_socket;
    char text[512];
    scrape->kind = (struct tm_door_kind){.type = SOCK_STREAM,
                                         .mode = 0660,
                                         .group = tm_config_of(daemon)->control_group,
                                         .remedy = "choose another place with [metrics] socket="};
    if (!tm_door_open(&scrape->door, &scrape->kind, path, text, sizeof text)) {
        tm_log("no metrics are served: %s", text);
        return;
    }
    scrape->has_door = true;
    /* The door keeps its own descriptor: it is closed with the rest of it. */
    int descriptor = fcntl(scrape->door.socket, F_DUPFD_CLOEXEC, 0);
    scrape->at_socket = descriptor >= 0 ? serve(daemon, descriptor) : NULL;
    if (scrape->at_socket != NULL)
        return;
    if (descriptor >= 0)
        (void)close(descriptor);
    tell(path, ENOMEM, "is a limit set? see ulimit -n, -u and -v");
}

struct tm_scrape *tm_scrape_create(const struct tm_daemon *daemon)
{
    const struct tm_config *config = tm_config_of(daemon);
    struct tm_scrape *scrape = calloc(1, sizeof *scrape);
    if (scrape == NULL)
        return NULL;
    if (config->metrics_address.text[0] != '\0')
        serve_at_address(scrape, daemon);
    if (config->metrics_socket[0] != '\0')
        serve_at_socket(scrape, daemon);
    if (scrape->at_address != NULL || scrape->at_socket != NULL)
        return scrape;
    tm_scrape_destroy(scrape);
    return NULL;
}

void tm_scrape_destroy(struct tm_scrape *scrape)
{
    if (scrape == NULL)
        return;
    if (scrape->at_address != NULL)
        MHD_stop_daemon(scrape->at_address);
    if (scrape->at_socket != NULL)
        MHD_stop_daemon(scrape->at_socket);
    if (scrape->has_door)
        tm_door_close(&scrape->door, false);
    free(scrape);
}
