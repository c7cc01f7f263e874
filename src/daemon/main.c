/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - tmemd: its command line, and the order in which things begin and end. */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command/command.h"
#include "command/size.h"
#include "daemon/control.h"
#include "daemon/crowd.h"
#include "daemon/door.h"
#include "daemon/events.h"
#include "daemon/forward.h"
#include "daemon/keep.h"
#include "daemon/keeper.h"
#include "daemon/listen.h"
#include "daemon/log.h"
#include "daemon/notify.h"
#include "daemon/progress.h"
#include "daemon/reaper.h"
#include "daemon/restore.h"
#include "daemon/scrape.h"
#include "daemon/settings.h"
#include "daemon/tenant.h"
#include "daemon/worker.h"

/* How often those who wait are told that the store is still being opened, and how often not yet. */
#define PROGRESS_MS 1000u
#define PROGRESS_QUIET 2u

struct options {
    const char *config;
    const char *socket;
    uint64_t size_bytes; /* 0: as configured */
    bool checks;
    bool foreground;
    bool keeper;
};

static const char help[] =
    "usage: tmemd [OPTIONS]\n"
    "\n"
    "Serves one store of pages to many processes.\n"
    "\n"
    "  --config FILE    settings; FILE.d/*.conf are read as well (default /etc/tmem/tmemd.conf as root,\n"
    "                   else ~/.config/tmem/tmemd.conf; it need not exist)\n"
    "  --check-config   say what is wrong with the configuration, and end\n"
    "  --foreground     stay in the foreground\n"
    "  --keeper         keep persistent pages in a process of its own, which starts the daemon again when it ends\n"
    "  --socket PATH    where to listen (default /run/tmem/tmemd.sock as root,\n"
    "                   else $XDG_RUNTIME_DIR/tmem/tmemd.sock)\n"
    "  --size SIZE      most memory to use, such as 4G\n"
    "  --help           this text\n"
    "  --version        the version\n"
    "\n"
    "Exit status: 0 ok, 1 failed, 2 usage, 3 not found, 4 denied.\n";

uint64_t tm_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * TM_SECOND_NS + (uint64_t)now.tv_nsec;
}

/* ---- options ---- */

enum chosen {
    OPTION_CONFIG = 256,
    OPTION_CHECK,
    OPTION_FOREGROUND,
    OPTION_KEEPER,
    OPTION_SOCKET,
    OPTION_SIZE,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option known[] = {
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"check-config", no_argument, NULL, OPTION_CHECK},
    {"foreground", no_argument, NULL, OPTION_FOREGROUND},
    {"keeper", no_argument, NULL, OPTION_KEEPER},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"size", required_argument, NULL, OPTION_SIZE},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

/* What getopt found wrong, in its own words. */
static enum tm_exit bad_option(char **arguments, int answer)
{
    if (answer == ':')
        return tm_fail(TM_EXIT_USAGE, "tmemd: %s needs a value (try: tmemd --help)", arguments[optind - 1]);
    return tm_fail(TM_EXIT_USAGE, "tmemd: unknown option '%s' (try: tmemd --help)", arguments[optind - 1]);
}

/* True: go on. Else *code is the answer. */
static bool read_options(int count, char **arguments, struct options *options, enum tm_exit *code)
{
    char version[96];
    enum tm_size_problem what;
    int answer;
    *code = TM_EXIT_OK;
    while ((answer = getopt_long(count, arguments, ":", known, NULL)) != -1) {
        switch (answer) {
        case OPTION_CONFIG:
            options->config = optarg;
            break;
        case OPTION_CHECK:
            options->checks = true;
            break;
        case OPTION_FOREGROUND:
            options->foreground = true;
            break;
        case OPTION_KEEPER:
            options->keeper = true;
            break;
        case OPTION_SOCKET:
            options->socket = optarg;
            break;
        case OPTION_SIZE:
            what = tm_size_parse(optarg, &options->size_bytes);
            if (what == TM_SIZE_OK)
                break;
            *code = tm_fail(TM_EXIT_USAGE, "tmemd: --size %s: %s (try: --size 4G)", optarg, tm_size_problem_text(what));
            return false;
        case OPTION_HELP:
            *code = tm_print_stdout(help);
            return false;
        case OPTION_VERSION:
            (void)snprintf(version, sizeof version, "tmemd %u.%u.%u (library %s)\n", TMEM_VERSION_MAJOR,
                           TMEM_VERSION_MINOR, TMEM_VERSION_PATCH, tmem_version());
            *code = tm_print_stdout(version);
            return false;
        default:
            *code = bad_option(arguments, answer);
            return false;
        }
    }
    if (optind < count) {
        *code = tm_fail(TM_EXIT_USAGE, "tmemd: unexpected argument '%s' (try: tmemd --help)", arguments[optind]);
        return false;
    }
    return true;
}

/* ---- configuration ---- */

static enum tm_exit choose_path(const struct options *options, const struct tm_config *config,
                                char path[static TM_SOCKET_PATH_SIZE])
{
    const char *wish = options->socket != NULL ? options->socket : config->socket;
    if (wish[0] == '\0') {
        if (tm_door_default_path(path))
            return TM_EXIT_OK;
        tm_log("XDG_RUNTIME_DIR names no directory to listen in (choose a place with --socket PATH)");
        return TM_EXIT_FAILED;
    }
    if (snprintf(path, TM_SOCKET_PATH_SIZE, "%s", wish) < (int)TM_SOCKET_PATH_SIZE)
        return TM_EXIT_OK;
    tm_log("%s: a socket's path has at most %u bytes (choose a shorter one)", wish, TM_SOCKET_PATH_SIZE - 1u);
    return TM_EXIT_FAILED;
}

/* @arena: a memory file for persistent pages, or -1. */
static enum tm_exit open_store(const struct tm_config *config, int arena, struct tmem_store **store)
{
    char uri[256];
    struct tmem_error error;
    tm_config_uri(config, arena, uri, sizeof uri);
    if (tmem_open(uri, store, &error) == TMEM_OK)
        return TM_EXIT_OK;
    tm_log("cannot make the store: %s", error.text);
    return TM_EXIT_FAILED;
}

/* As far as can be seen without serving: the file, and that there can be such a store. */
static enum tm_exit check_config(const struct tm_config *config)
{
    struct tmem_store *store;
    enum tm_exit code = open_store(config, -1, &store);
    if (code != TM_EXIT_OK)
        return code;
    tmem_close(store);
    return tm_print_stdout("tmemd: the configuration can be used\n");
}

/* ---- beginning and ending ---- */

static unsigned threads_of(const struct tm_config *config)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (config->threads != 0)
        return config->threads;
    return cpus < 1 ? 1u : (unsigned)tm_min_u64((uint64_t)cpus, 64);
}

/* "12 persistent pages (48K) of 1 clients"; false: there are none. */
static bool describe_pages(const struct tm_daemon *daemon, char *text, size_t text_size)
{
    struct tm_tenants_sum sum;
    char size[TM_SIZE_TEXT];
    tm_tenants_sum(daemon->tenants, &sum);
    (void)snprintf(text, text_size, "%llu persistent pages (%s) of %u clients",
                   (unsigned long long)sum.persistent_pages,
                   tm_size_format(sum.persistent_pages * TMEM_PAGE_SIZE, size), sum.clients);
    return sum.persistent_pages != 0;
}

static void tell_of_pages(const struct tm_daemon *daemon, enum tm_keep_fate fate)
{
    char pages[96];
    if (!describe_pages(daemon, pages, sizeof pages))
        return;
    if (fate == TM_KEEP_LOST)
        tm_log("warning: %s are lost", pages);
    else if (fate == TM_KEEP_BY_KEEPER)
        tm_log("%s wait for the next daemon", pages);
    else
        tm_log("%s are left with the service manager: a restart finds them, a stop loses them", pages);
}

/* What a daemon before has left; before anybody is served. */
static bool take_over(const struct tm_daemon *daemon, uint64_t begun_ns)
{
    char pages[96];
    if (!tm_restore(daemon))
        return false;
    (void)describe_pages(daemon, pages, sizeof pages);
    tm_log("took over %s in %llu ms", pages, (unsigned long long)((tm_now_ns() - begun_ns) / 1000000u));
    return true;
}

static bool open_kept(struct tm_daemon *daemon, struct tm_keep *keep)
{
    struct tm_progress progress;
    char text[256];
    if (!tm_keep_begin(keep, text, sizeof text)) {
        tm_log("%s", text);
        return false;
    }
    if (text[0] != '\0')
        tm_log("warning: %s", text);
    if (keep->is_found)
        tm_progress_begin(&progress, "taking over the persistent pages of the daemon before", PROGRESS_MS,
                          PROGRESS_QUIET);
    enum tm_exit code = open_store(daemon->config, keep->arena, &daemon->store);
    if (keep->is_found)
        tm_progress_end(&progress);
    if (code == TM_EXIT_OK)
        return true;
    if (keep->is_found)
        tm_log("the persistent pages of the daemon before are as they were (start the tmemd that left them, or end "
               "who keeps them: they are lost then)");
    return false;
}

/* @socket: where clients come in. */
static bool begin(struct tm_daemon *daemon, const struct tm_config *config, struct tm_keep *keep, const char *socket)
{
    char text[512];
    uint64_t begun_ns = tm_now_ns();
    *daemon = (struct tm_daemon){.config = config};
    if (!open_kept(daemon, keep))
        return false;
    (void)snprintf(daemon->socket, sizeof daemon->socket, "%s", socket);
    daemon->events = tm_events_create();
    daemon->forwards = tm_forwards_create(keep->moved);
    daemon->crowd = tm_crowd_create(tm_settings_connections(config->connections), geteuid());
    daemon->tenants = tm_tenants_create(daemon);
    if (daemon->tenants != NULL && keep->is_found && !take_over(daemon, begun_ns))
        return false;
    if (daemon->events != NULL && daemon->forwards != NULL && daemon->crowd != NULL && daemon->tenants != NULL)
        daemon->reaper = tm_reaper_create(daemon);
    if (daemon->reaper != NULL)
        daemon->workers = tm_workers_create(daemon, threads_of(config));
    if (daemon->workers == NULL) {
        tm_log("no memory or no threads to begin with (is a limit set? see ulimit -u and -v)");
        return false;
    }
    daemon->control = tm_control_create(daemon, socket, text, sizeof text);
    if (daemon->control == NULL)
        tm_log("%s", text);
    else
        daemon->scrape = tm_scrape_create(daemon);
    return daemon->control != NULL;
}

static void end(struct tm_daemon *daemon, enum tm_keep_fate fate)
{
    tm_scrape_destroy(daemon->scrape);
    tm_control_destroy(daemon->control);
    tm_workers_destroy(daemon->workers);
    tm_reaper_destroy(daemon->reaper);
    if (daemon->workers != NULL)
        tell_of_pages(daemon, fate);
    tm_tenants_destroy(daemon->tenants);
    tm_crowd_destroy(daemon->crowd);
    tm_forwards_destroy(daemon->forwards);
    tm_events_destroy(daemon->events);
    tmem_close(daemon->store);
}

static bool open_door(struct tm_door *door, const struct tm_keep *keep, const char *path)
{
    char text[512];
    bool opened = keep->listener >= 0
                      ? tm_door_adopt(door, keep->listener, text, sizeof text)
                      : tm_door_open_again(door, &tm_door_for_clients, keep->door, path, text, sizeof text);
    if (!opened)
        tm_log("%s", text);
    return opened;
}

/* How it ended decides what becomes of the pages: after SIGINT nobody goes on with them. */
static enum tm_keep_fate choose_fate(struct tm_keep *keep, int signal)
{
    enum tm_keep_fate fate = signal == SIGINT ? TM_KEEP_LOST : tm_keep_fate(keep);
    if (fate == TM_KEEP_LOST)
        tm_keep_nothing(keep);
    return fate;
}

/* @ready: where to write when it serves, or -1. */
static enum tm_exit serve(struct tm_settings *settings, const char *path, struct tm_keep *keep, int ready)
{
    struct tm_daemon daemon;
    struct tm_door door;
    enum tm_keep_fate fate = TM_KEEP_LOST;
    char size[TM_SIZE_TEXT];
    int signals = tm_listen_signals();
    if (signals < 0 || !open_door(&door, keep, path))
        return TM_EXIT_FAILED;
    bool begun = begin(&daemon, settings->config, keep, door.path);
    if (begun) {
        if (door.is_ours && !door.goes_on)
            tm_keep_door(keep, door.socket);
        tm_log("serving %s at %s", tm_size_format(settings->config->size_bytes, size), door.path);
        if (tm_notify("READY=1") != 0)
            tm_log("cannot tell the service manager (NOTIFY_SOCKET) that it serves");
        if (ready >= 0)
            (void)!write(ready, "", 1);
        int signal = tm_listen(&daemon, settings, door.socket, signals);
        (void)tm_notify("STOPPING=1");
        tm_log("ending");
        fate = choose_fate(keep, signal);
    }
    tm_door_close(&door, fate != TM_KEEP_LOST || (!begun && door.goes_on));
    end(&daemon, fate);
    tm_keep_end(keep);
    (void)close(signals);
    return begun ? TM_EXIT_OK : TM_EXIT_FAILED;
}

/* Serves, or keeps, in a process of its own; returns when that serves, or has failed. @arguments: of a keeper, or
 * NULL. */
static enum tm_exit serve_behind(struct tm_settings *settings, const char *path, struct tm_keep *keep,
                                 char **arguments)
{
    int ends[2];
    char byte;
    int status = 0;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return tm_fail(TM_EXIT_FAILED, "tmemd: no pipe (is a limit set? see ulimit -n)");
    pid_t child = fork();
    if (child < 0)
        return tm_fail(TM_EXIT_FAILED, "tmemd: cannot go to the background (is a limit set? see ulimit -u)");
    if (child == 0) {
        (void)close(ends[0]);
        (void)setsid();
        int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(nothing, STDOUT_FILENO) < 0)
            return TM_EXIT_FAILED;
        /* A keeper stays where it is: names in the arguments mean for each daemon what they meant for the first. */
        if (arguments != NULL)
            return tm_keeper_run(arguments, ends[1]);
        return chdir("/") == 0 ? serve(settings, path, keep, ends[1]) : TM_EXIT_FAILED;
    }
    (void)close(ends[1]);
    if (read(ends[0], &byte, 1) == 1)
        return TM_EXIT_OK;
    bool ended = waitpid(child, &status, 0) == child && WIFEXITED(status);
    return ended && WEXITSTATUS(status) != 0 ? (enum tm_exit)WEXITSTATUS(status) : TM_EXIT_FAILED;
}

/* What the options and the environment ask for. */
static enum tm_exit run(const struct options *options, char **arguments, struct tm_settings *settings,
                        const char *path, struct tm_keep *keep)
{
    /* A keeper's daemon has the keeper's arguments. */
    bool is_kept = getenv(TM_KEEP_VARIABLE) != NULL;
    bool is_managed = tm_notify_is_wanted() || keep->listener >= 0;
    if (options->keeper && !is_kept) {
        if (is_managed) {
            tm_log("--keeper: a service manager starts this daemon, and keeps what it gives away (leave out --keeper; "
                   "FileDescriptorStoreMax= in the unit)");
            return TM_EXIT_USAGE;
        }
        return options->foreground ? tm_keeper_run(arguments, -1) : serve_behind(settings, path, keep, arguments);
    }
    if (options->foreground || is_managed)
        return serve(settings, path, keep, -1);
    return serve_behind(settings, path, keep, NULL);
}

int main(int count, char **arguments)
{
    struct options options = {0};
    struct tm_settings settings;
    struct tm_keep keep;
    char path[TM_SOCKET_PATH_SIZE] = "";
    char text[256];
    enum tm_exit code;
    if (!read_options(count, arguments, &options, &code))
        return code;
    if (!tm_keep_take(&keep, text, sizeof text)) {
        tm_log("%s", text);
        return TM_EXIT_USAGE;
    }
    code = tm_settings_init(&settings, options.config, options.size_bytes);
    if (code == TM_EXIT_OK)
        code = tm_settings_read(&settings);
    /* There need be no place to listen to check a configuration, nor where somebody listens for us. */
    if (code == TM_EXIT_OK && !options.checks && keep.listener < 0)
        code = choose_path(&options, settings.config, path);
    if (code == TM_EXIT_OK && options.checks)
        code = check_config(settings.config);
    else if (code == TM_EXIT_OK)
        code = run(&options, arguments, &settings, path, &keep);
    tm_settings_fini(&settings);
    return code;
}
