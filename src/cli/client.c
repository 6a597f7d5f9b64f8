#include "cli/client.h"

#include "admin/admin.h"
#include "cli/command.h"

#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 16 };

static const struct option COMMON[] = {{"node", required_argument, NULL, 'n'},
                                       {"socket", required_argument, NULL, 's'},
                                       {"json", no_argument, NULL, 'j'},
                                       {"help", no_argument, NULL, 'h'}};

/* Returns -1 to go on. */
static int take_word(int option, const char *help, const struct client_words *words,
                     struct client_options *ret)
{
    switch (option) {
    case 'n':
        ret->node = optarg;
        return -1;
    case 's':
        ret->socket = optarg;
        return -1;
    case 'j':
        ret->json = true;
        return -1;
    case 'h':
        puts(help);
        puts("\n  --node NAME     the node's name, as [node] name says (default: mote)\n"
             "  --socket PATH   its admin socket, when it is not in the runtime folder\n"
             "  --json          for scripts");
        return STATUS_OK;
    case '?': /* getopt has said what is wrong */
        return STATUS_USAGE;
    default:
        INVARIANT(words->take != NULL);
        return words->take(words->argument, option, optarg) ? -1 : STATUS_USAGE;
    }
}

int client_parse(int argc, char **argv, const char *help, const struct client_words *words,
                 struct client_options *ret)
{
    struct option longs[ARRAY_LENGTH(COMMON) + WORDS_MAX + 1] = {0};
    size_t count = 0;

    memcpy(longs, COMMON, sizeof COMMON);
    while (words->options != NULL && words->options[count].name != NULL) {
        INVARIANT(count < WORDS_MAX);
        longs[ARRAY_LENGTH(COMMON) + count] = words->options[count];
        count++;
    }
    *ret = (struct client_options){.node = "mote"};
    for (int option; (option = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        int status = take_word(option, help, words, ret);
        if (status == STATUS_USAGE && option != '?') {
            return usage_error(argv[0], "'%s' is not a value for %s", optarg, argv[optind - 2]);
        }
        if (status >= 0) {
            return status;
        }
    }
    if (words->operand != NULL) {
        if (optind == argc || argv[optind][0] == '\0') {
            return usage_error(argv[0], "no %s", words->operand_name);
        }
        *words->operand = argv[optind++];
    }
    return optind < argc ? usage_error(argv[0], "unexpected '%s'", argv[optind]) : -1;
}

static size_t take(char *data, size_t one, size_t size_bytes, void *argument)
{
    (void)one; /* always 1 */
    return bytes_append(argument, data, size_bytes) ? size_bytes : 0;
}

static bool explain(CURLcode code, const char *socket, struct err *err)
{
    if (code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_GOT_NOTHING) {
        return err_set(err, ERR_DENIED, "the node at %s turned us away: is it this user's?",
                       socket);
    }
    if (code == CURLE_COULDNT_CONNECT) {
        return err_set(err, ERR_NOT_FOUND,
                       "no node answers at %s: is it running, and as this user? (--node NAME or "
                       "--socket PATH choose another)",
                       socket);
    }
    return err_set(err, ERR_OS, "%s: %s", socket, curl_easy_strerror(code));
}

/* What the node says of a question that it does not answer: one line. */
static bool refuse(long status, struct bytes *answer, struct err *err)
{
    size_t size = answer->size > 0 && answer->data[answer->size - 1] == '\n' ? answer->size - 1
                                                                             : answer->size;
    return err_set(err,
                   status == 404   ? ERR_NOT_FOUND
                   : status == 400 ? ERR_INPUT
                                   : ERR_OS,
                   "%.*s (%ld)", (int)size, size == 0 ? "" : (const char *)answer->data, status);
}

/* As curl_easy_perform(), until the descriptor can be read. */
static CURLcode perform(CURL *curl, int stop_fd)
{
    enum { LOOK_MS = 1000 };
    CURLM *multi = curl_multi_init();
    if (multi == NULL || curl_multi_add_handle(multi, curl) != CURLM_OK) {
        curl_multi_cleanup(multi);
        return CURLE_OUT_OF_MEMORY;
    }
    struct curl_waitfd stop = {.fd = stop_fd, .events = CURL_WAIT_POLLIN};
    CURLMcode good = CURLM_OK;
    for (int running = 1; running > 0 && good == CURLM_OK && stop.revents == 0;) {
        good = curl_multi_perform(multi, &running);
        if (good == CURLM_OK && running > 0) {
            good = curl_multi_poll(multi, &stop, 1, LOOK_MS, NULL);
        }
    }
    int left;
    const CURLMsg *done = curl_multi_info_read(multi, &left);
    CURLcode code = done != NULL ? done->data.result : CURLE_ABORTED_BY_CALLBACK;
    curl_multi_remove_handle(multi, curl);
    curl_multi_cleanup(multi);
    return code;
}

bool client_ask(const struct client_options *options, bool post, const char *path,
                struct bytes *ret, struct err *err)
{
    AUTO(bytes_finip) struct bytes url = {0}, answer = {0};
    char socket[ADMIN_PATH_BYTES];
    if (options->socket != NULL) {
        snprintf(socket, sizeof socket, "%s", options->socket);
    } else {
        admin_default_path(options->node, socket);
    }
    const char *form = options->json ? "" : strchr(path, '?') == NULL ? "?form=text" : "&form=text";
    if (!bytes_printf(&url, "http://node%s%s", path, form) || !bytes_terminate(&url)) {
        return err_set_memory(err);
    }
    CURL *curl = curl_easy_init();
    if (curl == NULL) {
        return err_set_memory(err);
    }
    curl_easy_setopt(curl, CURLOPT_URL, (char *)url.data);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, options->timeout_s == 0 ? 30L : options->timeout_s);
    if (post) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
    }
    CURLcode code = options->stop_fd != NULL ? perform(curl, *options->stop_fd)
                                             : curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK) {
        return explain(code, socket, err);
    }
    if (status != 200) {
        return refuse(status, &answer, err);
    }
    return bytes_append(ret, answer.data, answer.size) || err_set_memory(err);
}

bool client_add(struct bytes *path, const char *key, const char *value)
{
    char *encoded = curl_easy_escape(NULL, value, (int)strlen(value));
    bool good = encoded != NULL &&
                bytes_printf(path, "%s%s=%s",
                             memchr(path->data, '?', path->size) == NULL ? "?" : "&", key, encoded);
    curl_free(encoded);
    return good;
}

int client_print(int argc, char **argv, const char *help, const char *path)
{
    struct client_options options;
    int status = client_parse(argc, argv, help, &(struct client_words){0}, &options);
    if (status >= 0) {
        return status;
    }
    AUTO(bytes_finip) struct bytes text = {0};
    struct err err = {0};
    if (!client_ask(&options, false, path, &text, &err)) {
        fprintf(stderr, "mote %s: %s\n", argv[0], err.text);
        return STATUS_FAILED;
    }
    fwrite(text.data, 1, text.size, stdout);
    return fflush(stdout) == 0 ? STATUS_OK : STATUS_FAILED;
}
