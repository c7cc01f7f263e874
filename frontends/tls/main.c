/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - tmem-tls, which `tmem migrate` and `tmem receive` run: the two ends of a connection for a client. */
#include "tls.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char help[] =
    "usage: tmem-tls [OPTIONS] connect HOST:PORT\n"
    "       tmem-tls [OPTIONS] listen HOST:PORT COMMAND [ARGUMENT...]\n"
    "\n"
    "What `tmem migrate` and `tmem receive --listen` run. Passes on what comes between a connection, encrypted\n"
    "by TLS 1.3, and a socket: standard input, or standard input and output of COMMAND, which it starts when\n"
    "somebody has connected and proved who he is.\n"
    "\n"
    "  --psk FILE          the key that both ends have, in a line IDENTITY:HEX (see: psktool)\n"
    "  --certificate FILE  or this end's certificate,\n"
    "  --key FILE          its key,\n"
    "  --ca FILE           and who has to have signed the other's\n"
    "  --forever           one connection after the other\n"
    "  --help              this text\n"
    "\n"
    "Exit status: that of COMMAND, or 0 ok, 1 failed, 2 usage, 3 not found, 4 denied.\n";

enum chosen {
    OPTION_PSK = 256,
    OPTION_CERTIFICATE,
    OPTION_KEY,
    OPTION_CA,
    OPTION_FOREVER,
    OPTION_HELP,
};

static const struct option known[] = {
    {"psk", required_argument, NULL, OPTION_PSK},
    {"certificate", required_argument, NULL, OPTION_CERTIFICATE},
    {"key", required_argument, NULL, OPTION_KEY},
    {"ca", required_argument, NULL, OPTION_CA},
    {"forever", no_argument, NULL, OPTION_FOREVER},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

/* True: go on with what is at optind. Else *code is the answer. */
static bool read_options(int count, char **arguments, struct tls_trust *trust, bool *forever, enum tm_exit *code)
{
    int answer;
    *code = TM_EXIT_USAGE;
    while ((answer = getopt_long(count, arguments, "+:", known, NULL)) != -1) {
        switch (answer) {
        case OPTION_PSK:
            trust->psk = optarg;
            break;
        case OPTION_CERTIFICATE:
            trust->certificate = optarg;
            break;
        case OPTION_KEY:
            trust->key = optarg;
            break;
        case OPTION_CA:
            trust->ca = optarg;
            break;
        case OPTION_FOREVER:
            *forever = true;
            break;
        case OPTION_HELP:
            *code = tm_print_stdout(help);
            return false;
        default:
            tm_message("tls: %s '%s' (try: tmem-tls --help)", answer == ':' ? "no value for" : "unknown option",
                       arguments[optind - 1]);
            return false;
        }
    }
    return true;
}

static enum tm_exit run_connect(const struct tls_trust *trust, const struct tls_address *address)
{
    int descriptor;
    gnutls_session_t session;
    enum tm_exit code = tls_connect(address, &descriptor);
    if (code != TM_EXIT_OK)
        return code;
    code = tls_begin(trust, descriptor, address->host, address->text, &session);
    if (code == TM_EXIT_OK) {
        code = tls_relay(session, descriptor, STDIN_FILENO, address->text);
        gnutls_deinit(session);
    }
    (void)close(descriptor);
    return code;
}

/* The command with a socket to it, or -1 after a message. */
static pid_t start_command(char **command, int *local)
{
    char cause[TM_ERROR_TEXT_SIZE];
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        tm_message("cannot make a pair of sockets: %s", tm_error_text(errno, cause));
        return -1;
    }
    pid_t child = fork();
    if (child == 0) {
        if (dup2(ends[1], STDIN_FILENO) >= 0 && dup2(ends[1], STDOUT_FILENO) >= 0)
            (void)execv(command[0], command);
        tm_message("cannot run %s: %s", command[0], tm_error_text(errno, cause));
        _exit(TM_EXIT_FAILED);
    }
    (void)close(ends[1]);
    *local = ends[0];
    if (child > 0)
        return child;
    (void)close(ends[0]);
    tm_message("cannot start %s: %s", command[0], tm_error_text(errno, cause));
    return -1;
}

/* Between the session and a command of its own; what came of the command. */
static enum tm_exit serve(gnutls_session_t session, int descriptor, char **command, const char *peer)
{
    int local;
    int status = 0;
    pid_t child = start_command(command, &local);
    if (child < 0)
        return TM_EXIT_FAILED;
    enum tm_exit code = tls_relay(session, descriptor, local, peer);
    (void)close(local); /* it sees that this is the end */
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) <= TM_EXIT_NO_DAEMON)
        return WEXITSTATUS(status) != 0 ? (enum tm_exit)WEXITSTATUS(status) : code;
    return TM_EXIT_FAILED;
}

/* Those who cannot prove who they are do not count: anybody may connect. */
static enum tm_exit run_listen(const struct tls_trust *trust, const struct tls_address *address, char **command,
                               bool forever)
{
    int listener;
    bool is_served = false;
    enum tm_exit code = tls_listen(address, &listener);
    if (code != TM_EXIT_OK)
        return code;
    while (!is_served || forever) {
        int descriptor;
        char peer[128];
        gnutls_session_t session;
        code = tls_accept(listener, &descriptor, peer, sizeof peer);
        if (code != TM_EXIT_OK)
            break;
        if (tls_begin(trust, descriptor, NULL, peer, &session) == TM_EXIT_OK) {
            is_served = true;
            code = serve(session, descriptor, command, peer);
            gnutls_deinit(session);
        }
        (void)close(descriptor);
    }
    (void)close(listener);
    return code;
}

int main(int count, char **arguments)
{
    struct tls_trust trust = {.psk = NULL};
    struct tls_address address;
    bool forever = false;
    enum tm_exit code;
    if (!read_options(count, arguments, &trust, &forever, &code))
        return code;
    char **words = arguments + optind;
    int word_count = count - optind;
    bool is_server = word_count >= 3 && strcmp(words[0], "listen") == 0;
    if (!is_server && (word_count != 2 || strcmp(words[0], "connect") != 0))
        return tm_fail(TM_EXIT_USAGE, "tls: expected connect HOST:PORT, or listen HOST:PORT COMMAND "
                                      "(try: tmem-tls --help)");
    code = tls_address_read(&address, words[1]);
    if (code == TM_EXIT_OK)
        code = tls_trust_load(&trust, is_server);
    if (code == TM_EXIT_OK)
        code = is_server ? run_listen(&trust, &address, words + 2, forever) : run_connect(&trust, &address);
    tls_trust_free(&trust);
    return code;
}
