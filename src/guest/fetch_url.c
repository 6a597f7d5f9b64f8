/* Where a request goes. */
#include "guest/fetch_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that no URL has, and that parsers disagree about. */
static bool is_plain(const char *url)
{
    for (; *url != '\0'; url++) {
        if ((unsigned char)*url <= ' ' || (unsigned char)*url >= 0x7f || *url == '\\') {
            return false;
        }
    }
    return true;
}

static bool part(CURLU *parsed, CURLUPart what, char **ret)
{
    *ret = NULL;
    return curl_url_get(parsed, what, ret, CURLU_DEFAULT_PORT) == CURLUE_OK && *ret != NULL;
}

static void take_host(struct fetch_aim *aim, const char *host)
{
    size_t size = strlen(host);
    bool brackets = size >= 2 && host[0] == '[' && host[size - 1] == ']';
    size -= brackets ? 2 : 0;
    if (size >= sizeof aim->host) {
        size = 0;
    }
    memcpy(aim->host, host + brackets, size);
    aim->host[size] = '\0';
    aim->literal = ip_parse(aim->host, size, &aim->ip);
    if (brackets && !aim->literal) {
        aim->host[0] = '\0';
    }
}

/* A name that is written with a dot at its end is the same one without. */
static bool trim_host(CURLU *parsed)
{
    char *host = NULL;
    bool good = true;
    if (part(parsed, CURLUPART_HOST, &host)) {
        size_t size = strlen(host);
        if (size > 1 && host[size - 1] == '.') {
            host[size - 1] = '\0';
            good = curl_url_set(parsed, CURLUPART_HOST, host, 0) == CURLUE_OK;
        }
    }
    curl_free(host);
    return good;
}

static bool take_parts(struct fetch_aim *aim, CURLU *parsed, struct err *err)
{
    char *scheme = NULL;
    char *host = NULL;
    char *port = NULL;
    char *user = NULL;
    char *password = NULL;
    char *zone = NULL;
    bool good = part(parsed, CURLUPART_SCHEME, &scheme) && part(parsed, CURLUPART_HOST, &host) &&
                part(parsed, CURLUPART_PORT, &port);
    bool named = part(parsed, CURLUPART_USER, &user) || part(parsed, CURLUPART_PASSWORD, &password);
    bool zoned = part(parsed, CURLUPART_ZONEID, &zone);
    if (good) {
        aim->tls = strcmp(scheme, "https") == 0;
        good = aim->tls || strcmp(scheme, "http") == 0;
        take_host(aim, host);
        for (const char *digit = port; *digit != '\0'; digit++) {
            aim->port = (uint16_t)(aim->port * 10 + (*digit - '0')); /* the parser has checked it */
        }
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(user);
    curl_free(password);
    curl_free(zone);
    if (!good) {
        return err_set(err, ERR_INPUT, "only http:// and https:// with a host");
    }
    if (named) {
        return err_set(err, ERR_INPUT, "no user in a URL: send a header of Authorization");
    }
    if (zoned) {
        return err_set(err, ERR_INPUT,
                       "no zone in a URL: which of this machine's links to use is "
                       "not the guest's to say");
    }
    return (aim->host[0] != '\0' && aim->port != 0) ||
           err_set(err, ERR_INPUT, "the host or port of the URL is none");
}

bool fetch_aim_init(struct fetch_aim *aim, const struct fetch_aim *base, const char *url,
                    struct err *err)
{
    *aim = (struct fetch_aim){0};
    if (strlen(url) > FETCH_URL_BYTES_MAX || !is_plain(url)) {
        return err_set(err, ERR_INPUT,
                       "a URL has at most %d bytes of ASCII, without spaces and backslashes",
                       (int)FETCH_URL_BYTES_MAX);
    }
    CURLU *parsed = curl_url();
    if (parsed == NULL) {
        return err_set_memory(err);
    }
    unsigned flags = CURLU_NON_SUPPORT_SCHEME;
    bool good = (base == NULL || curl_url_set(parsed, CURLUPART_URL, base->url, 0) == CURLUE_OK);
    good = good && curl_url_set(parsed, CURLUPART_URL, url, flags) == CURLUE_OK &&
           trim_host(parsed);
    if (!good) {
        (void)err_set(err, ERR_INPUT, "the URL cannot be read");
    }
    good = good && take_parts(aim, parsed, err);
    char *whole = NULL;
    if (good && (curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK ||
                 curl_url_get(parsed, CURLUPART_URL, &whole, 0) != CURLUE_OK ||
                 (aim->url = strdup(whole)) == NULL)) {
        good = err_set_memory(err);
    }
    curl_free(whole);
    curl_url_cleanup(parsed);
    return good;
}

void fetch_aim_fini(struct fetch_aim *aim)
{
    free(aim->url);
    aim->url = NULL;
}

void fetch_aim_advise(const struct fetch_aim *aim, char ret[NETWORK_ADVICE_BYTES])
{
    if (aim->literal) {
        network_policy_advise(&aim->ip, aim->port, NULL, ret);
    } else {
        snprintf(ret, NETWORK_ADVICE_BYTES, "allow-network = [\"%s:%u\"]", aim->host,
                 (unsigned)aim->port);
    }
}
