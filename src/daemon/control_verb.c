/* SPDX-License-Identifier: BSD-2-Clause */
/* control_verb.c - the table of verbs, and what is checked before one is called. */
#include "daemon/control_verb.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/control_json.h"

static const struct tm_control_field list_fields[] = {
    {"client", TM_CONTROL_TEXT, false},
    {"after", TM_CONTROL_TEXT, false},
    {"orphans", TM_CONTROL_SWITCH, false},
    {"pools", TM_CONTROL_SWITCH, false},
    {"activity", TM_CONTROL_SWITCH, false},
};

static const struct tm_control_field client_fields[] = {
    {"client", TM_CONTROL_TEXT, true},
};

static const struct tm_control_field clients_fields[] = {
    {"client", TM_CONTROL_TEXT, false},
    {"all", TM_CONTROL_SWITCH, false},
};

static const struct tm_control_field set_fields[] = {
    {"client", TM_CONTROL_TEXT, false},
    {"all", TM_CONTROL_SWITCH, false},
    {"weight", TM_CONTROL_NUMBER, false},
    {"cap_bytes", TM_CONTROL_LIMIT, false},
    {"compress", TM_CONTROL_SWITCH, false},
};

static const struct tm_control_field shared_auth_fields[] = {
    {"client", TM_CONTROL_TEXT, false},
    {"all", TM_CONTROL_SWITCH, false},
    {"uuid", TM_CONTROL_TEXT, true},
    {"allow", TM_CONTROL_SWITCH, true},
};

static const struct tm_control_field reclaim_fields[] = {
    {"bytes", TM_CONTROL_NUMBER, true},
    {"client", TM_CONTROL_TEXT, false},
};

static const struct tm_control_field size_fields[] = {
    {"size_bytes", TM_CONTROL_NUMBER, true},
};

static const struct tm_control_field events_fields[] = {
    {"follow", TM_CONTROL_SWITCH, false},
    {"from", TM_CONTROL_NUMBER, false},
    {"new", TM_CONTROL_SWITCH, false},
};

static const struct tm_control_field save_fields[] = {
    {"client", TM_CONTROL_TEXT, true},
    {"ephemeral_bytes", TM_CONTROL_LIMIT, false},
    {"ephemeral_ms", TM_CONTROL_NUMBER, false},
    {"format", TM_CONTROL_TEXT, false},
    {"marker", TM_CONTROL_NUMBER, false},
    {"live", TM_CONTROL_SWITCH, false},
};

static const struct tm_control_field save_extra_fields[] = {
    {"client", TM_CONTROL_TEXT, true},
    {"marker", TM_CONTROL_NUMBER, false},
};

static const struct tm_control_field migrate_fields[] = {
    {"client", TM_CONTROL_TEXT, true},
    {"ephemeral_bytes", TM_CONTROL_LIMIT, false},
    {"ephemeral_ms", TM_CONTROL_NUMBER, false},
    {"redirect", TM_CONTROL_SWITCH, false},
};

static const struct tm_control_field restore_fields[] = {
    {"as", TM_CONTROL_TEXT, false},
    {"format", TM_CONTROL_TEXT, false},
    {"part", TM_CONTROL_SWITCH, false},
};

static const struct tm_control_field receive_fields[] = {
    {"as", TM_CONTROL_TEXT, false},
};

/* A new verb is a row here. */
static const struct tm_control_verb verbs[] = {
    {"list", tm_control_list, TM_CONTROL_FIELDS(list_fields)},
    {"latency", tm_control_latency, NULL, 0},
    {"freeze", tm_control_freeze, TM_CONTROL_FIELDS(clients_fields)},
    {"thaw", tm_control_thaw, TM_CONTROL_FIELDS(clients_fields)},
    {"destroy", tm_control_destroy_client, TM_CONTROL_FIELDS(client_fields)},
    {"set", tm_control_set, TM_CONTROL_FIELDS(set_fields)},
    {"shared-auth", tm_control_shared_auth, TM_CONTROL_FIELDS(shared_auth_fields)},
    {"token", tm_control_token, TM_CONTROL_FIELDS(client_fields)},
    {"freeable", tm_control_freeable, NULL, 0},
    {"reclaim", tm_control_reclaim, TM_CONTROL_FIELDS(reclaim_fields)},
    {"size", tm_control_size, TM_CONTROL_FIELDS(size_fields)},
    {"stats", tm_control_stats, NULL, 0},
    {"events", tm_control_events, TM_CONTROL_FIELDS(events_fields)},
    {"version", tm_control_version, NULL, 0},
    {"save", tm_control_save, TM_CONTROL_FIELDS(save_fields)},
    {"save-extra", tm_control_save_extra, TM_CONTROL_FIELDS(save_extra_fields)},
    {"save-done", tm_control_save_done, TM_CONTROL_FIELDS(client_fields)},
    {"restore", tm_control_restore, TM_CONTROL_FIELDS(restore_fields)},
    {"restore-extra", tm_control_restore_extra, TM_CONTROL_FIELDS(client_fields)},
    {"migrate", tm_control_migrate, TM_CONTROL_FIELDS(migrate_fields)},
    {"receive", tm_control_receive, TM_CONTROL_FIELDS(receive_fields)},
};

#define NAMES_BYTES 512u
#define ERROR_BYTES 1024u

/* ---- answers ---- */

/* Readers find the end of an answer by its first member, so that is first. */
json_t *tm_control_ok(json_t *members)
{
    return tm_json_joined(json_pack("{s:s}", "result", "ok"), members);
}

/* As in docs/control-protocol.md. */
static const char *word_of(enum tmem_result result)
{
    static const char *const words[TMEM_RESULT_COUNT] = {
        [TMEM_OK] = "ok",
        [TMEM_MISS] = "miss",
        [TMEM_REFUSED] = "refused",
        [TMEM_KEPT] = "kept",
        [TMEM_NOMEM] = "no-memory",
        [TMEM_CORRUPT] = "corrupt",
        [TMEM_INVALID] = "invalid",
        [TMEM_NOT_FOUND] = "not-found",
        [TMEM_EXISTS] = "exists",
        [TMEM_DENIED] = "denied",
        [TMEM_UNSUPPORTED] = "unsupported",
        [TMEM_UNAVAILABLE] = "unavailable",
    };
    return words[result];
}

json_t *tm_control_error(enum tmem_result result, const char *format, ...)
{
    char text[ERROR_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0)
        text[0] = '\0';
    /* What the asker sent is part of some, and may be cut inside a letter. */
    for (char *at = text; *at != '\0'; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
    return json_pack("{s:s, s:s}", "result", word_of(result), "error", text);
}

json_t *tm_control_no_client(const char *name)
{
    return tm_control_error(TMEM_NOT_FOUND, "no client '%.64s' (see: tmem list)", name);
}

/* ---- fields ---- */

const char *tm_control_text(const struct tm_control_call *call, const char *field)
{
    return json_string_value(json_object_get(call->request, field));
}

bool tm_control_number(const struct tm_control_call *call, const char *field, uint64_t *value)
{
    const json_t *found = json_object_get(call->request, field);
    if (found == NULL)
        return false;
    *value = json_is_null(found) ? UINT64_MAX : (uint64_t)json_integer_value(found);
    return true;
}

bool tm_control_switch(const struct tm_control_call *call, const char *field)
{
    return json_is_true(json_object_get(call->request, field));
}

bool tm_control_has(const struct tm_control_call *call, const char *field)
{
    return json_object_get(call->request, field) != NULL;
}

/* ---- checks ---- */

static bool has_type(const json_t *value, enum tm_control_type type)
{
    switch (type) {
    case TM_CONTROL_TEXT:
        return json_is_string(value);
    case TM_CONTROL_NUMBER:
        return json_is_integer(value) && json_integer_value(value) >= 0;
    case TM_CONTROL_LIMIT:
        return json_is_null(value) || has_type(value, TM_CONTROL_NUMBER);
    case TM_CONTROL_SWITCH:
        return json_is_boolean(value);
    }
    return false;
}

static const char *type_text(enum tm_control_type type)
{
    switch (type) {
    case TM_CONTROL_TEXT:
        return "a string";
    case TM_CONTROL_NUMBER:
        return "an integer from 0 on";
    case TM_CONTROL_LIMIT:
        return "an integer from 0 on, or null";
    case TM_CONTROL_SWITCH:
        return "true or false";
    }
    return "";
}

static const struct tm_control_field *find_field(const struct tm_control_verb *verb, const char *name)
{
    for (unsigned i = 0; i < verb->field_count; i++)
        if (strcmp(verb->fields[i].name, name) == 0)
            return &verb->fields[i];
    return NULL;
}

static json_t *unknown_field(const struct tm_control_verb *verb, const char *name)
{
    char names[NAMES_BYTES] = "no fields";
    size_t used = 0;
    for (unsigned i = 0; i < verb->field_count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i == 0 ? "" : ", ", verb->fields[i].name);
    return tm_control_error(TMEM_INVALID, "verb '%s' has no field '%.64s' (it takes: %s)", verb->name, name, names);
}

/* NULL: the fields are right; else the answer. */
static json_t *check_fields(const struct tm_control_verb *verb, json_t *request)
{
    const char *name;
    json_t *value;
    json_object_foreach(request, name, value)
    {
        if (strcmp(name, "verb") == 0)
            continue;
        const struct tm_control_field *field = find_field(verb, name);
        if (field == NULL)
            return unknown_field(verb, name);
        if (!has_type(value, field->type))
            return tm_control_error(TMEM_INVALID, "verb '%s', field '%s': expected %s", verb->name, name,
                                    type_text(field->type));
    }
    for (unsigned i = 0; i < verb->field_count; i++)
        if (verb->fields[i].is_required && json_object_get(request, verb->fields[i].name) == NULL)
            return tm_control_error(TMEM_INVALID, "verb '%s' needs the field '%s', %s", verb->name,
                                    verb->fields[i].name, type_text(verb->fields[i].type));
    return NULL;
}

static json_t *unknown_verb(const char *name)
{
    char names[NAMES_BYTES] = "";
    size_t used = 0;
    for (unsigned i = 0; i < TM_ARRAY_SIZE(verbs) && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i == 0 ? "" : ", ", verbs[i].name);
    return tm_control_error(TMEM_UNSUPPORTED, "unknown verb '%.64s' (this daemon knows: %s)", name, names);
}

static json_t *answer_request(struct tm_control_call *call, json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "verb"));
    if (!json_is_object(request) || name == NULL)
        return tm_control_error(TMEM_INVALID, "expected an object with a \"verb\", such as {\"verb\":\"list\"}");
    for (unsigned i = 0; i < TM_ARRAY_SIZE(verbs); i++) {
        if (strcmp(verbs[i].name, name) != 0)
            continue;
        json_t *problem = check_fields(&verbs[i], request);
        if (problem != NULL)
            return problem;
        call->request = request;
        return verbs[i].function(call);
    }
    return unknown_verb(name);
}

json_t *tm_control_answer(struct tm_control_call *call, const char *line, size_t bytes)
{
    json_error_t error;
    json_t *request = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &error);
    if (request == NULL)
        return tm_control_error(TMEM_INVALID, "not a line of JSON: %s (at byte %d)", error.text, error.position);
    json_t *answer = answer_request(call, request);
    json_decref(request);
    return answer;
}
