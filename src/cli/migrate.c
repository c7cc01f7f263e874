/* SPDX-License-Identifier: BSD-2-Clause */
/* migrate.c - the verbs `migrate` and `receive`: a client goes from one daemon to another while it runs. */
#include "cli/move.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char tm_cli_migrate_help[] =
    "usage: tmem migrate [OPTIONS] CLIENT DESTINATION\n"
    "\n"
    "Moves a client with its settings, rights, pools and pages to another daemon while it runs; it stands\n"
    "still for the last moment only. Interrupted, it stays where it was. There it waits for the program\n"
    "whose it is, as one does that was left behind.\n"
    "\n"
    "  unix:PATH      the daemon on this machine whose control socket this is\n"
    "  ssh:HOST       that of another machine, by way of `ssh HOST tmem receive`\n"
    "  tls:HOST:PORT  that of another machine, where `tmem receive --listen HOST:PORT` waits; encrypted\n"
    "\n"
    "  --as NAME      call it so there\n" TM_CLI_SEND_HELP TM_CLI_TLS_HELP TM_CLI_ASK_HELP "\n" TM_CLI_ASK_STATUS;

const char tm_cli_receive_help[] =
    "usage: tmem receive [OPTIONS]\n"
    "\n"
    "The other end of `tmem migrate`: takes a client from standard input, and answers on standard output.\n"
    "With --listen it waits for one that comes to tls:HOST:PORT.\n"
    "\n"
    "  --as NAME      call it so\n"
    "  --listen HOST:PORT\n"
    "                 wait here; [::]:PORT is each address of this machine\n"
    "  --forever      with --listen: take one after the other\n" TM_CLI_TLS_HELP TM_CLI_ASK_HELP "\n" TM_CLI_ASK_STATUS;

double tm_cli_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- the other end ---- */

struct other_end {
    struct tm_cli_ask ask;
    const char *name;
    int descriptor;
    enum tm_exit code;
    pthread_t thread; /* unix: */
    pid_t process;    /* ssh:, tls: */
    struct tm_cli_tls tls;
    bool is_tls;
};

static void *receive_there(void *argument)
{
    struct other_end *other = argument;
    other->code = tm_cli_take(&other->ask, "receive", other->name, NULL, &other->descriptor, 1);
    /* Whatever came of it, the source is to see the end. */
    (void)shutdown(other->descriptor, SHUT_RDWR);
    return NULL;
}

static enum tm_exit run_ssh(const struct other_end *other, const char *host)
{
    char cause[TM_ERROR_TEXT_SIZE];
    const char *words[] = {"ssh", "-T", "--", host, "tmem", "receive", NULL, NULL, NULL};
    if (other->name != NULL) {
        words[6] = "--as";
        words[7] = other->name;
    }
    (void)execvp(words[0], (char *const *)(uintptr_t)words); /* which does not write to them */
    return tm_fail(TM_EXIT_FAILED, "cannot run ssh: %s (is it installed? try: apt-get install openssh-client)",
                   tm_error_text(errno, cause));
}

static enum tm_exit start_process(struct other_end *other, const char *destination)
{
    const char *connect[] = {"connect", destination + 4, NULL};
    other->process = fork();
    if (other->process < 0)
        return tm_fail(TM_EXIT_FAILED, "cannot start a process (is there memory left?)");
    if (other->process > 0)
        return TM_EXIT_OK;
    if (dup2(other->descriptor, STDIN_FILENO) < 0 || dup2(other->descriptor, STDOUT_FILENO) < 0)
        _exit(TM_EXIT_FAILED);
    _exit((int)(other->is_tls ? tm_cli_run_tls(&other->tls, connect) : run_ssh(other, destination + 4)));
}

static enum tm_exit start_other_end(struct other_end *other, const char *destination)
{
    other->is_tls = strncmp(destination, "tls:", 4) == 0;
    if (!other->is_tls && tm_cli_is_tls(&other->tls))
        return tm_cli_usage("migrate", "'%s': keys and certificates are for tls:HOST:PORT only", destination);
    if (other->is_tls || (strncmp(destination, "ssh:", 4) == 0 && destination[4] != '\0' && destination[4] != '-'))
        return start_process(other, destination);
    if (strncmp(destination, "unix:", 5) != 0 || destination[5] == '\0')
        return tm_cli_usage("migrate", "'%s': expected unix:PATH, ssh:HOST or tls:HOST:PORT", destination);
    other->ask.socket = destination + 5;
    if (pthread_create(&other->thread, NULL, receive_there, other) != 0)
        return tm_fail(TM_EXIT_FAILED, "cannot start a thread (is there memory left?)");
    return TM_EXIT_OK;
}

static enum tm_exit wait_for_other_end(struct other_end *other)
{
    int status = 0;
    if (other->process == 0) {
        (void)pthread_join(other->thread, NULL);
        return other->code;
    }
    while (waitpid(other->process, &status, 0) < 0 && errno == EINTR) {
    }
    /* What ssh ends with is its own matter, or that of another machine. */
    if (WIFEXITED(status) && WEXITSTATUS(status) <= (other->is_tls ? TM_EXIT_NO_DAEMON : TM_EXIT_OK))
        return (enum tm_exit)WEXITSTATUS(status);
    return TM_EXIT_FAILED;
}

/* ---- the verbs ---- */

static enum tm_exit migrate(struct tm_cli_ask *ask, json_t *question, struct other_end *other, const char *destination)
{
    int ends[2];
    json_t *answer;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        json_decref(question);
        return tm_fail(TM_EXIT_FAILED, "cannot make a pair of sockets (are there too many open files?)");
    }
    other->descriptor = ends[1];
    enum tm_exit code = start_other_end(other, destination);
    if (code != TM_EXIT_OK) {
        json_decref(question);
        (void)close(ends[0]);
        (void)close(ends[1]);
        return code;
    }
    if (other->process != 0)
        (void)close(ends[1]); /* the process has it */
    ask->descriptors = &ends[0];
    ask->descriptor_count = 1;
    code = tm_cli_ask_move(ask, question, &answer);
    (void)shutdown(ends[0], SHUT_RDWR);
    (void)close(ends[0]);
    enum tm_exit there = wait_for_other_end(other);
    if (other->process == 0)
        (void)close(ends[1]);
    if (code != TM_EXIT_OK)
        return code == TM_EXIT_FAILED && other->is_tls && there != TM_EXIT_OK ? there : code;
    tm_cli_tell_sent(ask, answer, "moved");
    json_decref(answer);
    return there;
}

enum tm_exit tm_cli_migrate(int count, char **arguments)
{
    struct tm_cli_ask ask = {.socket = NULL};
    struct other_end other = {.code = TM_EXIT_FAILED};
    const char *operands[2];
    const char *ephemeral = NULL;
    json_t *question;
    const struct tm_cli_option options[] = {
        TM_CLI_ASK_OPTIONS(&ask),
        TM_CLI_TLS_OPTIONS(&other.tls),
        {"--ephemeral", NULL, &ephemeral, NULL},
        {"--as", NULL, &other.name, NULL},
    };
    enum tm_exit code = tm_cli_read(count, arguments, options, TM_ARRAY_SIZE(options), operands, 2);
    if (code != TM_EXIT_OK)
        return code;
    if (operands[0] == NULL || operands[1] == NULL)
        return tm_cli_usage("migrate", operands[0] == NULL ? "no client" : "no destination");
    code = tm_cli_send_question("migrate", operands[0], ephemeral, &question);
    if (code != TM_EXIT_OK)
        return code;
    /* On one machine the client's program can go with it. */
    if (question != NULL && strncmp(operands[1], "unix:", 5) == 0)
        (void)json_object_set_new(question, "redirect", json_true());
    return migrate(&ask, question, &other, operands[1]);
}

/* Waits for a connection; another `tmem receive` takes what comes over it. */
static enum tm_exit wait_for_client(const struct tm_cli_tls *tls, const char *address, const char *name,
                                    const char *socket)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1u);
    if (length <= 0)
        return tm_fail(TM_EXIT_FAILED, "cannot find this program again (is /proc mounted?)");
    self[length] = '\0';
    const char *words[TM_CLI_TLS_WORDS] = {"listen", address, self, "receive"};
    size_t count = 4;
    if (name != NULL) {
        words[count++] = "--as";
        words[count++] = name;
    }
    if (socket != NULL) {
        words[count++] = "--socket";
        words[count++] = socket;
    }
    return tm_cli_run_tls(tls, words);
}

enum tm_exit tm_cli_receive(int count, char **arguments)
{
    static const int descriptors[] = {STDIN_FILENO, STDOUT_FILENO};
    struct tm_cli_ask ask = {.socket = NULL};
    struct tm_cli_tls tls = {.forever = false};
    const char *name = NULL;
    const char *address = NULL;
    const struct tm_cli_option options[] = {
        TM_CLI_ASK_OPTIONS(&ask),
        TM_CLI_TLS_OPTIONS(&tls),
        {"--as", NULL, &name, NULL},
        {"--listen", NULL, &address, NULL},
        {"--forever", NULL, NULL, &tls.forever},
    };
    enum tm_exit code = tm_cli_read(count, arguments, options, TM_ARRAY_SIZE(options), NULL, 0);
    if (code != TM_EXIT_OK)
        return code;
    if (ask.as_json)
        return tm_cli_usage("receive", "standard output is taken: --json cannot be");
    if (address != NULL)
        return wait_for_client(&tls, address, name, ask.socket);
    if (tls.forever || tm_cli_is_tls(&tls))
        return tm_cli_usage("receive", "keys, certificates and --forever are for --listen HOST:PORT only");
    return tm_cli_take(&ask, "receive", name, NULL, descriptors, TM_ARRAY_SIZE(descriptors));
}
