/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * workloads.c - see workloads.h.
 *
 * compile   Without a command of the caller's: C files that include headers of this machine and of a project made for
 *           it, compiled one after the other and linked. Real compilers do real work on them.
 * search    Eight patterns over the whole tree, and after each one over a part of it, as somebody does who looks for
 *           something.
 * database  A table with two indexes in SQLite. One connection that looks up rows, most of them among a fifth of all,
 *           reads ranges, and sometimes sums up a whole index or the table. SQLite keeps 2 MiB of pages itself, as
 *           it does by default.
 */
#include "workloads.h"

#include "base/mix.h"
#include "scratch.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const policy_workload_names[POLICY_TRACES] = {"compile", "search", "database", "mix", "turns"};

#define TURNS 2u
#define CANNOT_RUN 127 /* what a shell says, and policy_record() */

struct session {
    const struct policy_recording *recording;
    struct policy_trace *traces;
    struct policy_scratch scratch;
    void (*progress)(const char *what);
};

/* Runs a command in a folder, NULL: here, and adds its reads to the trace. *status: its exit status. */
static enum tm_exit record(struct session *session, enum policy_workload which, const char *const *arguments,
                           const char *folder, const char *input, int *status)
{
    const struct policy_command command = {arguments, folder, input};
    return policy_record(&session->traces[which], &command, status);
}

/* A trace that cannot be had is left out: the others still say something. */
static void leave_out(struct session *session, enum policy_workload which, const char *why)
{
    tm_message("no trace of %s: %s", policy_workload_names[which], why);
    policy_trace_free(&session->traces[which]);
}

/* ---- compile ---- */

static const char *const headers[] = {"stdio.h", "stdlib.h", "string.h", "stdint.h", "errno.h", "limits.h",
                                      "math.h", "time.h", "signal.h", "unistd.h", "fcntl.h", "dirent.h",
                                      "pthread.h", "locale.h", "wchar.h", "ctype.h", "regex.h", "netdb.h",
                                      "sys/stat.h", "sys/types.h", "sys/socket.h", "sys/wait.h", "sys/mman.h",
                                      "sys/time.h", "sys/resource.h", "netinet/in.h", "arpa/inet.h", "semaphore.h",
                                      "poll.h", "glob.h", "ftw.h", "search.h", "spawn.h", "termios.h", "syslog.h",
                                      "grp.h", "pwd.h", "inttypes.h", "setjmp.h", "stdarg.h"};

#define OWN_HEADERS 40u
#define UNITS 48u
#define UNITS_QUICK 4u
#define OWN_PER_UNIT 6u
#define SYSTEM_PER_UNIT 10u

static unsigned units(const struct policy_recording *recording)
{
    return recording->quick ? UNITS_QUICK : UNITS;
}

/* Declarations, as a library's header has them: 20 to 60 KiB. */
static void write_header(FILE *file, const void *user)
{
    unsigned number = *(const unsigned *)user;
    uint64_t random = number + 1u;
    unsigned declarations = 100u + (unsigned)(tm_random_next(&random) % 200u);
    (void)fprintf(file, "#ifndef HEADER_%u\n#define HEADER_%u\n", number, number);
    for (unsigned i = 0; i < declarations; i++)
        (void)fprintf(file,
                      "/* Answers the weight of the record, which its owner must have prepared before. */\n"
                      "struct record_%u_%u { int first; long second; double weight; char name[%u]; };\n"
                      "static inline double weight_%u_%u(const struct record_%u_%u *record)\n"
                      "{\n    return record->weight * record->first + (double)record->second;\n}\n",
                      number, i, i + 1u, number, i, number, i);
    (void)fputs("#endif\n", file);
}

static void write_unit(FILE *file, const void *user)
{
    unsigned number = *(const unsigned *)user;
    uint64_t random = number + 1000u;
    (void)fputs("#define _GNU_SOURCE\n#include <stddef.h>\n", file);
    for (unsigned i = 0; i < SYSTEM_PER_UNIT; i++)
        (void)fprintf(file, "#include <%s>\n", headers[tm_random_next(&random) % TM_ARRAY_SIZE(headers)]);
    unsigned own[OWN_PER_UNIT];
    for (unsigned i = 0; i < OWN_PER_UNIT; i++) {
        own[i] = (unsigned)(tm_random_next(&random) % OWN_HEADERS);
        (void)fprintf(file, "#include \"header%u.h\"\n", own[i]);
    }
    (void)fprintf(file, "double unit_%u(double value);\n", number);
    (void)fprintf(file, "double unit_%u(double value)\n{\n    double sum = value;\n", number);
    for (unsigned i = 0; i < OWN_PER_UNIT; i++)
        (void)fprintf(file, "    sum += weight_%u_%u(&(struct record_%u_%u){%u, 2, value, \"\"});\n", own[i], i,
                      own[i], i, number);
    (void)fputs("    return sum;\n}\n", file);
}

static void write_main(FILE *file, const void *user)
{
    unsigned count = *(const unsigned *)user;
    for (unsigned i = 0; i < count; i++)
        (void)fprintf(file, "double unit_%u(double value);\n", i);
    (void)fputs("int main(void)\n{\n    double sum = 0;\n", file);
    for (unsigned i = 0; i < count; i++)
        (void)fprintf(file, "    sum += unit_%u(sum);\n", i);
    (void)fputs("    return sum < 0;\n}\n", file);
}

static void write_script(FILE *file, const void *user)
{
    unsigned count = *(const unsigned *)user;
    (void)fputs("set -e\ncommand -v cc >/dev/null || exit 127\n", file);
    for (unsigned i = 0; i < count; i++)
        (void)fprintf(file, "cc -O1 -c -o unit%u.o unit%u.c\n", i, i);
    (void)fputs("cc -O1 -c -o main.o main.c\ncc -o program main.o unit*.o -lm\n./program\n", file);
}

static enum tm_exit write_project(struct session *session)
{
    char name[32];
    unsigned count = units(session->recording);
    enum tm_exit code = TM_EXIT_OK;
    for (unsigned i = 0; i < OWN_HEADERS && code == TM_EXIT_OK; i++) {
        (void)snprintf(name, sizeof name, "header%u.h", i);
        code = policy_scratch_write(&session->scratch, name, write_header, &i);
    }
    for (unsigned i = 0; i < count && code == TM_EXIT_OK; i++) {
        (void)snprintf(name, sizeof name, "unit%u.c", i);
        code = policy_scratch_write(&session->scratch, name, write_unit, &i);
    }
    if (code == TM_EXIT_OK)
        code = policy_scratch_write(&session->scratch, "main.c", write_main, &count);
    if (code == TM_EXIT_OK)
        code = policy_scratch_write(&session->scratch, "build.sh", write_script, &count);
    return code;
}

static enum tm_exit compile(struct session *session)
{
    static const char *const own[] = {"sh", "build.sh", NULL};
    const char *const asked[] = {"sh", "-c", session->recording->compile, NULL};
    bool is_own = session->recording->compile == NULL;
    int status = 0;
    enum tm_exit code = is_own ? write_project(session) : TM_EXIT_OK;
    if (code == TM_EXIT_OK)
        code = record(session, POLICY_COMPILE, is_own ? own : asked, is_own ? session->scratch.folder : NULL, NULL,
                      &status);
    if (code == TM_EXIT_OK && is_own && status == CANNOT_RUN)
        leave_out(session, POLICY_COMPILE, "there is no C compiler (install gcc and libc6-dev)");
    else if (code == TM_EXIT_OK && status != 0)
        code = tm_fail(TM_EXIT_FAILED, "the compile ended with status %d (try: --compile COMMAND)", status);
    return code;
}

/* ---- search ---- */

static const char *const patterns[] = {"static inline", "EINVAL", "unsigned char", "_t \\*",
                                       "version 2", "return NULL", "deprecated", "0x[0-9a-f]*ff"};
#define PARTS_MAX 1024

static int is_folder(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && entry->d_type == DT_DIR;
}

/* Searches the tree, or a folder in it. */
static enum tm_exit search_in(struct session *session, const char *pattern, const char *part)
{
    char path[PATH_MAX];
    int status = 0;
    int length = part == NULL ? snprintf(path, sizeof path, "%s", session->recording->tree)
                              : snprintf(path, sizeof path, "%s/%s", session->recording->tree, part);
    if (length < 0 || (size_t)length >= sizeof path)
        return TM_EXIT_OK;
    const char *const arguments[] = {"grep", "-rs", pattern, path, NULL};
    enum tm_exit code = record(session, POLICY_SEARCH, arguments, NULL, NULL, &status);
    /* 1: nothing found; 2: some file could not be read. */
    if (code == TM_EXIT_OK && status > 2)
        code = tm_fail(TM_EXIT_FAILED, "grep ended with status %d in %s", status, path);
    return code;
}

static enum tm_exit search(struct session *session)
{
    struct dirent **parts = NULL;
    enum tm_exit code = TM_EXIT_OK;
    int count = scandir(session->recording->tree, &parts, is_folder, alphasort);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(patterns) && code == TM_EXIT_OK; i++) {
        code = search_in(session, patterns[i], NULL);
        if (code == TM_EXIT_OK && count > 0)
            code = search_in(session, patterns[i], parts[(unsigned)count * (i % 4u) / 4u]->d_name);
    }
    for (int i = 0; i < count; i++)
        free(parts[i]);
    free(parts);
    return code;
}

/* ---- database ---- */

#define ROWS 600000u
#define ROWS_QUICK 100000u
#define ROUNDS 1200u
#define ROUNDS_QUICK 100u
#define LOOK_UPS 50u /* in each round */

static void write_schema(FILE *file, const void *user)
{
    const struct policy_recording *recording = user;
    (void)fprintf(file,
                  "PRAGMA journal_mode=off; PRAGMA synchronous=off; PRAGMA cache_size=-100000;\n"
                  "CREATE TABLE item(id INTEGER PRIMARY KEY, number INTEGER, kind INTEGER, body TEXT);\n"
                  "INSERT INTO item WITH RECURSIVE row(id) AS (SELECT 0 UNION ALL SELECT id + 1 FROM row"
                  " WHERE id < %u) SELECT id, id * 2654435761 %% 4294967296, id %% 97, hex(randomblob(100 + id %% 50))"
                  " FROM row;\n"
                  "CREATE INDEX by_number ON item(number);\nCREATE INDEX by_kind ON item(kind, number);\n",
                  (recording->quick ? ROWS_QUICK : ROWS) - 1u);
}

/* Four of five rows that are looked up belong to a fifth of all. */
static unsigned draw_row(uint64_t *random, unsigned rows)
{
    unsigned row = (unsigned)(tm_random_next(random) % rows);
    return tm_random_next(random) % 5u < 4u ? row / 5u : row;
}

static void write_queries(FILE *file, const void *user)
{
    const struct policy_recording *recording = user;
    unsigned rows = recording->quick ? ROWS_QUICK : ROWS;
    unsigned rounds = recording->quick ? ROUNDS_QUICK : ROUNDS;
    uint64_t random = 7;
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < LOOK_UPS; i++)
            (void)fprintf(file, "SELECT length(body) FROM item WHERE number = %llu;\n",
                          (unsigned long long)draw_row(&random, rows) * 2654435761u % 4294967296u);
        unsigned from = draw_row(&random, rows);
        (void)fprintf(file, "SELECT sum(length(body)) FROM item WHERE id BETWEEN %u AND %u;\n", from, from + 300u);
        if (round % 25u == 12u)
            (void)fputs("SELECT kind, count(*) FROM item GROUP BY kind;\n", file);
        if (round % 100u == 50u)
            (void)fputs("SELECT sum(length(body)) FROM item;\n", file);
    }
}

/* Runs sqlite3 on a script without recording it. Answers its exit status. */
static int run_script(const struct session *session, const char *script)
{
    pid_t child = fork();
    int status = 0;
    if (child == 0) {
        if (chdir(session->scratch.folder) == 0 && freopen(script, "r", stdin) != NULL &&
            freopen("/dev/null", "w", stdout) != NULL)
            (void)execlp("sqlite3", "sqlite3", "-batch", "-bail", "-init", "/dev/null", "data.db", (char *)NULL);
        _exit(CANNOT_RUN);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static enum tm_exit database(struct session *session)
{
    static const char *const arguments[] = {"sqlite3", "-batch", "-bail", "-init", "/dev/null", "data.db", NULL};
    char path[PATH_MAX + 16];
    enum tm_exit code = policy_scratch_write(&session->scratch, "schema.sql", write_schema, session->recording);
    if (code == TM_EXIT_OK)
        code = policy_scratch_write(&session->scratch, "queries.sql", write_queries, session->recording);
    if (code != TM_EXIT_OK)
        return code;
    int status = run_script(session, "schema.sql");
    if (status == CANNOT_RUN) {
        leave_out(session, POLICY_DATABASE, "there is no sqlite3 (install sqlite3)");
        return TM_EXIT_OK;
    }
    (void)snprintf(path, sizeof path, "%s/queries.sql", session->scratch.folder);
    if (status == 0)
        code = record(session, POLICY_DATABASE, arguments, session->scratch.folder, path, &status);
    if (code == TM_EXIT_OK && status != 0)
        code = tm_fail(TM_EXIT_FAILED, "sqlite3 ended with status %d in %s", status, session->scratch.folder);
    return code;
}

/* ---- all of them ---- */

/* The streams of the programs whose reads could be recorded. */
static unsigned recorded(const struct policy_trace *traces, const struct policy_stream *streams[POLICY_MIX])
{
    unsigned count = 0;
    for (unsigned i = 0; i < POLICY_MIX; i++)
        if (traces[i].stream.count > 0)
            streams[count++] = &traces[i].stream;
    return count;
}

static enum tm_exit mix(struct policy_trace *traces)
{
    const struct policy_stream *streams[POLICY_MIX];
    unsigned count = recorded(traces, streams);
    if (!policy_stream_mix(&traces[POLICY_MIX].stream, streams, count))
        return tm_fail(TM_EXIT_FAILED, "no memory to mix the traces (try: --quick)");
    return TM_EXIT_OK;
}

enum tm_exit policy_workloads_turns(struct policy_trace *traces)
{
    const struct policy_stream *streams[POLICY_MIX];
    unsigned count = recorded(traces, streams);
    traces[POLICY_TURNS].name = policy_workload_names[POLICY_TURNS];
    if (!policy_stream_turns(&traces[POLICY_TURNS].stream, streams, count, TURNS))
        return tm_fail(TM_EXIT_FAILED, "no memory for the trace of all in turn (try: without --turns)");
    return TM_EXIT_OK;
}

/* So that waiting for a traced process ends when somebody wants this one to end. */
static void interrupted(int number)
{
    (void)number;
}

static enum tm_exit record_all(struct session *session)
{
    static enum tm_exit (*const workloads[POLICY_MIX])(struct session *) = {compile, search, database};
    enum tm_exit code = policy_scratch_create(&session->scratch);
    for (unsigned i = 0; i < POLICY_MIX && code == TM_EXIT_OK; i++) {
        session->progress(policy_workload_names[i]);
        code = workloads[i](session);
    }
    policy_scratch_remove(&session->scratch);
    return code;
}

enum tm_exit policy_workloads_record(const struct policy_recording *recording, struct policy_trace *traces,
                                     void (*progress)(const char *what))
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct session session = {.recording = recording, .traces = traces, .progress = progress};
    const struct sigaction ours = {.sa_handler = interrupted};
    struct sigaction before[TM_ARRAY_SIZE(signals)];
    for (unsigned i = 0; i < POLICY_WORKLOADS; i++)
        traces[i].name = policy_workload_names[i];
    for (unsigned i = 0; i < TM_ARRAY_SIZE(signals); i++)
        (void)sigaction(signals[i], &ours, &before[i]);
    enum tm_exit code = record_all(&session);
    for (unsigned i = 0; i < TM_ARRAY_SIZE(signals); i++)
        (void)sigaction(signals[i], &before[i], NULL);
    for (unsigned i = 0; i < POLICY_WORKLOADS; i++)
        traces[i].name = policy_workload_names[i];
    return code == TM_EXIT_OK ? mix(traces) : code;
}
