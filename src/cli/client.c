#include "cli/client.h"

#include "admin/admin.h"
#include "cli/command.h"

#include <curl/curl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

int client_parse(int argc, char **argv, const char *help, struct client_options *ret)
{
    static const struct option longs[] = {{"node", required_argument, NULL, 'n'},
                                          {"socket", required_argument, NULL, 's'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    *ret = (struct client_options){.node = "mote"};
    for (int option; (option = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        switch (option) {
        case 'n':
            ret->node = optarg;
            break;
        case 's':
            ret->socket = optarg;
            break;
        case 'j':
            ret->json = true;
            break;
        case 'h':
            puts(help);
            puts("\n  --node NAME     the node's name, as [node] name says (default: mote)\n"
                 "  --socket PATH   its admin socket, when it is not in the runtime folder\n"
                 "  --json          for scripts");
            return STATUS_OK;
        default: /* getopt has said what is wrong */
            return STATUS_USAGE;
        }
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
    if (code == CURLE_COULDNT_CONNECT) {
        return err_set(err, ERR_NOT_FOUND,
                       "no node answers at %s: is it running, and as this user? (--node NAME or "
                       "--socket PATH choose another)",
                       socket);
    }
    return err_set(err, ERR_OS, "%s: %s", socket, curl_easy_strerror(code));
}

bool client_get(const struct client_options *options, const char *path, struct bytes *ret,
                struct err *err)
{
    char socket[ADMIN_PATH_BYTES];
    if (options->socket != NULL) {
        snprintf(socket, sizeof socket, "%s", options->socket);
    } else {
        admin_default_path(options->node, socket);
    }
    char url[256];
    snprintf(url, sizeof url, "http://node%s%s", path, options->json ? "" : "?form=text");
    CURL *curl = curl_easy_init();
    if (curl == NULL) {
        return err_set_memory(err);
    }
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 30L);
    CURLcode code = curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    if (code != CURLE_OK) {
        return explain(code, socket, err);
    }
    return status == 200 || err_set(err, ERR_OS, "%s answered %ld", socket, status);
}

int client_print(int argc, char **argv, const char *help, const char *path)
{
    struct client_options options;
    int status = client_parse(argc, argv, help, &options);
    if (status >= 0) {
        return status;
    }
    AUTO(bytes_finip) struct bytes text = {0};
    struct err err = {0};
    if (!client_get(&options, path, &text, &err)) {
        fprintf(stderr, "mote %s: %s\n", argv[0], err.text);
        return STATUS_FAILED;
    }
    fwrite(text.data, 1, text.size, stdout);
    return fflush(stdout) == 0 ? STATUS_OK : STATUS_FAILED;
}
