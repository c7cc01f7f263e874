/* SPDX-License-Identifier: BSD-2-Clause */
/* control_events.c - the verb `events`: what happened lately, and what happens from now on. */
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/control_json.h"
#include "daemon/control_verb.h"
#include "daemon/events.h"

#define AT_ONCE 32u

/* What an event is called, and its values; a name that is missing: there is no such value. */
static const struct description {
    const char *name;
    const char *values[TM_EVENT_VALUES];
    const char *detail;
} descriptions[TM_EVENT_KIND_COUNT] = {
    [TM_EVENT_CLIENT_CAME] = {"client-came", {"uid"}, NULL},
    [TM_EVENT_CLIENT_RETURNED] = {"client-returned", {"uid"}, NULL},
    [TM_EVENT_CLIENT_LEFT] = {"client-left", {NULL}, NULL},
    [TM_EVENT_CLIENT_ORPHANED] = {"client-orphaned", {"persistent_pages", "seconds_left"}, NULL},
    [TM_EVENT_ORPHAN_ENDED] = {"orphan-ended", {NULL}, NULL},
    [TM_EVENT_CLIENT_DESTROYED] = {"client-destroyed", {NULL}, NULL},
    [TM_EVENT_CLIENT_MOVED] = {"client-moved", {"pages", "paused_ns"}, "outcome"},
    [TM_EVENT_CLIENT_RECEIVED] = {"client-received", {"pages", "dropped"}, NULL},
    [TM_EVENT_CLIENT_FROZEN] = {"client-frozen", {NULL}, NULL},
    [TM_EVENT_CLIENT_THAWED] = {"client-thawed", {NULL}, NULL},
    [TM_EVENT_CLIENT_LIMITS] = {"client-limits", {"weight", "cap_bytes"}, NULL},
    [TM_EVENT_CLIENT_SHARED_AUTH] = {"client-shared-auth", {"allowed"}, "uuid"},
    [TM_EVENT_STORE_SIZE] = {"store-size", {"size_bytes"}, NULL},
    [TM_EVENT_STORE_RECLAIMED] = {"store-reclaimed", {"bytes"}, NULL},
    [TM_EVENT_PAGES_EVICTED] = {"pages-evicted", {"pages"}, "by"},
    [TM_EVENT_PUTS_REFUSED] = {"puts-refused", {"puts"}, "cause"},
    [TM_EVENT_CONNECTION_REFUSED] = {"connection-refused", {"uid", "pid"}, NULL},
};

static json_t *json_of_event(const struct tm_event *event)
{
    const struct description *description = &descriptions[event->kind];
    json_t *line = json_pack("{s:s, s:I, s:I, s:s?}", "event", description->name, "number",
                             tm_json_number(event->number), "time_ms", tm_json_number(event->time_ms), "client",
                             event->client[0] != '\0' ? event->client : NULL);
    for (unsigned i = 0; i < TM_EVENT_VALUES && description->values[i] != NULL; i++)
        line = tm_json_joined(line,
                              json_pack("{s:o}", description->values[i], tm_json_limit(event->values[i])));
    if (description->detail != NULL)
        line = tm_json_joined(line, json_pack("{s:s}", description->detail, event->detail));
    return line;
}

/* Those that there are. False: nobody listens. */
static bool tell(struct tm_control_call *call, uint64_t *from)
{
    struct tm_event events[AT_ONCE];
    uint64_t missed;
    size_t count;
    while ((count = tm_events_read(call->daemon->events, from, events, AT_ONCE, &missed)) != 0 || missed != 0) {
        if (missed != 0 && !tm_control_say(call, json_pack("{s:s, s:I}", "event", "gap", "missed",
                                                           tm_json_number(missed))))
            return false;
        for (size_t i = 0; i < count; i++)
            if (!tm_control_say(call, json_of_event(&events[i])))
                return false;
    }
    return true;
}

/* Until nobody listens any more. */
static void follow(struct tm_control_call *call, uint64_t *from, int wake)
{
    struct pollfd waits[2] = {{tm_control_socket(call), 0, 0}, {wake, POLLIN, 0}};
    eventfd_t ignored;
    while (tell(call, from) && tm_control_is_wanted(call)) {
        (void)poll(waits, 2, -1);
        (void)eventfd_read(wake, &ignored);
    }
}

json_t *tm_control_events(struct tm_control_call *call)
{
    uint64_t from = 1;
    bool is_known = tm_control_number(call, "from", &from);
    if (!is_known && tm_control_switch(call, "new"))
        from = tm_events_next(call->daemon->events);
    /* Without a number, what was forgotten before is no gap. */
    if (!is_known)
        from = tm_max_u64(from, tm_events_oldest(call->daemon->events));
    if (tm_control_switch(call, "follow")) {
        int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (wake < 0)
            return NULL;
        if (tm_events_follow(call->daemon->events, wake)) {
            follow(call, &from, wake);
            tm_events_unfollow(call->daemon->events, wake);
        }
        (void)close(wake);
    } else
        (void)tell(call, &from);
    return tm_control_ok(json_pack("{s:I}", "next", tm_json_number(from)));
}
