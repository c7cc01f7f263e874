/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - runs the cases of the POSIX suite on two directories side by side and compares.
 *
 * usage: posix [--errors] [--only TEXT] [--part K/N] PLAIN MNT [DIR]
 *
 * PLAIN is a directory to be like, MNT the one to be tried. With DIR, the directory that MNT shows, the state
 * after each case is also compared with what lies there. As root every case runs as root and, unless it
 * needs root, as an ordinary user too; else only as the caller. --errors lists the calls and the errors they gave,
 * --only runs the cases and tables whose name has TEXT in it, --part every Nth case.
 *
 * Exit status: 0 no difference, 1 differences, 2 usage.
 *
 * The variable TMEM_TEST_PERTURB (answer, content, mode, attribute) makes MNT's side do something else, to show
 * that it is noticed.
 */
#include "posix.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CASE_SECONDS 60u
#define SHOWN_PER_CASE 6u
#define KNOWN_MAX 64u
#define ERRORS_MAX 1024u

static const struct {
    const char *name;
    const struct posix_case *cases;
} tables[] = {
    {"open", open_cases},
    {"data", data_cases},
    {"space", space_cases},
    {"map", map_cases},
    {"link", link_cases},
    {"unlink", unlink_cases},
    {"rename", rename_cases},
    {"directory", directory_cases},
    {"special", special_cases},
    {"attribute", attribute_cases},
    {"time", time_cases},
    {"xattr", xattr_cases},
    {"lock", lock_cases},
    {"name", name_cases},
    {"user", user_cases},
};

enum side {
    PLAIN,
    MOUNT,
    SIDES
};

static const char *roots[SIDES];
static const char *behind;
static const char *perturbation;
static unsigned long cases_run, comparisons, differences;

/* Reasons of known differences, and how often each showed. */
static struct {
    char *reason;
    unsigned long differ, equal;
} reasons[KNOWN_MAX];

/* "call = error", each once: what the suite has provoked. */
static char *errors[ERRORS_MAX];
static size_t error_count;

static void give_up(const char *what)
{
    fprintf(stderr, "posix: %s: %s\n", what, strerror(errno));
    exit(99);
}

/* ------------------------------------------------------------------------------ one side */

static void perturb(void)
{
    if (perturbation == NULL)
        return;
    if (strcmp(perturbation, "answer") == 0)
        note("perturbed");
    else if (strcmp(perturbation, "content") == 0)
        write_file("perturbed", "1");
    else if (strcmp(perturbation, "mode") == 0)
        MUST(chmod(".", 0711));
    else if (strcmp(perturbation, "attribute") == 0)
        MUST(setxattr(".", "user.perturbed", "1", 1, 0));
}

static void run_child(const struct posix_case *one, enum side side, const char *where, uid_t user, int log)
{
    const struct rlimit none = {0, 0};
    const struct sigaction usual = {.sa_handler = SIG_DFL};
    FILE *out = fdopen(log, "w");
    if (out == NULL || setvbuf(out, NULL, _IOLBF, 4096) != 0)
        _exit(99);
    note_begin(out);
    (void)setpgid(0, 0);
    /* A case may end by a signal on purpose, which sanitizers would catch. */
    (void)sigaction(SIGBUS, &usual, NULL);
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)umask(022);
    (void)alarm(CASE_SECONDS);
    MUST(chdir(where));
    if (user != geteuid()) {
        MUST(setgroups(0, NULL));
        MUST(setresgid(user, user, user));
        MUST(setresuid(user, user, user));
    }
    one->run();
    if (side == MOUNT)
        perturb();
    (void)fflush(out);
    _exit(0);
}

static pid_t start(const struct posix_case *one, enum side side, const char *where, uid_t user, int *log)
{
    *log = memfd_create("notes", MFD_CLOEXEC);
    if (*log < 0)
        give_up("memfd_create");
    (void)fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        give_up("fork");
    if (child == 0)
        run_child(one, side, where, user, *log);
    return child;
}

/* Waits for a side, ends what it left behind, and adds how it ended to what it noted. */
static char *finish(pid_t child, int log)
{
    int status = 0;
    if (waitpid(child, &status, 0) != child)
        give_up("waitpid");
    (void)kill(-child, SIGKILL);
    struct stat size;
    if (fstat(log, &size) != 0)
        give_up("fstat");
    size_t length = (size_t)size.st_size;
    char *text = calloc(1, length + 64);
    if (text == NULL || pread(log, text, length, 0) != (ssize_t)length)
        give_up("reading notes");
    (void)close(log);
    if (WIFSIGNALED(status))
        (void)snprintf(text + length, 64, "ended by signal %d\n", WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        (void)snprintf(text + length, 64, "ended with status %d\n", WEXITSTATUS(status));
    return text;
}

/* ---------------------------------------------------------------------------- comparison */

static const char *of_whom(uid_t user)
{
    return user == 0 ? "root" : "user";
}

static void show(const char *title, unsigned *shown, const char *left, const char *a, const char *right, const char *b)
{
    differences++;
    if (*shown == 0)
        printf("DIFFERENT: %s\n", title);
    if ((*shown)++ < SHOWN_PER_CASE)
        printf("    %-6s %s\n    %-6s %s\n", left, a, right, b);
}

static char *next_line(char **text)
{
    char *line = strsep(text, "\n");
    return line == NULL || (*line == '\0' && *text == NULL) ? NULL : line;
}

/* A line "~reason<tab>text": its reason is cut off and its place in the list answered; else -1. */
static int reason_of(char **line)
{
    if (**line != '~')
        return -1;
    const char *reason = *line + 1;
    char *tab = strchr(*line, '\t');
    if (tab == NULL)
        return -1;
    *tab = '\0';
    *line = tab + 1;
    for (int i = 0; i < (int)KNOWN_MAX; i++) {
        if (reasons[i].reason == NULL)
            reasons[i].reason = strdup(reason);
        if (reasons[i].reason != NULL && strcmp(reasons[i].reason, reason) == 0)
            return i;
    }
    return -1;
}

static void compare(const char *title, const char *left, char *a, const char *right, char *b)
{
    unsigned shown = 0;
    for (;;) {
        char *one = next_line(&a);
        char *other = next_line(&b);
        if (one == NULL && other == NULL)
            return;
        if (one == NULL || other == NULL) {
            show(title, &shown, left, one != NULL ? one : "(nothing more)", right,
                 other != NULL ? other : "(nothing more)");
            return;
        }
        int reason = reason_of(&one);
        bool equal = reason_of(&other) == reason && strcmp(one, other) == 0;
        comparisons++;
        if (reason >= 0 && equal)
            reasons[reason].equal++;
        else if (reason >= 0)
            reasons[reason].differ++;
        else if (!equal)
            show(title, &shown, left, one, right, other);
    }
}

static void collect_errors(const char *text)
{
    char call[64];
    char error[32];
    for (; *text != '\0'; text = strchr(text, '\n') + 1) {
        const char *name = *text == '~' ? strchr(text, '\t') + 1 : text;
        name = *name == '[' && strstr(name, "] ") != NULL ? strstr(name, "] ") + 2 : name;
        const char *equal = strstr(name, " = -1 ");
        const char *end = strchr(text, '\n');
        if (end == NULL)
            return;
        if (equal == NULL || equal > end || sscanf(name, "%63[a-z0-9_A-Z]", call) != 1 ||
            sscanf(equal, " = -1 %31s", error) != 1)
            continue;
        char pair[128];
        size_t i = 0;
        (void)snprintf(pair, sizeof pair, "%s %s", call, error);
        while (i < error_count && strcmp(errors[i], pair) != 0)
            i++;
        if (i == error_count && error_count < ERRORS_MAX)
            errors[error_count++] = strdup(pair);
    }
}

/* A side that ended early has not compared what it should: that is a failure even when both did. */
static void check_end(const char *title, const char *text)
{
    const char *last = text;
    for (const char *end; (end = strchr(last, '\n')) != NULL && end[1] != '\0';)
        last = end + 1;
    if (strncmp(last, "ended ", 6) == 0 || *text == '\0') {
        differences++;
        printf("FAILED: %s: %s", title, *text == '\0' ? "nothing was noted\n" : text);
    }
}

/* ------------------------------------------------------------------------------- places */

static char *state_of(const char *path, enum walk_detail detail)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        give_up("open_memstream");
    walk_tree(out, path, detail);
    if (fclose(out) != 0 || text == NULL)
        give_up("open_memstream");
    return text;
}

static void remove_tree(const char *path)
{
    int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    (void)chmod(path, 0700);
    if (chdir(path) == 0)
        remove_all_here();
    if (back < 0 || fchdir(back) != 0 || rmdir(path) != 0)
        give_up(path);
    (void)close(back);
}

static void make_place(char **path, const char *root, unsigned long number, uid_t user)
{
    if (asprintf(path, "%s/case-%lu", root, number) < 0)
        give_up("asprintf");
    if (mkdir(*path, 0755) != 0 || (user != geteuid() && chown(*path, user, user) != 0))
        give_up(*path);
}

static void compare_states(const char *title, char *const *paths, const char *shown_path)
{
    char *plain = state_of(paths[PLAIN], WALK_COMPARABLE);
    char *mount = state_of(paths[MOUNT], WALK_COMPARABLE);
    compare(title, "plain:", plain, "mount:", mount);
    free(plain);
    free(mount);
    if (behind == NULL)
        return;
    mount = state_of(paths[MOUNT], WALK_IDENTICAL);
    char *dir = state_of(shown_path, WALK_IDENTICAL);
    compare(title, "DIR:", dir, "mount:", mount);
    free(dir);
    free(mount);
}

static void run_case(const char *table, const struct posix_case *one, uid_t user)
{
    char *paths[SIDES], *title, *dir = NULL, *notes[SIDES];
    pid_t children[SIDES];
    int logs[SIDES];
    cases_run++;
    if (asprintf(&title, "%s, %s: %s", table, of_whom(user), one->name) < 0 ||
        (behind != NULL && asprintf(&dir, "%s/case-%lu", behind, cases_run) < 0))
        give_up("asprintf");
    for (int side = 0; side < SIDES; side++) {
        make_place(&paths[side], roots[side], cases_run, user);
        children[side] = start(one, side, paths[side], user, &logs[side]);
    }
    for (int side = 0; side < SIDES; side++)
        notes[side] = finish(children[side], logs[side]);
    collect_errors(notes[PLAIN]);
    check_end(title, notes[PLAIN]);
    compare(title, "plain:", notes[PLAIN], "mount:", notes[MOUNT]);
    compare_states(title, paths, dir);
    for (int side = 0; side < SIDES; side++) {
        remove_tree(paths[side]);
        free(paths[side]);
        free(notes[side]);
    }
    if (dir != NULL && access(dir, F_OK) == 0) {
        differences++;
        printf("DIFFERENT: %s: what was removed is still there in DIR\n", title);
    }
    free(title);
    free(dir);
}

static int report(bool list_errors)
{
    for (size_t i = 0; list_errors && i < error_count; i++)
        printf("%s\n", errors[i]);
    for (size_t i = 0; i < KNOWN_MAX && reasons[i].reason != NULL; i++)
        printf("known: %s: %lu differ, %lu do not\n", reasons[i].reason, reasons[i].differ, reasons[i].equal);
    printf("%lu cases, %zu errors of calls, %lu comparisons, %lu differences\n", cases_run, error_count, comparisons,
           differences);
    return differences == 0 && comparisons > 0 ? 0 : 1;
}

static int usage(void)
{
    fprintf(stderr, "usage: posix [--errors] [--only TEXT] [--part K/N] PLAIN MNT [DIR]\n");
    return 2;
}

struct choice {
    const char *only;
    unsigned part, parts;
};

static void run_tables(const struct choice *choice)
{
    unsigned number = 0;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        for (const struct posix_case *one = tables[i].cases; one->name != NULL; one++) {
            if (strstr(one->name, choice->only) == NULL && strstr(tables[i].name, choice->only) == NULL)
                continue;
            if (number++ % choice->parts != choice->part % choice->parts)
                continue;
            if (geteuid() == 0 || !one->needs_root)
                run_case(tables[i].name, one, geteuid());
            if (geteuid() == 0 && !one->needs_root)
                run_case(tables[i].name, one, USER_A);
        }
}

int main(int count, char **arguments)
{
    struct choice choice = {.only = "", .parts = 1};
    bool list_errors = false;
    int at = 1;
    for (; at < count && strncmp(arguments[at], "--", 2) == 0; at++) {
        if (strcmp(arguments[at], "--errors") == 0)
            list_errors = true;
        else if (strcmp(arguments[at], "--only") == 0 && at + 1 < count)
            choice.only = arguments[++at];
        else if (strcmp(arguments[at], "--part") != 0 || at + 1 >= count ||
                 sscanf(arguments[++at], "%u/%u", &choice.part, &choice.parts) != 2 || choice.parts == 0)
            return usage();
    }
    if (count - at < 2 || count - at > 3)
        return usage();
    for (int side = 0; side < SIDES; side++)
        roots[side] = realpath(arguments[at + side], NULL);
    behind = count - at == 3 ? realpath(arguments[at + 2], NULL) : NULL;
    if (roots[PLAIN] == NULL || roots[MOUNT] == NULL || (count - at == 3 && behind == NULL))
        give_up("a directory");
    perturbation = getenv("TMEM_TEST_PERTURB");
    (void)umask(0);
    run_tables(&choice);
    return report(list_errors);
}
