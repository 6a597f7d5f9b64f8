#include "cli/client.h"
#include "cli/command.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* Besides what every client takes. */
struct words {
    const char *reason, *namespace;
};

enum { WORD_REASON = 256, WORD_NAMESPACE };

static bool take(void *argument, int option, const char *value)
{
    struct words *words = argument;

    if (option == WORD_REASON) {
        words->reason = value;
    } else {
        words->namespace = value;
    }
    return *value != '\0';
}

static bool make_path(const char *who, const struct words *words, struct bytes *ret)
{
    bool number = who[strspn(who, "0123456789")] == '\0';

    return bytes_printf(ret, "/v1/kill") && client_add(ret, number ? "pid" : "name", who) &&
           (words->namespace == NULL || client_add(ret, "namespace", words->namespace)) &&
           (words->reason == NULL || client_add(ret, "reason", words->reason)) &&
           bytes_terminate(ret);
}

int command_kill(int argc, char **argv)
{
    static const struct option longs[] = {{"reason", required_argument, NULL, WORD_REASON},
                                          {"namespace", required_argument, NULL, WORD_NAMESPACE},
                                          {0}};
    const char *who = "";
    struct words words = {0};
    struct client_options options;
    AUTO(bytes_finip) struct bytes path = {0}, answer = {0};
    struct err err = {0};

    int status = client_parse(
        argc, argv,
        "usage: mote kill [--reason TEXT] [--node NAME] PID|NAME\n\n"
        "Ends one process of a running node: the one with that pid, or registered under that\n"
        "name. Its links and monitors see `killed`. A supervisor restarts it as it would after a\n"
        "crash.\n\n"
        "  --reason TEXT   what the log says, at most 63 bytes (default: mote kill)\n"
        "  --namespace NS  where NAME is registered (default: main)",
        &(struct client_words){.options = longs,
                               .take = take,
                               .argument = &words,
                               .operand = &who,
                               .operand_name = "PID or NAME"},
        &options);
    if (status >= 0) {
        return status;
    }
    if (!make_path(who, &words, &path)) {
        fputs("mote kill: out of memory\n", stderr);
        return STATUS_FAILED;
    }
    if (!client_ask(&options, true, (char *)path.data, &answer, &err)) {
        fprintf(stderr, "mote kill: %s: %s\n", who, err.text);
        return STATUS_FAILED;
    }
    fwrite(answer.data, 1, answer.size, stdout);
    return fflush(stdout) == 0 ? STATUS_OK : STATUS_FAILED;
}
