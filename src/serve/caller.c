#include "serve/caller.h"

#include <stdlib.h>
#include <string.h>

bool caller_is_trusted(const struct site *site, const char *remote)
{
    const struct serve_options *options = &site->options;
    struct ip ip;
    uint16_t port;
    if (!ip_parse_endpoint(remote, strlen(remote), &ip, &port)) {
        return options->trust_unix;
    }
    for (size_t i = 0; i < options->trusted_count; i++) {
        if (cidr_holds(&options->trusted[i], &ip)) {
            return true;
        }
    }
    return false;
}

void caller_init(struct caller *caller, const struct site *site, const char *remote)
{
    caller->remote = remote;
    caller->secure = false;
    caller->subject = NULL;
    caller->trusted = (site->options.trusted_count > 0 || site->options.trust_unix) &&
                      caller_is_trusted(site, remote);
}

void caller_fini(struct caller *caller)
{
    free(caller->subject);
    caller->subject = NULL;
}

bool caller_set_subject(struct caller *caller, const char *subject)
{
    free(caller->subject);
    caller->subject = strdup(subject);
    return caller->subject != NULL;
}

void caller_sign(const struct caller *caller, struct request *request)
{
    size_t size = strlen(caller->remote);
    INVARIANT(size < sizeof(request->remote));
    memcpy(request->remote, caller->remote, size + 1);
    request->secure = caller->secure;
    request->from_proxy = caller->trusted;
    if (caller->subject != NULL) {
        free(request->subject);
        request->subject = strdup(caller->subject);
    }
}
